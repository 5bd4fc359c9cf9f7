"""Small networks in TensorFlow.js' format, as files."""

import base64
import json

import numpy as np

_TYPES = {"float32": "DT_FLOAT", "int32": "DT_INT32"}


def word(text):
    """An attribute that is a word."""
    return {"s": base64.b64encode(text.encode()).decode()}


def numbers(*values):
    """An attribute that is a list of whole numbers, written as the format does."""
    return {"list": {"i": [str(value) for value in values]}}


def node(name, operation, *inputs, **attributes):
    """A step of a network."""
    return {"name": name, "op": operation, "input": list(inputs), "attr": attributes}


def write_graph(path, nodes, *, weights=None, outputs, takes="DT_FLOAT", shape=None, halves=()):
    """Write a network whose input is ``x``.

    ``halves`` are weights that are stored with 16 bits.
    """
    weights = {name: np.asarray(value) for name, value in (weights or {}).items()}
    entries, content = [], b""
    for name, value in weights.items():
        stored = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
        if name in halves:
            stored["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        content += (value.astype(np.float16) if name in halves else value).tobytes()
        entries.append(stored)
    constants = [
        node(name, "Const", dtype={"type": _TYPES[str(value.dtype)]})
        for name, value in weights.items()
    ]
    entry = {"dtype": {"type": takes}}
    if shape is not None:
        entry["shape"] = {"shape": {"dim": [{"size": str(side)} for side in shape]}}
    graph = {
        "format": "graph-model",
        "signature": {"outputs": {name: {"name": f"{name}:0"} for name in outputs}},
        "modelTopology": {"node": [node("x", "Placeholder", **entry), *nodes, *constants]},
        "weightsManifest": [{"paths": [path.with_suffix(".bin").name], "weights": entries}],
    }
    path.with_suffix(".bin").write_bytes(content)
    path.write_text(json.dumps(graph))
    return path


def write_answer(path, *, takes="DT_INT32", **answers):
    """Write a network that gives the same answers whatever it is shown."""
    nodes = [node(name, "Identity", f"{name}/value") for name in answers]
    weights = {f"{name}/value": value.astype(np.float32) for name, value in answers.items()}
    return write_graph(path, nodes, weights=weights, outputs=list(answers), takes=takes)
