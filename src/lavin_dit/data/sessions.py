"""Opening a network that lies in a file on this machine, whichever format it is in.

Nothing is ever downloaded here: the path is the user's, and what the file was trained on and under
which licence it is are the user's to know.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from lavin_dit.extras import how_to_install


@runtime_checkable
class Port(Protocol):
    """An input or output of a network."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def type(self) -> str:
        """What it holds, such as ``tensor(float)``."""
        ...


@runtime_checkable
class Session(Protocol):
    """What is used of an onnxruntime session, and of what else computes a network."""

    def get_inputs(self) -> Sequence[Port]:
        """The inputs."""
        ...

    def run(self, names: list[str] | None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Compute the outputs."""
        ...


def open_session(path: Path, *, threads: int = 0) -> Session:
    """Open a network on the processor.

    Args:
        path: An ONNX file, or the .json file of a network in TensorFlow.js' format.
        threads: Threads that an ONNX network computes with; as many as there are cores for 0. The
            other kind computes with torch's threads.

    Returns:
        The session.

    Raises:
        FileNotFoundError: If the file does not exist.
        ImportError: If it is an ONNX file, and onnxruntime is not installed.
        ValueError: If it is not a network that can be run.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; weights of label networks are not fetched, but given as a "
            "local file (docs/data.md)"
        )
    if path.suffix == ".json":
        # Brings torch along, which ONNX networks do without.
        from lavin_dit.data.graph_model import GraphModel

        return GraphModel(path)
    try:
        runtime = import_module("onnxruntime")
    except ImportError as error:
        raise ImportError(
            f"networks in ONNX files need onnxruntime: {how_to_install('labels')}"
        ) from error
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return runtime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        # onnxruntime raises exceptions of its own, which derive from Exception alone.
        raise ValueError(f"{path} is not an ONNX network that can be run: {error}") from error
