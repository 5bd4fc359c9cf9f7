"""Boxes and poses: from frames to clips, what MoveNet and NanoDet are fed, and what they mean."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from lavin_dit.data import movenet, nanodet
from lavin_dit.data.coco_classes import COCO_CLASSES
from lavin_dit.data.detections import BoxLabels, FrameBoxes, PoseLabels, best_boxes, link
from lavin_dit.data.movenet import MoveNet
from lavin_dit.data.nanodet import NanoDet
from lavin_dit.data.pseudo_labels import Labeller, NoLabelError
from lavin_dit.vision.codecs.rgb import Rgb

CLIP = Rgb(pixels=np.zeros((2, 50, 100, 3), dtype=np.uint8))


def prepared(*answers):
    """A detector that gives prepared answers, one frame after the other."""
    left = iter(answers)
    return lambda frame: next(left)


def frame_boxes(*rows):
    """Left, top, right, bottom, class of each box."""
    table = np.array(rows, dtype=np.float32).reshape(-1, 5)
    return FrameBoxes(corners_px=table[:, :4], classes=table[:, 4].astype(np.int32))


def box_labels(*answers):
    return BoxLabels(name="b", function=prepared(*answers), class_names={7: "seven"})


def test_boxes_are_cut_and_linked():
    labeller = box_labels(
        frame_boxes([20, 5, 40, 25, 7], [50, 25, 90, 45, 3]),
        frame_boxes([52, 26, 120, 60, 3], [22, 5, 42, 25, 7], [-9, 3, 0, 9, 7]),
    )
    assert isinstance(labeller, Labeller)
    boxes = labeller.label(CLIP)
    np.testing.assert_array_equal(boxes.classes, [7, 3])
    assert boxes.present.all()
    np.testing.assert_array_equal(boxes.corners_px[:, 0], [[20, 5, 40, 25], [22, 5, 42, 25]])
    np.testing.assert_array_equal(boxes.corners_px[1, 1], [52, 26, 100, 50])


def test_nothing_found_is_no_answer():
    with pytest.raises(NoLabelError, match="nothing was found"):
        box_labels(frame_boxes(), frame_boxes([-9, 3, 0, 9, 7])).label(CLIP)
    nobody = np.zeros((0, 17, 3), dtype=np.float32)
    with pytest.raises(NoLabelError, match="nobody was found"):
        PoseLabels(name="p", function=prepared(nobody, nobody)).label(CLIP)


def test_people_are_linked_by_the_joints_that_are_seen():
    ann = np.stack([np.linspace(10, 40, 17), np.linspace(5, 45, 17), np.full(17, 0.9)], axis=1)
    ann = ann.astype(np.float32)
    ann[3] = [900, 900, 0.1]
    ben = ann + np.float32([50, 0, 0])
    hint = ann.copy()
    hint[2:, 2] = 0
    later = np.stack([hint, ben + np.float32([1, 1, 0]), ann + np.float32([2, 2, 0])])
    labeller = PoseLabels(name="p", function=prepared(np.stack([ann, ben]), later))
    assert isinstance(labeller, Labeller)
    poses = labeller.label(CLIP)
    assert poses.visibility.shape == (2, 2, 17)
    np.testing.assert_array_equal(poses.visibility[0, 0], [2, 2, 2, 0] + [2] * 13)
    np.testing.assert_array_equal(poses.positions_px[0, 1, 5], ben[5, :2])
    np.testing.assert_array_equal(poses.positions_px[1, 0, 5], ann[5, :2] + 2)
    np.testing.assert_array_equal(poses.positions_px[1, 1, 5], ben[5, :2] + 1)
    with pytest.raises(ValueError, match="min_joints is 1 to 17, got 0"):
        PoseLabels(name="p", function=prepared(), min_joints=0)


def test_only_boxes_of_one_class_are_linked():
    box = np.array([[0, 0, 10, 10]], dtype=np.float32)
    same = link([box, box], [np.array([1], np.int32), np.array([1], np.int32)])
    other = link([box, box], [np.array([1], np.int32), np.array([2], np.int32)])
    assert [int(numbers[0]) for numbers in same] == [0, 0]
    assert [int(numbers[0]) for numbers in other] == [0, 1]


def test_the_best_box_of_each_thing_stays():
    corners = np.float32([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 0, 60, 10]])
    classes = np.int32([4, 4, 5, 4])
    scores = np.float32([0.6, 0.8, 0.5, 0.7])
    assert list(best_boxes(corners, classes, scores, max_overlap=0.5)) == [1, 3, 2]
    assert list(best_boxes(corners, classes, scores, max_overlap=0.9)) == [1, 3, 0, 2]
    assert not best_boxes(corners[:0], classes[:0], scores[:0], max_overlap=0.5)


class FakeSession:
    """A network that answers by what it is shown."""

    def __init__(self, answer, kind="tensor(int32)"):
        self.answer, self.kind, self.entries = answer, kind, []

    def get_inputs(self):
        return [SimpleNamespace(name="image", type=self.kind)]

    def run(self, names, inputs):
        del names
        self.entries.append(inputs["image"])
        return self.answer(inputs["image"])


def person_at(entry, *, score):
    """What MoveNet gives for a person whose joints are all at the one bright pixel."""
    y, x = np.argwhere(entry[0, ..., 0] == entry.max())[0] + 0.5
    y, x = y / entry.shape[1], x / entry.shape[2]
    people = np.zeros((1, 6, 56), dtype=np.float32)
    people[0, 2, :51] = np.tile([y, x, 0.9], 17)
    people[0, 2, 51:] = [y - 0.2, x - 0.1, y + 0.2, x + 0.1, score]
    return [people]


def test_joints_come_back_to_where_the_frame_has_them(monkeypatch, tmp_path):
    frame = np.zeros((60, 110, 3), dtype=np.uint8)
    frame[20:30, 80:90] = 255  # bright enough when the frame is small
    session = FakeSession(lambda entry: person_at(entry, score=0.8 - entry.shape[2] / 1000))
    monkeypatch.setattr(movenet, "open_session", lambda path: session)
    network = MoveNet(path=tmp_path / "p.json", sides_px=(48, 110, 200))
    people = network(frame)
    assert [entry.shape for entry in session.entries] == [
        (1, 32, 64, 3), (1, 64, 128, 3), (1, 128, 224, 3),
    ]  # fmt: skip
    assert session.entries[0].dtype == np.int32
    # One person of three looks, from the first, which had the highest score.
    assert people.shape == (1, 17, 3)
    x, y, score = people[0, 5]
    assert 80 <= x <= 90
    assert 20 <= y <= 30
    assert score == np.float32(0.9)
    assert "_session" not in vars(pickle.loads(pickle.dumps(network)))


def test_another_network_than_movenet_is_refused(monkeypatch, tmp_path):
    network = MoveNet(path=tmp_path / "p.json")
    session = FakeSession(lambda entry: [np.zeros((1, 17, 3), dtype=np.float32)])
    monkeypatch.setattr(movenet, "open_session", lambda path: session)
    with pytest.raises(ValueError, match=r"\(1, n, 56\) is needed"):
        network(CLIP.pixels[0])
    session.kind = "tensor(double)"
    with pytest.raises(ValueError, match=r"takes tensor\(double\)"):
        network(CLIP.pixels[0])


def grids(side_px, *boxes, bins=8):
    """What NanoDet gives for boxes (left, top, right, bottom, place of the class, score)."""
    outputs = []
    for stride in (8, 16, 32):
        cells = side_px // stride
        scores = np.zeros((1, cells * cells, 80), dtype=np.float32)
        edges = np.zeros((1, cells * cells, 4, bins), dtype=np.float32)
        for *corners, place, score in boxes:
            left, top, right, bottom = (number / stride for number in corners)
            x, y = int((left + right) / 2), int((top + bottom) / 2)
            away = np.array([x + 0.5 - left, y + 0.5 - top, right - x - 0.5, bottom - y - 0.5])
            if (away > bins - 1).any() or (stride > 8 and (away < 2).all()):
                continue
            scores[0, y * cells + x, place] = score
            # Between two bins, in inverse proportion to how far each is away.
            low = away.astype(int)
            logits = np.full((4, bins), -50.0)
            logits[range(4), low] = np.log(np.maximum(1 - (away - low), 1e-12))
            logits[range(4), np.minimum(low + 1, bins - 1)] = np.log(np.maximum(away - low, 1e-12))
            edges[0, y * cells + x] = logits
        outputs += [scores, edges.reshape(1, cells * cells, -1)]
    return outputs


def test_boxes_come_back_to_where_the_frame_has_them(monkeypatch, tmp_path):
    # A frame of 50 x 100 enters 96 x 96 at 48 x 96, with 24 rows of black above and below.
    car = (12.0, 30.0, 30.0, 52.0, 2, 0.9)
    toothbrush = (50.0, 40.0, 92.0, 70.0, 79, 0.7)
    faint = (5.0, 30.0, 20.0, 40.0, 0, 0.3)
    session = FakeSession(lambda entry: grids(96, car, toothbrush, faint), kind="tensor(float)")
    monkeypatch.setattr(nanodet, "open_session", lambda path: session)
    frame = np.full((50, 100, 3), (10, 20, 30), dtype=np.uint8)
    network = NanoDet(path=tmp_path / "n.json", side_px=96)
    found = network(frame)
    assert [COCO_CLASSES[number] for number in found.classes] == ["car", "toothbrush"]
    scale = np.array([100 / 96, 50 / 48] * 2)
    expected = (np.array([car[:4], toothbrush[:4]]) - [0, 24, 0, 24]) * scale
    np.testing.assert_allclose(found.corners_px, expected, atol=0.05)
    (entry,) = session.entries
    assert entry.shape == (1, 3, 96, 96)
    assert entry.dtype == np.float32
    levels = entry[0, :, [0, 48], 5] * [57.375, 57.12, 58.395] + [103.53, 116.28, 123.675]
    np.testing.assert_allclose(levels, [[0, 0, 0], [30, 20, 10]], atol=1e-4)  # blue first
    assert "_session" not in vars(pickle.loads(pickle.dumps(network)))


def test_another_network_than_nanodet_is_refused(monkeypatch, tmp_path):
    session = FakeSession(lambda entry: grids(96)[:3], kind="tensor(float)")
    monkeypatch.setattr(nanodet, "open_session", lambda path: session)
    with pytest.raises(ValueError, match=r"pairs of \(1, n, 80\) and \(1, n, 4 bins\)"):
        NanoDet(path=tmp_path / "n.json", side_px=96)(CLIP.pixels[0])


def test_classes_have_the_numbers_of_coco():
    assert len(COCO_CLASSES) == 80
    known = {1: "person", 13: "stop sign", 44: "bottle", 67: "dining table", 90: "toothbrush"}
    assert known.items() <= COCO_CLASSES.items()
    assert 12 not in COCO_CLASSES
