"""Boxes and poses from detectors: axes, thresholds and tracks."""

from types import SimpleNamespace

import numpy as np
import pytest

from lavin_dit.data import detections
from lavin_dit.data.detections import OnnxBoxes, OnnxPose, link
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size

CLIP = Rgb(pixels=np.zeros((2, 50, 100, 3), dtype=np.uint8))


class FakeSession:
    """A detector that gives prepared answers, one frame after the other."""

    def __init__(self, answers, kind="tensor(uint8)"):
        self.answers = iter(answers)
        self.kind = kind

    def get_inputs(self):
        return [SimpleNamespace(name="image", type=self.kind)]

    def run(self, names, inputs):
        del names
        assert inputs["image"].shape == (1, 64, 96, 3)
        return next(self.answers)


def boxes_answer(*rows):
    """Top, left, bottom, right, class, score of each box."""
    table = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return [table[None, :, :4], table[None, :, 4], table[None, :, 5]]


def test_boxes_are_turned_scaled_and_linked(monkeypatch, tmp_path):
    session = FakeSession(
        [
            boxes_answer([0.1, 0.2, 0.5, 0.4, 7, 0.9], [0.5, 0.5, 0.9, 0.9, 3, 0.8]),
            boxes_answer(
                [0.52, 0.52, 0.92, 0.92, 3, 0.8],
                [0.1, 0.22, 0.5, 0.42, 7, 0.9],
                [0.1, 0.2, 0.1, 0.4, 7, 0.9],
                [0.1, 0.2, 0.5, 0.4, 7, 0.1],
            ),
        ]
    )
    monkeypatch.setattr(detections, "open_session", lambda path: session)
    boxes = OnnxBoxes(path=tmp_path / "d.onnx", input_size=Size(height=64, width=96)).label(CLIP)
    np.testing.assert_array_equal(boxes.classes, [7, 3])
    assert boxes.present.all()
    np.testing.assert_allclose(boxes.corners_px[0, 0], [20, 5, 40, 25])
    np.testing.assert_allclose(boxes.corners_px[1, 0], [22, 5, 42, 25], rtol=1e-5)


def test_nothing_found_is_no_box(monkeypatch, tmp_path):
    session = FakeSession([boxes_answer(), boxes_answer()])
    monkeypatch.setattr(detections, "open_session", lambda path: session)
    boxes = OnnxBoxes(path=tmp_path / "d.onnx", input_size=Size(height=64, width=96)).label(CLIP)
    assert boxes.present.shape == (2, 0)


def test_poses_are_turned_and_scaled(monkeypatch, tmp_path):
    people = np.zeros((1, 6, 56), dtype=np.float32)
    people[0, 1, :51] = np.tile([0.5, 0.25, 0.9], 17)
    people[0, 1, 2] = 0.1
    people[0, 1, 51:] = [0.1, 0.2, 0.9, 0.4, 0.8]
    session = FakeSession([[people], [people * 0]], kind="tensor(int32)")
    monkeypatch.setattr(detections, "open_session", lambda path: session)
    poses = OnnxPose(path=tmp_path / "p.onnx", input_size=Size(height=64, width=96)).label(CLIP)
    assert poses.visibility.shape == (2, 1, 17)
    np.testing.assert_array_equal(poses.visibility[0, 0], [0] + [2] * 16)
    assert not poses.visibility[1].any()
    np.testing.assert_allclose(poses.positions_px[0, 0, 5], [25, 25])


def test_another_network_is_refused(monkeypatch, tmp_path):
    size = Size(height=64, width=96)
    monkeypatch.setattr(
        detections, "open_session", lambda path: FakeSession([[np.zeros((1, 17, 3))]])
    )
    with pytest.raises(ValueError, match=r"\(1, n, 56\) is needed"):
        OnnxPose(path=tmp_path / "p.onnx", input_size=size).label(CLIP)
    monkeypatch.setattr(
        detections, "open_session", lambda path: FakeSession([], kind="tensor(double)")
    )
    with pytest.raises(ValueError, match=r"takes tensor\(double\)"):
        OnnxPose(path=tmp_path / "p.onnx", input_size=size).label(CLIP)


def test_only_boxes_of_one_class_are_linked():
    box = np.array([[0, 0, 10, 10]], dtype=np.float32)
    same = link([box, box], [np.array([1], np.int32), np.array([1], np.int32)])
    other = link([box, box], [np.array([1], np.int32), np.array([2], np.int32)])
    assert [int(numbers[0]) for numbers in same] == [0, 0]
    assert [int(numbers[0]) for numbers in other] == [0, 1]
