"""Saving and loading of models: a folder with ``config.json`` and safetensors, loaded strictly.

Loading compares names and shapes, which the files' headers tell, before it reads any values, so a
wrong checkpoint is refused at once however large it is. Nothing is ever guessed, skipped or left
half loaded.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from lavin_dit.weights.config import Json, config_from_json, config_to_json
from lavin_dit.weights.files import (
    CONFIG_FILE,
    StoredTensor,
    interrupted_save_hint,
    open_safetensors,
    read_headers,
    read_json,
)
from lavin_dit.weights.fingerprint import fingerprint
from lavin_dit.weights.shards import DEFAULT_MAX_SHARD_BYTES, ShardWriter

__all__ = [
    "DEFAULT_MAX_SHARD_BYTES",
    "Json",
    "ShardWriter",
    "StoredTensor",
    "WeightsMismatchError",
    "check_shapes",
    "config_from_json",
    "config_to_json",
    "fingerprint",
    "load_config",
    "load_model",
    "load_state",
    "read_headers",
    "save_model",
]

_MAX_LISTED = 20
_Config = TypeVar("_Config")
_Model = TypeVar("_Model", bound=nn.Module)


class WeightsMismatchError(ValueError):
    """Stored weights are not those of the model.

    Attributes:
        missing: Names that the model has and the weights have not.
        unexpected: Names that the weights have and the model has not.
        misshaped: Names whose shapes differ, with the stored and the expected shape.
    """

    def __init__(
        self,
        source: str,
        *,
        missing: Sequence[str],
        unexpected: Sequence[str],
        misshaped: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]],
    ) -> None:
        """Compose the message; long lists are cut and counted in it, not in the attributes.

        Args:
            source: Where the weights are, for the message.
            missing: See the class.
            unexpected: See the class.
            misshaped: See the class.
        """
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)
        self.misshaped = dict(misshaped)
        shapes = [
            f"{name}: stored {stored}, expected {expected}"
            for name, (stored, expected) in self.misshaped.items()
        ]
        kinds = (("missing", missing), ("unexpected", unexpected), ("misshaped", shapes))
        lists = [_listing(kind, lines) for kind, lines in kinds if lines]
        super().__init__("\n".join([f"{source} does not fit the model", *lists]))


def save_model(
    model: nn.Module,
    config: object,
    directory: Path | str,
    *,
    max_shard_bytes: int = DEFAULT_MAX_SHARD_BYTES,
    dtype: torch.dtype | None = None,
) -> None:
    """Save a model's weights and configuration; earlier ones in the folder are replaced at the end.

    Args:
        model: Any module; what its state dict holds is saved.
        config: Frozen dataclass that it was built from.
        directory: Where to; made if need be.
        max_shard_bytes: Size from which a new file is begun.
        dtype: Floating-point type to save in; None keeps each tensor's own.

    Raises:
        OSError: If the folder cannot be written to; earlier weights are unharmed.
        ValueError: If the configuration cannot be saved or the model has no values.
    """
    with ShardWriter(directory, config=config, max_shard_bytes=max_shard_bytes) as writer:
        for name, tensor in model.state_dict().items():
            writer.add(name, _cast(tensor, dtype))


def load_config(config_cls: type[_Config], directory: Path | str) -> _Config:
    """Load the configuration of saved weights.

    Args:
        config_cls: The dataclass that it was saved from.
        directory: Folder with ``config.json``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not hold exactly that configuration; the message says where and why.
    """
    path = Path(directory) / CONFIG_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"no configuration at {path}{interrupted_save_hint(Path(directory))}"
        )
    data = read_json(path)
    try:
        return config_from_json(config_cls, data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def check_shapes(
    stored: Mapping[str, Sequence[int]], *, expected: Mapping[str, Sequence[int]], source: str
) -> None:
    """Compare the names and shapes of stored weights with those of a model.

    Args:
        stored: Shape of each stored tensor.
        expected: Shape of each tensor of the model.
        source: Where the weights are, for the message.

    Raises:
        WeightsMismatchError: If anything differs; it lists everything that does.
    """
    missing = [name for name in expected if name not in stored]
    unexpected = [name for name in stored if name not in expected]
    misshaped = {
        name: (tuple(stored[name]), tuple(shape))
        for name, shape in expected.items()
        if name in stored and tuple(stored[name]) != tuple(shape)
    }
    if missing or unexpected or misshaped:
        raise WeightsMismatchError(
            source, missing=missing, unexpected=unexpected, misshaped=misshaped
        )


def load_state(
    directory: Path | str,
    *,
    expected: Mapping[str, Sequence[int]],
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> dict[str, Tensor]:
    """Load a state dict whose names and shapes are known.

    Args:
        directory: Folder with safetensors.
        expected: Shape of each tensor.
        dtype: Floating-point type to convert to, one tensor at a time; None keeps each tensor's.
        device: Where to load to. On the CPU unconverted tensors are memory-mapped: they are read
            from disk when first used.

    Raises:
        FileNotFoundError: If the folder, its weights or one of its shards is missing.
        WeightsMismatchError: If names or shapes differ; raised before any values are read.
        ValueError: If a file is damaged.
    """
    headers = read_headers(directory)
    shapes = {name: stored.shape for name, stored in headers.items()}
    check_shapes(shapes, expected=expected, source=str(directory))
    state: dict[str, Tensor] = {}
    for path in sorted({stored.path for stored in headers.values()}):
        with open_safetensors(path) as file:
            for name in (name for name, stored in headers.items() if stored.path == path):
                state[name] = _cast(file.get_tensor(name), dtype).to(device)
    return state


def load_model(
    build: Callable[[_Config], _Model],
    config_cls: type[_Config],
    directory: Path | str,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> _Model:
    """Build a model from its saved configuration and load its weights.

    The model is built without values and then takes over the loaded ones, so memory never holds it
    twice.

    Args:
        build: Makes the model from a configuration, usually its class.
        config_cls: Dataclass of the configuration.
        directory: Folder that `save_model` wrote.
        dtype: As in `load_state`.
        device: As in `load_state`.

    Returns:
        The model in evaluation mode; its parameters require gradients as they do when built.

    Raises:
        FileNotFoundError: If the folder or one of its files is missing.
        WeightsMismatchError: If names or shapes differ; raised before any values are read.
        ValueError: If a file is damaged or the configuration is another model's.
        RuntimeError: If the model makes buffers that are not saved: an error in the model.
    """
    if not Path(directory).is_dir():
        raise FileNotFoundError(f"no weights folder at {directory}")
    config = load_config(config_cls, directory)
    with torch.device("meta"):
        model = build(config)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    state = load_state(directory, expected=expected, dtype=dtype, device=device)
    model.load_state_dict(state, strict=True, assign=True)
    tensors = [*model.named_parameters(), *model.named_buffers()]
    empty = [name for name, tensor in tensors if tensor.is_meta]
    if empty:
        raise RuntimeError(
            f"internal error: {type(model).__name__} makes buffers that are not in its state dict, "
            f"so loading leaves them without values: {', '.join(empty)}"
        )
    return model.eval()


def _cast(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Convert a floating-point tensor; whole numbers and truth values keep their type."""
    return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor


def _listing(kind: str, lines: Iterable[str]) -> str:
    lines = list(lines)
    shown = [f"  {line}" for line in lines[:_MAX_LISTED]]
    if len(lines) > _MAX_LISTED:
        shown.append(f"  and {len(lines) - _MAX_LISTED} more")
    return "\n".join([f"{kind} ({len(lines)}):", *shown])
