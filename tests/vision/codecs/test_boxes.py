import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lavin_dit.vision.codecs.boxes import BoxCodec, Boxes, BoxKey
from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.palette import CLASS_LINES, LINE_COLOURS
from lavin_dit.vision.geometry import Size

SIZE = Size(height=187, width=239)
MEETING = {
    "touching": [[20, 30, 80, 90], [80, 30, 150, 90], [20, 90, 80, 140]],
    "overlapping": [[20, 30, 120, 110], [70, 60, 200, 160], [100, 20, 140, 170]],
    "nested": [[20, 20, 200, 160], [50, 50, 120, 110], [70, 70, 100, 95]],
    "crossing": [[90, 5, 110, 180], [10, 80, 230, 100]],
    "at the border": [[0, 0, 60, 50], [180, 140, 239, 187], [100, 0, 140, 187]],
    "between pixels": [[20.5, 30.25, 80.75, 90.5], [120.1, 40.9, 160.4, 99.3]],
}


def boxes(corners, classes=None, size=SIZE):
    corners = np.array(corners, dtype=np.float32).reshape(-1, len(corners), 4)
    return Boxes(
        corners_px=corners,
        present=np.ones(corners.shape[:2], dtype=bool),
        classes=np.array(classes or range(corners.shape[1]), dtype=np.int32),
        size=size,
    )


def iou(one, two):
    low, high = np.maximum(one, two)[..., :2], np.minimum(one, two)[..., 2:]
    both = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(box[..., 2:] - box[..., :2], axis=-1) for box in (one, two)]
    return both / (areas[0] + areas[1] - both)


def reread(truth, seed=0, codec=None, key=None):
    codec = codec or BoxCodec()
    picture, painted = codec.paint(truth, key=key)
    return codec.read(degrade(picture, generator=np.random.default_rng(seed)), key=key or painted)


def test_a_crowded_scene_is_read(scene, generator):
    codec, truth = BoxCodec(), scene[Boxes]
    picture, key = codec.paint(truth)
    read = codec.read(degrade(picture, generator=generator), key=key)
    np.testing.assert_array_equal(read.classes, truth.classes)
    assert np.mean(read.present == truth.present) > 0.98
    both = truth.present & read.present
    overlaps = iou(truth.corners_px, read.corners_px)[both]
    assert overlaps.mean() > 0.93
    assert np.median(overlaps) > 0.97
    assert np.median(np.abs(truth.corners_px - read.corners_px)[both]) < 0.1


@given(
    left=st.floats(0, 190),
    top=st.floats(0, 140),
    width=st.floats(14, 120),
    height=st.floats(14, 120),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=40, deadline=None)
def test_a_box_alone_is_read_to_a_fraction_of_a_pixel(left, top, width, height, seed):
    right, bottom = min(left + width, SIZE.width), min(top + height, SIZE.height)
    truth = boxes([[left, top, right, bottom]])
    read = reread(truth, seed)
    assert np.abs(truth.corners_px - read.corners_px).max() < 0.35


@pytest.mark.parametrize("corners", MEETING.values(), ids=MEETING)
@pytest.mark.parametrize("seed", [0, 1])
def test_touching_and_overlapping_boxes_are_read(corners, seed):
    truth = boxes(corners)
    read = reread(truth, seed)
    assert read.present.all()
    assert iou(truth.corners_px, read.corners_px).min() > 0.95


def test_lines_that_a_stronger_blur_has_dimmed_are_read():
    truth = boxes([[12 + 31 * i, 20, 36 + 31 * i, 60 + 12 * i] for i in range(7)])
    codec = BoxCodec()
    for offset in (0, 7, 14, 17):
        key = BoxKey(colours=tuple(range(offset, offset + 7)), classes=tuple(range(7)))
        picture, _ = codec.paint(truth, key=key)
        degraded = degrade(
            picture, generator=np.random.default_rng(0), noise_levels=8.0, blur_px=1.0
        )
        read = codec.read(degraded, key=key)
        assert read.present.all()
        assert iou(truth.corners_px, read.corners_px).min() > 0.9


def test_boxes_are_followed_through_a_clip_and_may_leave_it():
    corners = np.array([[[10 + 9 * t, 20, 60 + 9 * t, 70], [120, 90, 180, 150]] for t in range(4)])
    present = np.array([[True, True], [True, False], [True, True], [False, True]])
    truth = Boxes(
        corners_px=corners.astype(np.float32),
        present=present,
        classes=np.array([7, 3], dtype=np.int32),
        size=SIZE,
    )
    read = reread(truth)
    np.testing.assert_array_equal(read.present, present)
    np.testing.assert_array_equal(read.classes, [7, 3])
    np.testing.assert_allclose(read.corners_px[present], corners[present], atol=0.4)


