"""Targets of an episode in other colours, the same for all of its pairs."""

from dataclasses import replace

import numpy as np
import pytest

from lavin_dit.data.augment import RandomFraming
from lavin_dit.data.episodes import EpisodeDrawer
from lavin_dit.data.mixture import BatchSettings, Mixture, MixtureEntry
from lavin_dit.data.recolouring import Recolouring, can_be_recoloured, draw_recolouring
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import discover_tasks, find_task
from scene_source import SceneSource

FRAMING = RandomFraming(size=Size(height=24, width=32))
OLD = Recolouring(channels=(0, 1, 2), black=(0.0, 0.0, 0.0), white=(1.0, 1.0, 1.0))


def episodes(task, *, recolour, seeds=range(1)):
    drawer = EpisodeDrawer(find_task(task), SceneSource(), framing=FRAMING, recolour=recolour)
    return [drawer.episode(np.random.default_rng(seed), num_pairs=3) for seed in seeds]


def pairs_of(episode):
    return *episode.context, episode.query


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)


def test_the_old_colours_leave_a_picture_as_it_is():
    np.testing.assert_array_equal(OLD(picture()), picture())


def test_white_and_black_change_places():
    inverted = replace(OLD, black=OLD.white, white=OLD.black)
    np.testing.assert_array_equal(inverted(picture()), 255 - picture())


def test_channels_change_places():
    turned = replace(OLD, channels=(2, 0, 1))
    np.testing.assert_array_equal(turned(picture()), picture()[..., [2, 0, 1]])


@pytest.mark.parametrize("seed", range(12))
def test_colours_can_be_taken_back(seed):
    drawn = draw_recolouring(np.random.default_rng(seed))
    back = drawn.undone(drawn(picture(seed)))
    assert np.abs(back.astype(int) - picture(seed)).max() <= 2
    assert drawn.undone(picture(seed)).shape == picture().shape


def test_colours_that_none_becomes_go_to_the_nearest():
    half = replace(OLD, black=(0.5, 0.5, 0.5))
    grey = np.array([0, 100, 128, 255], dtype=np.uint8)[None, None, :, None].repeat(3, axis=-1)
    assert half.undone(grey)[0, 0, :, 0].tolist() == [0, 0, 1, 255]


def test_a_grey_picture_gets_two_colours_and_what_lies_between():
    ramp = np.array([0, 85, 255], dtype=np.uint8)[None, None, :, None].repeat(3, axis=-1)
    coloured = Recolouring(channels=(0, 1, 2), black=(1.0, 0.0, 0.2), white=(0.0, 0.6, 0.8))(ramp)
    np.testing.assert_array_equal(coloured[0, 0], [[255, 0, 51], [170, 51, 102], [0, 153, 204]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": (0, 0, 1)}, "channels must be 0, 1 and 2 in some order"),
        ({"black": (0.0, 1.0, 0.0)}, "differ in each channel"),
        ({"white": (1.0, 1.2, 1.0)}, "must lie in .0, 1."),
    ],
)
def test_colours_that_lose_the_old_ones_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(OLD, **changes)


def test_drawn_colours_can_be_told_apart():
    drawn = [draw_recolouring(np.random.default_rng(seed)) for seed in range(300)]
    ends = np.array([(one.black, one.white) for one in drawn])
    assert ends.min() >= 0.0
    assert ends.max() <= 1.0
    assert np.abs(ends[:, 0] - ends[:, 1]).min() >= 0.3 - 1e-9
    assert len({one.channels for one in drawn}) == 6
    is_inverted = (ends[:, 0] > ends[:, 1]).mean()
    is_grey = (np.ptp(ends, axis=2) == 0).all(axis=1).mean()
    assert 0.4 < is_inverted < 0.6
    assert 0.4 < is_grey < 0.6


@pytest.mark.parametrize("task", ["depth_estimation", "instance_segmentation", "edge_detection"])
def test_all_pairs_of_an_episode_get_the_same_colours(task):
    seeds = range(5)
    own = episodes(task, recolour=0.0, seeds=seeds)
    other = episodes(task, recolour=1.0, seeds=seeds)
    changed = 0
    for one, two in zip(own, other, strict=True):
        colours = {}
        for before, after in zip(pairs_of(one), pairs_of(two), strict=True):
            np.testing.assert_array_equal(before.input, after.input)
            for old, new in zip(
                before.target.reshape(-1, 3).tolist(),
                after.target.reshape(-1, 3).tolist(),
                strict=True,
            ):
                assert colours.setdefault(tuple(old), tuple(new)) == tuple(new)
        changed += any(old != new for old, new in colours.items())
        assert two.is_recoloured
        assert not one.is_recoloured
        assert two.rule is None
        assert all(pair.key is None for pair in pairs_of(two))
    assert changed >= 4


def test_as_many_episodes_as_asked_for():
    seeds = range(60)
    own = episodes("depth_estimation", recolour=0.0, seeds=seeds)
    some = episodes("depth_estimation", recolour=0.5, seeds=seeds)
    same = [
        np.array_equal(one.query.target, two.query.target)
        for one, two in zip(own, some, strict=True)
    ]
    assert 0.3 < np.mean(same) < 0.7


def test_photos_keep_their_colours():
    kept = {name for name, task in discover_tasks().items() if not can_be_recoloured(task)}
    assert {"colorization", "deraining", "depth_to_image", "frame_prediction"} <= kept
    assert not kept & {"depth_estimation", "edge_detection", "optical_flow", "pose_estimation"}
    own, asked = (episodes("colorization", recolour=share)[0] for share in (0.0, 1.0))
    np.testing.assert_array_equal(own.query.target, asked.query.target)


def test_batches_of_a_mixture_are_recoloured():
    entry = MixtureEntry(task=find_task("depth_estimation"), source=SceneSource())
    settings = BatchSettings(batch_size=4, framing=FRAMING, max_pairs=2)
    own, other = (
        Mixture([entry], settings=replace(settings, recolour=share), seed=0) for share in (0.0, 1.0)
    )
    assert own.fingerprint != other.fingerprint
    np.testing.assert_array_equal(own.batch(0).query, other.batch(0).query)
    targets = other.batch(0).target
    assert (targets != own.batch(0).target).any(axis=(1, 2, 3, 4)).sum() >= 3
    assert (np.ptp(targets, axis=-1) > 0).any()


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match=f"recolour must lie in .0, 1., got {share}"):
        BatchSettings(batch_size=4, framing=FRAMING, recolour=share)
