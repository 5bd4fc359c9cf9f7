"""Networks in TensorFlow.js' format: a graph in ``NAME.json``, its weights in files beside it.

Small detectors are in package registries in this format alone. Reading it takes neither TensorFlow
nor a conversion: the graph is a list of nodes, each computed by one function of torch.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lavin_dit.data.graph_operations import OPERATIONS, Attributes

_INPUT, _CONSTANT = "Placeholder", "Const"
# In the words of onnxruntime, so that both kinds of network are fed alike.
_INPUT_TYPES = {"DT_INT32": "tensor(int32)", "DT_FLOAT": "tensor(float)"}
_WEIGHT_TYPES = {"float32": np.float32, "float16": np.float16, "int32": np.int32, "bool": np.bool_}


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphInput:
    """An input of a network.

    Attributes:
        name: Its name.
        type: What it holds: ``tensor(int32)`` or ``tensor(float)``.
        shape: Lengths of its axes, -1 for any; None if any shape will do.
    """

    name: str
    type: str
    shape: tuple[int, ...] | None

    def check(self, array: np.ndarray) -> None:
        """Refuse an array of another shape.

        Raises:
            ValueError: If it is.
        """
        if self.shape is None:
            return
        same = [wanted in (-1, side) for wanted, side in zip(self.shape, array.shape, strict=False)]
        if array.ndim != len(self.shape) or not all(same):
            raise ValueError(f"the network takes shape {self.shape} (-1: any), got {array.shape}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """One step of a network.

    Attributes:
        operation: Its name in ``OPERATIONS``.
        inputs: Of each input the node that it comes from, and which of its outputs it is.
        attributes: Numbers and words.
    """

    operation: str
    inputs: tuple[tuple[str, int], ...]
    attributes: Attributes


class GraphModel:
    """A network that was read from a file; used as onnxruntime's sessions are."""

    def __init__(self, path: Path) -> None:
        """Read the graph and its weights.

        Args:
            path: The .json file; the files of weights that it names lie beside it.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If it is no such network, or one with operations that are not known.
        """
        try:
            model: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            entries: list[dict[str, Any]] = model["modelTopology"]["node"]
            groups: list[dict[str, Any]] = model["weightsManifest"]
            outputs: dict[str, dict[str, str]] = model["signature"]["outputs"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no network in TensorFlow.js' format: {error}") from error
        unknown = {entry["op"] for entry in entries} - OPERATIONS.keys() - {_INPUT, _CONSTANT}
        if unknown:
            raise ValueError(f"{path} has operations that are not known: {sorted(unknown)}")
        self._inputs = [
            GraphInput(
                name=entry["name"],
                type=_INPUT_TYPES[entry["attr"]["dtype"]["type"]],
                shape=_shape(entry["attr"]),
            )
            for entry in entries
            if entry["op"] == _INPUT
        ]
        self._outputs = {name: _reference(port["name"]) for name, port in outputs.items()}
        self._constants = {
            name: weight for group in groups for name, weight in _weights(group, path).items()
        }
        self._nodes = _in_order([entry for entry in entries if entry["op"] in OPERATIONS])

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return list(self._outputs)

    def get_inputs(self) -> list[GraphInput]:
        """The inputs."""
        return list(self._inputs)

    def run(self, names: list[str] | None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Compute outputs.

        Args:
            names: Which; all in the file's order if None.
            inputs: An array for each input.

        Returns:
            The outputs.

        Raises:
            ValueError: If an array has another shape than the network takes.
        """
        for port in self._inputs:
            port.check(inputs[port.name])
        values: dict[str, Tensor | Sequence[Tensor]] = dict(self._constants)
        values |= {name: torch.from_numpy(array) for name, array in inputs.items()}
        with torch.inference_mode():
            for name, node in self._nodes.items():
                arguments = [_output(values, reference) for reference in node.inputs]
                values[name] = OPERATIONS[node.operation](arguments, node.attributes)
        return [_output(values, self._outputs[name]).numpy() for name in names or self.output_names]


def _output(values: Mapping[str, Tensor | Sequence[Tensor]], reference: tuple[str, int]) -> Tensor:
    """One output of a node."""
    name, place = reference
    value = values[name]
    return value if isinstance(value, Tensor) else value[place]


def _reference(text: str) -> tuple[str, int]:
    """A node and one of its outputs, written ``name`` for the first and ``name:2`` for others."""
    name, _, place = text.partition(":")
    return name, int(place or 0)


def _in_order(entries: Sequence[dict[str, Any]]) -> dict[str, _Node]:
    """The nodes, each after those that it needs."""
    nodes = {
        entry["name"]: _Node(
            operation=entry["op"],
            inputs=tuple(_reference(text) for text in entry.get("input", ())),
            attributes={name: _attribute(value) for name, value in entry.get("attr", {}).items()},
        )
        for entry in entries
    }
    needs = {
        name: {source for source, _ in node.inputs if source in nodes}
        for name, node in nodes.items()
    }
    return {name: nodes[name] for name in TopologicalSorter(needs).static_order()}


def _attribute(value: Mapping[str, Any]) -> object:
    """An attribute, which the file writes as a kind and a value, such as ``{"i": "2"}``."""
    kind, content = next(iter(value.items()))
    match kind:
        case "list":
            return tuple(
                _attribute({inner: item}) for inner, items in content.items() for item in items
            )
        case "i":
            return int(content)
        case "s":
            return base64.b64decode(content).decode()
        case _:
            return content


def _shape(attributes: Mapping[str, Any]) -> tuple[int, ...] | None:
    """The shape that an input says it has."""
    if "shape" not in attributes:
        return None
    return tuple(int(axis["size"]) for axis in attributes["shape"]["shape"]["dim"])


def _weights(group: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """The weights of some files that are to be read as one."""
    content = b"".join((path.parent / name).read_bytes() for name in group["paths"])
    found: dict[str, Tensor] = {}
    start = 0
    for weight in group["weights"]:
        stored = weight.get("quantization", {}).get("dtype", weight["dtype"])
        if stored not in _WEIGHT_TYPES:
            raise ValueError(
                f"{path}: {weight['name']} is stored as {stored}; {', '.join(_WEIGHT_TYPES)} are "
                "known"
            )
        count = int(np.prod(weight["shape"], dtype=np.int64))
        kind = np.dtype(_WEIGHT_TYPES[stored])
        if start + count * kind.itemsize > len(content):
            raise ValueError(f"{path}: the file of weights ends before {weight['name']}")
        array = np.frombuffer(content, kind, count, start).reshape(weight["shape"])
        found[weight["name"]] = torch.from_numpy(array.astype(_WEIGHT_TYPES[weight["dtype"]]))
        start += count * kind.itemsize
    if start != len(content):
        raise ValueError(f"{path}: there are {len(content) - start} bytes more than weights")
    return found