def test_without_a_key_boxes_are_found_without_their_class():
    truth = boxes([[20, 30, 80, 90], [120, 60, 200, 160]])
    codec = BoxCodec()
    picture, _ = codec.paint(truth)
    read = codec.read(degrade(picture, generator=np.random.default_rng(2)))
    assert read.classes.tolist() == [-1, -1]
    best = iou(truth.corners_px[0][:, None], read.corners_px[0][None]).max(axis=1)
    assert best.min() > 0.97


def test_a_key_per_class_reads_any_number_of_boxes():
    context = BoxKey(colours=(6, 2), classes=(40, 41), per_class=True)
    truth = boxes([[20, 30, 70, 90], [90, 30, 150, 90], [30, 110, 120, 170]], [41, 40, 41])
    codec = BoxCodec()
    picture, key = codec.paint(truth, key=context)
    assert key == context
    read = codec.read(degrade(picture, generator=np.random.default_rng(2)), key=context)
    assert sorted(read.classes.tolist()) == [40, 41, 41]
    for box, number in zip(truth.corners_px[0], truth.classes, strict=True):
        same = read.classes == number
        assert iou(box, read.corners_px[0, same]).max() > 0.97
    with pytest.raises(ValueError, match=r"no colour for classes \[99\]"):
        codec.paint(boxes([[20, 30, 70, 90]], [99]), key=context)


@pytest.mark.parametrize("group", range(8))
@pytest.mark.parametrize("corners", MEETING.values(), ids=MEETING)
def test_boxes_of_one_class_that_meet_are_read_apart(group, corners):
    truth = boxes(corners, [5] * len(corners))
    key = BoxKey(colours=(group,), classes=(5,), per_class=True)
    read = reread(truth, seed=group, key=key)
    assert read.classes.tolist() == truth.classes.tolist()
    best = iou(truth.corners_px[0][:, None], read.corners_px[0][None]).max(axis=1)
    assert best.min() > 0.9


def test_boxes_of_one_class_apart_have_its_first_colour():
    truth = boxes([[20, 20, 200, 160], [60, 60, 120, 110], [212, 4, 235, 40]], [5, 5, 5])
    key = BoxKey(colours=(2,), classes=(5,), per_class=True)
    picture, _ = BoxCodec().paint(truth, key=key)
    seen = np.unique(picture.reshape(-1, 3), axis=0)
    np.testing.assert_array_equal(seen, [[0, 0, 0], LINE_COLOURS[CLASS_LINES[2, 0]]])


def test_a_box_that_others_cut_in_pieces_is_read_as_one():
    truth = boxes([[30, 40, 200, 120], [90, 20, 140, 42], [80, 118, 150, 160]])
    codec = BoxCodec()
    picture, _ = codec.paint(truth)
    read = codec.read(degrade(picture, generator=np.random.default_rng(3)))
    assert len(read.classes) == 3
    best = iou(truth.corners_px[0][:, None], read.corners_px[0][None]).max(axis=1)
    assert best.min() > 0.95


def test_more_boxes_than_colours_share_them_when_apart():
    corners = [
        [8 + 38 * column, 8 + 35 * row, 34 + 38 * column, 32 + 35 * row]
        for row in range(5)
        for column in range(6)
    ]
    truth = boxes(corners)
    codec = BoxCodec()
    picture, key = codec.paint(truth)
    assert len(set(key.colours)) == 24
    read = codec.read(degrade(picture, generator=np.random.default_rng(0)), key=key)
    assert read.present.all()
    best = iou(truth.corners_px[0][:, None], read.corners_px[0][None]).max(axis=1)
    assert best.min() > 0.93


def test_no_boxes_are_painted_black_and_read_as_none():
    none = Boxes(
        corners_px=np.zeros((2, 0, 4), dtype=np.float32),
        present=np.zeros((2, 0), dtype=bool),
        classes=np.zeros(0, dtype=np.int32),
        size=SIZE,
    )
    picture, key = BoxCodec().paint(none)
    assert picture.max() == 0
    assert BoxCodec().read(picture, key=key).present.shape == (2, 0)
    assert BoxCodec().read(picture).present.shape == (2, 0)


def test_bad_boxes_and_keys_are_refused():
    with pytest.raises(ValueError, match="right and bottom must exceed"):
        boxes([[20, 30, 20, 90]])
    with pytest.raises(ValueError, match="2 boxes cannot paint 1"):
        BoxCodec().paint(boxes([[2, 3, 20, 30]]), key=BoxKey(colours=(0, 1), classes=(0, 1)))
    with pytest.raises(ValueError, match="1 colours but 2 classes"):
        BoxKey(colours=(0,), classes=(0, 1))
    with pytest.raises(ValueError, match="0 to 23"):
        BoxKey(colours=(24,), classes=(0,))
    with pytest.raises(ValueError, match="0 to 7"):
        BoxKey(colours=(8,), classes=(0,), per_class=True)
    with pytest.raises(ValueError, match="may repeat"):
        BoxKey(colours=(1, 1), classes=(0, 2), per_class=True)
    with pytest.raises(ValueError, match="at least 1"):
        BoxCodec(line_px=0)
