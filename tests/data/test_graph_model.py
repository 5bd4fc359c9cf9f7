"""Networks in TensorFlow.js' format: each operation against NumPy or a loop."""

import json
from pathlib import Path

import numpy as np
import pytest

from graph_files import node, numbers, word, write_graph
from lavin_dit.data.graph_model import GraphModel
from lavin_dit.data.sessions import Session, open_session

RANDOM = np.random.default_rng(3)
PICTURE = RANDOM.normal(size=(1, 7, 10, 3)).astype(np.float32)


def compute(tmp_path, nodes, weights=None, *, entry=PICTURE, outputs=("y",), **options):
    """What a network makes of an entry."""
    path = write_graph(tmp_path / "n.json", nodes, weights=weights, outputs=outputs, **options)
    return GraphModel(path).run(None, {"x": entry})


def convolved(picture, weight, *, strides, dilation=1, depthwise=False):
    """TensorFlow's SAME convolution by its definition: outputs centred, the odd pixel last."""
    _, height, width, _ = picture.shape
    long, wide, num_in, count = weight.shape
    out_height, out_width = -(-height // strides[0]), -(-width // strides[1])
    num_out = num_in * count if depthwise else count
    output = np.zeros((1, out_height, out_width, num_out), dtype=np.float64)
    top = max((out_height - 1) * strides[0] + (long - 1) * dilation + 1 - height, 0) // 2
    left = max((out_width - 1) * strides[1] + (wide - 1) * dilation + 1 - width, 0) // 2
    for y, x, i, j in np.ndindex(out_height, out_width, long, wide):
        row = y * strides[0] + i * dilation - top
        column = x * strides[1] + j * dilation - left
        if 0 <= row < height and 0 <= column < width:
            pixel = picture[0, row, column].astype(np.float64)
            product = pixel[:, None] * weight[i, j]
            output[0, y, x] += product.reshape(-1) if depthwise else product.sum(axis=0)
    return output


@pytest.mark.parametrize(("strides", "dilation"), [((1, 1), 1), ((2, 2), 1), ((1, 1), 2)])
@pytest.mark.parametrize("depthwise", [False, True])
def test_a_convolution_with_all_that_is_fused(tmp_path, strides, dilation, depthwise):
    weight = RANDOM.normal(size=(3, 4, 3, 5)).astype(np.float32)
    bias = RANDOM.normal(size=15 if depthwise else 5).astype(np.float32)
    step = node(
        "y", "FusedDepthwiseConv2dNative" if depthwise else "_FusedConv2D", "x", "w", "b",
        strides=numbers(1, *strides, 1), dilations=numbers(1, dilation, dilation, 1),
        padding=word("SAME"),
        fused_ops={"list": {"s": [word("BiasAdd")["s"], word("Relu6")["s"]]}},
    )  # fmt: skip
    (output,) = compute(tmp_path, [step], {"w": weight, "b": bias})
    expected = convolved(PICTURE, weight, strides=strides, dilation=dilation, depthwise=depthwise)
    np.testing.assert_allclose(output, np.clip(expected + bias, 0, 6), atol=1e-5)


def test_weights_of_16_bits_and_no_padding(tmp_path):
    weight = RANDOM.normal(size=(2, 2, 3, 4)).astype(np.float32)
    step = node(
        "y", "Conv2D", "x", "w",
        strides=numbers(1, 1, 1, 1), dilations=numbers(1, 1, 1, 1), padding=word("VALID"),
    )  # fmt: skip
    (output,) = compute(tmp_path, [step], {"w": weight}, halves=("w",))
    windows = np.lib.stride_tricks.sliding_window_view(PICTURE[0], (2, 2), axis=(0, 1))
    stored = weight.astype(np.float16).astype(np.float32)
    expected = np.einsum("yxcij,ijcd->yxd", windows, stored)
    np.testing.assert_allclose(output[0], expected, atol=1e-5)


def test_the_largest_of_a_neighbourhood(tmp_path):
    step = node(
        "y", "MaxPool", "x",
        ksize=numbers(1, 3, 3, 1), strides=numbers(1, 1, 1, 1), padding=word("SAME"),
    )  # fmt: skip
    (output,) = compute(tmp_path, [step])
    padded = np.pad(PICTURE[0], ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    np.testing.assert_array_equal(output[0], windows.max(axis=(-1, -2)))


def test_resizing_keeps_a_ramp_where_centres_say(tmp_path):
    ramp = np.broadcast_to(np.arange(5, dtype=np.float32)[None, None, :, None], (1, 3, 5, 2))
    step = node(
        "y", "ResizeBilinear", "x", "size", half_pixel_centers={"b": True},
        align_corners={"b": False},
    )  # fmt: skip
    size = {"size": np.array([6, 10], np.int32)}
    (output,) = compute(tmp_path, [step], size, entry=ramp.copy())
    expected = np.clip((np.arange(10) + 0.5) / 2 - 0.5, 0, 4)
    np.testing.assert_allclose(output[0, :, :, 0], np.broadcast_to(expected, (6, 10)), atol=1e-6)
    step["attr"]["half_pixel_centers"] = {"b": False}
    with pytest.raises(ValueError, match="resized by their centres"):
        compute(tmp_path, [step], size)


@pytest.mark.parametrize(
    ("begin", "end", "step", "masks", "expected"),
    [
        ((0, 1, 2), (1, 6, 9), (1, 2, 3), {}, np.s_[0:1, 1:6:2, 2:9:3]),
        ((5, 1), (9, -1), (1, 1), {"begin_mask": 1, "end_mask": 1}, np.s_[:, 1:-1]),
        ((0, 3), (1, 4), (1, 1), {"shrink_axis_mask": 3}, np.s_[0, 3]),
        ((0, 0, 2), (0, 0, 5), (1, 1, 1),
         {"new_axis_mask": 2, "begin_mask": 1, "end_mask": 1}, np.s_[:, None, 2:5]),
    ],
)  # fmt: skip
def test_slices_are_those_of_numpy(tmp_path, begin, end, step, masks, expected):
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    attributes = {name: {"i": str(masks.get(name, 0))} for name in names}
    slicing = node("y", "StridedSlice", "x", "begin", "end", "step", **attributes)
    weights = {"begin": begin, "end": end, "step": step}
    arrays = {name: np.array(value, np.int32) for name, value in weights.items()}
    (output,) = compute(tmp_path, [slicing], arrays)
    np.testing.assert_array_equal(output, PICTURE[expected])


def whole(*values):
    return np.array(values[0] if len(values) == 1 else values, dtype=np.int32)


@pytest.mark.parametrize(
    ("operation", "weights", "attributes", "expected"),
    [
        ("Pad", [whole((0, 0), (1, 2), (3, 0), (0, 1))], {},
         np.pad(PICTURE, ((0, 0), (1, 2), (3, 0), (0, 1)))),
        ("PadV2", [whole((0, 0), (0, 0), (0, 2), (1, 0)), np.float32(-7)], {},
         np.pad(PICTURE, ((0, 0), (0, 0), (0, 2), (1, 0)), constant_values=-7)),
        ("Transpose", [whole(0, 3, 1, 2)], {}, PICTURE.transpose(0, 3, 1, 2)),
        ("Tile", [whole(1, 2, 1, 3)], {}, np.tile(PICTURE, (1, 2, 1, 3))),
        ("Sum", [whole(1, 3)], {"keep_dims": {"b": False}}, PICTURE.sum(axis=(1, 3))),
        ("Max", [whole(2)], {"keep_dims": {"b": True}}, PICTURE.max(axis=2, keepdims=True)),
        ("ArgMax", [whole(2)], {}, PICTURE.argmax(axis=2)),
        ("Reshape", [whole(-1, 6)], {}, PICTURE.reshape(-1, 6)),
        ("GatherNd", [whole((0, 2, 5), (0, 6, 9))], {}, PICTURE[[0, 0], [2, 6], [5, 9]]),
        ("Squeeze", [], {"squeeze_dims": numbers(0)}, PICTURE[0]),
        ("LeakyRelu", [], {"alpha": {"f": 0.1}}, np.where(PICTURE > 0, PICTURE, PICTURE * 0.1)),
        ("SquaredDifference", [np.float32(2)], {}, (PICTURE - 2) ** 2),
        ("Cast", [], {"DstT": {"type": "DT_INT32"}}, np.trunc(PICTURE)),
        ("Shape", [], {}, whole(1, 7, 10, 3)),
    ],
)  # fmt: skip
def test_operations_are_those_of_numpy(tmp_path, operation, weights, attributes, expected):
    names = [f"w{place}" for place in range(len(weights))]
    step = node("y", operation, "x", *names, **attributes)
    (output,) = compute(tmp_path, [step], dict(zip(names, weights, strict=True)))
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


def test_whole_numbers_are_divided_downwards(tmp_path):
    step = node("y", "FloorDiv", "x", "w")
    entry = whole(-7, -1, 0, 8)
    (output,) = compute(tmp_path, [step], {"w": whole(3)}, entry=entry, takes="DT_INT32")
    np.testing.assert_array_equal(output, entry // 3)


def test_several_outputs_and_nodes_in_any_order(tmp_path):
    axis = {"axis": {"i": "1"}}
    nodes = [
        node("both", "Pack", "parts:2", "tops", **axis),
        node("rest", "Identity", "tops:1"),
        node("tops", "TopKV2", "parts", "two"),
        node("parts", "Unpack", "x", **axis),
    ]
    nodes[0]["input"] = ["parts:2", "parts:1"]
    outputs = ("rest", "both")
    entry = RANDOM.normal(size=(4, 3, 6)).astype(np.float32)
    rest, both = compute(tmp_path, nodes, {"two": whole(2)}, entry=entry, outputs=outputs)
    np.testing.assert_array_equal(rest, np.argsort(-entry[:, 0])[:, :2])
    np.testing.assert_array_equal(both, entry[:, [2, 1]])
    model = GraphModel(tmp_path / "n.json")
    (alone,) = model.run(["both"], {"x": entry})
    np.testing.assert_array_equal(alone, both)


def test_rows_are_chosen_by_a_condition(tmp_path):
    nodes = [node("y", "Select", "c", "x", "w"), node("c", "Greater", "v", "zero")]
    weights = {"v": np.float32([1, -1]), "zero": np.float32(0), "w": np.zeros((2, 3), np.float32)}
    entry = np.ones((2, 3), np.float32)
    (output,) = compute(tmp_path, nodes, weights, entry=entry)
    np.testing.assert_array_equal(output, [[1, 1, 1], [0, 0, 0]])


def test_a_file_is_opened_by_its_ending(tmp_path):
    path = write_graph(tmp_path / "n.json", [node("y", "Abs", "x")], outputs=["y"])
    session = open_session(path)
    assert isinstance(session, Session)
    assert [(port.name, port.type) for port in session.get_inputs()] == [("x", "tensor(float)")]


def test_an_entry_of_another_shape_is_refused(tmp_path):
    step = node("y", "Abs", "x")
    shape = (1, -1, -1, 3)
    (output,) = compute(tmp_path, [step], shape=shape)
    np.testing.assert_array_equal(output, np.abs(PICTURE))
    with pytest.raises(ValueError, match=r"takes shape \(1, -1, -1, 3\) \(-1: any\), got \(1, 3, "):
        compute(tmp_path, [step], entry=PICTURE.transpose(0, 3, 1, 2).copy(), shape=shape)
    with pytest.raises(ValueError, match=r"got \(7, 10, 3\)"):
        compute(tmp_path, [step], entry=PICTURE[0], shape=shape)


def test_what_is_no_such_network_is_refused(tmp_path):
    path = tmp_path / "n.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"n\.json is no network in TensorFlow\.js' format"):
        GraphModel(path)
    write_graph(path, [node("y", "Einsum", "x")], outputs=["y"])
    with pytest.raises(ValueError, match=r"operations that are not known: \['Einsum'\]"):
        GraphModel(path)
    step = node("y", "Add", "x", "w")
    write_graph(path, [step], weights={"w": np.ones(5, np.float32)}, outputs=["y"])
    weights = path.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes() + b"more")
    with pytest.raises(ValueError, match="4 bytes more than weights"):
        GraphModel(path)
    weights.write_bytes(b"less")
    with pytest.raises(ValueError, match="ends before w"):
        GraphModel(path)
    _store_as(path, "uint8")
    with pytest.raises(ValueError, match="w is stored as uint8; float32, float16"):
        GraphModel(path)
    weights.unlink()
    with pytest.raises(FileNotFoundError):
        GraphModel(path)


def _store_as(path: Path, kind: str) -> None:
    """Let a network say that its weight is stored in another way."""
    graph = json.loads(path.read_text())
    graph["weightsManifest"][0]["weights"][0]["quantization"] = {"dtype": kind}
    path.write_text(json.dumps(graph))
