"""Labellers: what they make of what a detector or network gives."""

import importlib
from collections import Counter

import numpy as np
import pytest

from lavin_dit.data import onnx_network, sessions
from lavin_dit.data.networks import depth_anything_v2, focus_foreground, isnet_foreground
from lavin_dit.data.pseudo_labels import (
    CannyEdges,
    DepthLabels,
    ForegroundLabels,
    Labeller,
    NoLabelError,
    NormalLabels,
    with_labels,
)
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample

HEIGHT, WIDTH = 37, 53


@pytest.fixture
def clip():
    """Two frames: dark left of a column that moves, bright right of it."""
    pixels = np.full((2, HEIGHT, WIDTH, 3), 30, dtype=np.uint8)
    pixels[0, :, 20:] = 220
    pixels[1, :, 25:] = 220
    return Rgb(pixels=pixels)


def brightness(frame):
    """A network that finds bright things near."""
    return frame.mean(axis=-1, dtype=np.float32, keepdims=True) / 255


def test_canny_finds_the_step(clip):
    edges = CannyEdges().label(clip)
    assert edges.shape == clip.shape
    columns = [set(np.flatnonzero(frame.any(axis=0))) for frame in edges.strength]
    assert columns[0] <= {19, 20}
    assert columns[1] <= {24, 25}
    assert set(np.unique(edges.strength)) == {0.0, 1.0}
    with pytest.raises(ValueError, match="low <= high"):
        CannyEdges(low=10.0, high=5.0)


def test_disparity_becomes_depth_by_convention(clip):
    labeller = DepthLabels(name="bright is near", function=brightness)
    assert isinstance(labeller, Labeller)
    depth = labeller.label(clip)
    assert depth.valid.all()
    np.testing.assert_allclose(depth.metres[0, :, 30:], 1.0, rtol=1e-5)
    np.testing.assert_allclose(depth.metres[0, :, :10], 10.0, rtol=1e-5)
    scaled = DepthLabels(name="x", function=lambda frame: 7 * brightness(frame) + 3).label(clip)
    np.testing.assert_allclose(scaled.metres, depth.metres, rtol=1e-4)


def test_metres_are_taken_as_they_are(clip):
    def function(frame):
        metres = brightness(frame) * 4
        metres[0], metres[1] = np.nan, -1
        return metres

    depth = DepthLabels(name="x", function=function, quantity="metres").label(clip)
    assert not depth.valid[:, :2].any()
    assert depth.valid[:, 2:].all()
    np.testing.assert_allclose(depth.metres[0, 2:, 30:], 4 * 220 / 255, rtol=1e-5)


def test_normals_are_turned_and_made_unit(clip):
    def function(frame):
        vectors = np.zeros((*frame.shape[:2], 3), dtype=np.float32)
        vectors[...] = (0, -3, -4)
        vectors[0, 0] = 0
        return vectors

    normals = NormalLabels(name="x", function=function, signs=(1, -1, -1)).label(clip)
    assert not normals.valid[:, 0, 0].any()
    np.testing.assert_allclose(normals.vectors[:, 1:], np.broadcast_to([0, 0.6, 0.8],
                               (2, HEIGHT - 1, WIDTH, 3)), atol=1e-6)  # fmt: skip
    with pytest.raises(ValueError, match="signs are 1 or -1"):
        NormalLabels(name="x", function=function, signs=(1, 0, 1))


def test_foreground_and_no_answer(clip):
    mask = ForegroundLabels(name="x", function=brightness).label(clip)
    np.testing.assert_array_equal(mask.foreground, clip.pixels[..., 0] > 127)
    unsure = ForegroundLabels(name="x", function=brightness, max_unsure=0.3)
    with pytest.raises(NoLabelError, match="not told apart"):
        unsure.label(clip)
    with pytest.raises(NoLabelError, match="no foreground"):
        ForegroundLabels(name="x", function=brightness, threshold=0.99).label(clip)


