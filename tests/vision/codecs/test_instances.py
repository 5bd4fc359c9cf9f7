import numpy as np
import pytest

from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.instances import InstanceCodec, InstanceKey, Instances


def blocks(rows, columns, *, cell=16, gap=2, frames=1):
    """A grid of squares, numbered in reading order."""
    ids = np.zeros((frames, rows * cell + gap, columns * cell + gap), dtype=np.int32)
    for index in range(rows * columns):
        top, left = divmod(index, columns)
        down, right = top * cell + gap, left * cell + gap
        ids[:, down : down + cell - gap, right : right + cell - gap] = index + 1
    return Instances(ids=ids)


def reread(truth, codec=None, **options):
    codec = codec or InstanceCodec()
    picture, key = codec.paint(truth)
    degraded = degrade(picture, generator=np.random.default_rng(0))
    return key, codec.read(degraded, **({"key": key} | options))


def test_touching_instances_of_all_colours_are_read():
    truth = blocks(4, 6, gap=0)
    key, read = reread(truth)
    assert len(set(key.colours)) == 24
    assert read.names == truth.names
    assert np.mean(read.ids == truth.ids) > 0.98


def test_an_instance_behind_a_pole_stays_one():
    ids = np.zeros((1, 40, 60), dtype=np.int32)
    ids[:, 10:30, 5:55] = 3
    ids[:, :, 28:34] = 8
    _, read = reread(Instances(ids=ids))
    assert np.mean(read.ids == ids) > 0.99


def test_numbers_with_gaps_come_back():
    ids = np.zeros((1, 30, 50), dtype=np.int32)
    ids[:, 5:25, 5:20] = 1_000_003
    ids[:, 5:25, 30:45] = 17
    _, read = reread(Instances(ids=ids))
    assert read.names == (17, 1_000_003)
    assert np.mean(read.ids == ids) > 0.99


def test_beyond_the_palette_instances_that_do_not_touch_are_told_apart():
    truth = blocks(6, 8, gap=4)
    key, read = reread(truth)
    assert len(key.names) == 48
    assert len(set(key.colours)) == 24
    assert len(read.names) == 48
    # Their numbers may be exchanged among those that share a colour.
    for name in truth.names:
        match = np.bincount(read.ids[truth.ids == name]).argmax()
        one, two = truth.ids == name, read.ids == match
        assert np.sum(one & two) / np.sum(one | two) > 0.9


def test_a_shared_colour_follows_its_instances_through_a_clip():
    truth = blocks(6, 8, gap=4, frames=3)
    key, read = reread(truth)
    assert len(read.names) == 48
    for frame in (1, 2):
        assert np.mean(read.ids[frame] == read.ids[0]) > 0.98
    assert set(read.names) == set(key.names)


def test_without_a_key_patches_are_instances_unless_colours_are():
    ids = np.zeros((1, 40, 60), dtype=np.int32)
    ids[:, 10:30, 5:55] = 3
    ids[:, :, 28:34] = 8
    codec = InstanceCodec()
    _, read = reread(Instances(ids=ids), key=None)
    assert len(read.names) == 3
    assert read.names == (1, 2, 3)
    _, read = reread(Instances(ids=ids), InstanceCodec(split=False), key=None)
    assert len(read.names) == 2
    assert codec.split


def test_without_a_key_a_fast_or_hidden_object_is_followed_through_a_clip():
    ids = np.zeros((5, 64, 64), dtype=np.int32)
    for frame in range(5):
        ids[frame, 5:15, 12 * frame : 12 * frame + 10] = 1
        if frame != 2:
            ids[frame, 30:50, 20:40] = 2
    _, read = reread(Instances(ids=ids), key=None)
    assert read.names == (1, 2)
    for name in (1, 2):
        places = [np.nonzero((ids == name).any(axis=(1, 2)))[0].tolist()]
        number = np.unique(read.ids[ids == name])
        places.append(np.nonzero((read.ids == number[-1]).any(axis=(1, 2)))[0].tolist())
        assert places[0] == places[1]


def test_without_a_key_patches_that_are_seen_together_are_two_objects():
    ids = np.zeros((3, 40, 60), dtype=np.int32)
    ids[:, 10:30, 5:55] = 3
    ids[1, :, 28:34] = 8  # a pole that passes: the frame in between has two parts
    _, read = reread(Instances(ids=ids), key=None)
    assert len(read.names) == 2
    ids[0, :, 28:34] = ids[2, :, 28:34] = 8
    _, read = reread(Instances(ids=ids), key=None)
    assert len(read.names) == 3


def test_instances_keep_their_colours_through_a_clip(scene):
    picture, key = InstanceCodec().paint(scene[Instances])
    for name in key.names:
        colours = np.unique(picture[scene[Instances].ids == name], axis=0)
        assert len(colours) == 1


def test_colours_do_not_depend_on_the_numbers():
    """The same scene with other numbers is painted the same: numbers are names."""
    truth = blocks(4, 5)
    order = np.random.default_rng(0).permutation(21)[np.newaxis].ravel()
    order = np.concatenate([[0], 100 + order])[: 21 + 1]
    renamed = Instances(ids=np.where(truth.ids > 0, order[truth.ids], 0).astype(np.int32))
    one, _ = InstanceCodec().paint(truth)
    two, _ = InstanceCodec().paint(renamed)
    # Squares of one size choose in the order of their numbers only where two places tie.
    assert np.mean((one == two).all(axis=-1)) > 0.8


def test_nothing_is_painted_black_and_read_as_nothing():
    nothing = Instances(ids=np.zeros((2, 9, 13), dtype=np.int32))
    picture, key = InstanceCodec().paint(nothing)
    assert picture.max() == 0
    assert InstanceCodec().read(picture, key=key).names == ()
    assert InstanceCodec().read(picture).names == ()


def test_a_frame_full_of_one_instance_is_read_without_a_key():
    picture, _ = InstanceCodec().paint(Instances(ids=np.full((1, 20, 30), 5, dtype=np.int32)))
    assert InstanceCodec().read(picture).names == (1,)


def test_bad_instances_and_keys_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        Instances(ids=np.full((1, 2, 3), -1, dtype=np.int32))
    with pytest.raises(ValueError, match="2 instances but 1 colours"):
        InstanceKey(names=(1, 2), colours=(0,))
    with pytest.raises(ValueError, match="0 to 23"):
        InstanceKey(names=(1,), colours=(24,))
    with pytest.raises(ValueError, match=r"no colour for instances \[2, 3, 4\]"):
        InstanceCodec().paint(blocks(2, 2), key=InstanceKey(names=(1,), colours=(0,)))
