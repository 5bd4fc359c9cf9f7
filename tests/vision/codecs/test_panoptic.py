import numpy as np
import pytest

from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.palette import class_colours
from lavin_dit.vision.codecs.panoptic import Panoptic, PanopticCodec, PanopticKey


def blocks(classes, columns=6, cell=16):
    """A grid of touching squares, one per class given."""
    classes = np.array(classes, dtype=np.int32)
    rows = -(-len(classes) // columns)
    ids = np.zeros((1, rows * cell, columns * cell), dtype=np.int32)
    for index in range(len(classes)):
        top, left = divmod(index, columns)
        ids[:, top * cell : (top + 1) * cell, left * cell : (left + 1) * cell] = index + 1
    return Panoptic(ids=ids, classes=classes)


def class_map(panoptic):
    return np.concatenate([[-1], panoptic.classes])[panoptic.ids]


def reread(truth, codec=None, key=None):
    codec = codec or PanopticCodec()
    picture, painted = codec.paint(truth, key=key)
    degraded = degrade(picture, generator=np.random.default_rng(0))
    return painted, codec.read(degraded, key=painted)


def test_all_hues_and_shades_are_read():
    truth = blocks([70 + index % 12 for index in range(60)])
    key, read = reread(truth)
    assert len(read.classes) == 60
    assert key.shared == ()
    assert np.mean(class_map(read) == class_map(truth)) > 0.97


def test_a_class_has_one_hue_in_all_pairs_of_an_episode():
    codec = PanopticCodec()
    key = PanopticKey(classes=(9, 2, 5))
    one, _ = codec.paint(blocks([2, 2, 9]), key=key)
    two, _ = codec.paint(blocks([5, 2, 2]), key=key)
    table = class_colours(num_hues=12, num_shades=5).reshape(12, 5, 3).tolist()
    assert one[0, 8, 8].tolist() in table[1]
    assert one[0, 8, 40].tolist() in table[0]
    assert two[0, 8, 8].tolist() in table[2]
    assert two[0, 8, 24].tolist() in table[1]


def test_segments_beyond_the_shades_are_told_apart_where_they_do_not_touch():
    ids = np.zeros((1, 40, 130), dtype=np.int32)
    for index in range(8):
        ids[:, 10:30, 4 + 16 * index : 16 + 16 * index] = index + 1
    truth = Panoptic(ids=ids, classes=np.full(8, 4, dtype=np.int32))
    key, read = reread(truth)
    assert len(key.shared) == 3
    assert len(read.classes) == 8
    assert set(read.classes) == {4}


def test_a_segment_in_two_parts_stays_one_unless_its_shade_is_shared():
    ids = np.ones((1, 40, 60), dtype=np.int32)
    ids[:, :, 28:34] = 2
    truth = Panoptic(ids=ids, classes=np.array([3, 8], dtype=np.int32))
    _, read = reread(truth)
    assert len(read.classes) == 2


def test_without_a_key_classes_are_numbered_by_hue():
    truth = blocks([0, 1, 2, 3, 11])
    codec = PanopticCodec()
    picture, _ = codec.paint(truth, key=PanopticKey(classes=tuple(range(12))))
    read = codec.read(degrade(picture, generator=np.random.default_rng(0)))
    assert sorted(read.classes.tolist()) == [0, 1, 2, 3, 11]


def test_unlabelled_pixels_stay_unlabelled():
    ids = np.zeros((1, 30, 40), dtype=np.int32)
    ids[:, 5:25, 5:20] = 1
    _, read = reread(Panoptic(ids=ids, classes=np.array([6], dtype=np.int32)))
    assert np.mean((read.ids > 0) == (ids > 0)) > 0.99


def test_an_empty_picture_has_no_segments():
    nothing = Panoptic(
        ids=np.zeros((1, 9, 13), dtype=np.int32), classes=np.zeros(0, dtype=np.int32)
    )
    picture, key = PanopticCodec().paint(nothing)
    assert picture.max() == 0
    assert len(PanopticCodec().read(picture, key=key).classes) == 0


def test_bad_segments_and_keys_are_refused():
    with pytest.raises(ValueError, match="0 to 1, the number of classes"):
        Panoptic(ids=np.full((1, 2, 3), 2, dtype=np.int32), classes=np.zeros(1, dtype=np.int32))
    with pytest.raises(ValueError, match="two hues"):
        PanopticKey(classes=(3, 3))
    many = blocks(list(range(13)))
    with pytest.raises(ValueError, match="13 classes do not fit into 12 hues"):
        PanopticCodec().paint(many)
    assert len(reread(many, PanopticCodec(num_hues=13))[1].classes) == 13
    with pytest.raises(ValueError, match=r"no hue for classes \[1, 2\]"):
        PanopticCodec().paint(blocks([0, 1, 2]), key=PanopticKey(classes=(0,)))