def test_a_wrong_shape_is_refused(clip):
    labeller = DepthLabels(name="odd one", function=lambda frame: brightness(frame)[:-1])
    with pytest.raises(ValueError, match=r"odd one gives shape .* \(37, 53, 1\) is needed"):
        labeller.label(clip)


def test_labels_are_added_to_what_was_measured(clip):
    measured = Mask(foreground=np.zeros((2, HEIGHT, WIDTH), dtype=np.bool_))
    sample = Sample(rgb=clip, annotations=(measured,), name="s")
    refused = Counter()
    labelled = with_labels(
        sample,
        [
            CannyEdges(),
            ForegroundLabels(name="x", function=brightness),
            DepthLabels(name="blind", function=lambda frame: brightness(frame) * np.nan),
        ],
        refused=refused,
    )
    assert labelled.kinds == (Mask, Edges)
    assert labelled[Mask] is measured
    assert Depth not in labelled
    assert refused == {"blind: no finite value": 1}


class FakeSession:
    """A network that gives back the mean of its input channels, at half the size."""

    def __init__(self):
        self.entries = []

    def get_inputs(self):
        class Port:
            name, type = "x", "tensor(float)"

        return [Port()]

    def run(self, names, inputs):
        del names
        self.entries.append(inputs["x"])
        return [inputs["x"].mean(axis=1, keepdims=True)[:, :, ::2, ::2]]


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_a_frame_enters_normalised_and_comes_back_at_its_size(monkeypatch, clip, tmp_path, fit):
    session = FakeSession()
    monkeypatch.setattr(onnx_network, "open_session", lambda path, threads: session)
    network = onnx_network.OnnxNetwork(
        path=tmp_path / "n.onnx",
        input_size=Size(height=40, width=80),
        mean=(100.0, 100.0, 100.0),
        std=(50.0, 50.0, 50.0),
        fit=fit,
    )
    field = network(clip.pixels[0])
    assert field.shape == (HEIGHT, WIDTH, 1)
    assert field.dtype == np.float32
    assert session.entries[0].shape == (1, 3, 40, 80)
    np.testing.assert_allclose(field[8:-8, 4:15, 0], (30 - 100) / 50, atol=1e-5)
    np.testing.assert_allclose(field[8:-8, 30:48, 0], (220 - 100) / 50, atol=1e-5)
    border = session.entries[0][0, 0, :, 0]
    assert (border == 0).all() == (fit == "pad")


def test_missing_files_and_packages_are_explained(tmp_path, clip, monkeypatch):
    for make in (depth_anything_v2, isnet_foreground, focus_foreground):
        with pytest.raises(FileNotFoundError, match="given as a local file"):
            make(tmp_path / "none.onnx").label(clip)
    (tmp_path / "there.onnx").write_bytes(b"")

    def missing_module(name):
        if name == "onnxruntime":
            raise ImportError(name)
        return importlib.import_module(name)

    monkeypatch.setattr(sessions, "import_module", missing_module)
    with pytest.raises(ImportError, match=r"pip install 'lavin-dit\[labels\]'"):
        depth_anything_v2(tmp_path / "there.onnx").label(clip)


def test_a_true_onnx_file_runs(tmp_path, clip):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    side = 28
    ends = [
        onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, side, side]),
        onnx.helper.make_tensor_value_info("depth", onnx.TensorProto.FLOAT, [1, side, side]),
    ]
    mean = onnx.helper.make_node("ReduceMean", ["image"], ["depth"], axes=[1], keepdims=0)
    graph = onnx.helper.make_graph([mean], "mean", ends[:1], ends[1:])
    opset = [onnx.helper.make_opsetid("", 13)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    path = tmp_path / "mean.onnx"
    onnx.save(model, path)
    depth = depth_anything_v2(path, side=side).label(clip)
    assert depth.shape == clip.shape
    np.testing.assert_allclose(depth.metres[0, :, 35:], 1.0, rtol=1e-3)
    np.testing.assert_allclose(depth.metres[0, :, :10], 10.0, rtol=1e-3)
    path.write_bytes(b"not a network")
    with pytest.raises(ValueError, match="not an ONNX network"):
        depth_anything_v2(path, side=side).label(clip)
