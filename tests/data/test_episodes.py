import pickle
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from lavin_dit.data.augment import CentralFraming, RandomFraming
from lavin_dit.data.episodes import EpisodeDrawer, NoEpisodeError
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.episode import Episode
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import Pair, find_task
from scene_source import SceneSource

SIZE = Size(height=31, width=37)
DEPTH = find_task("depth_estimation")


def drawer(source, *, task=DEPTH, **settings):
    return EpisodeDrawer(task, source, framing=RandomFraming(size=SIZE), **settings)


def assert_same(left, right):
    assert left.context_names == right.context_names
    assert left.query_name == right.query_name
    for one, other in zip((*left.context, left.query), (*right.context, right.query), strict=True):
        np.testing.assert_array_equal(one.input, other.input)
        np.testing.assert_array_equal(one.target, other.target)
        assert one.key == other.key


@pytest.mark.parametrize("num_pairs", [1, 8])
def test_episode_is_as_asked_for(num_pairs):
    episode = drawer(SceneSource()).episode(np.random.default_rng(0), num_pairs=num_pairs, query=5)
    assert episode.num_pairs == num_pairs
    assert (episode.task, episode.source) == ("depth_estimation", "scenes")
    assert episode.query_name == "scene 5"
    assert "scene 5" not in episode.context_names
    assert len(set(episode.context_names)) == num_pairs
    assert episode.query.input.shape == (1, 31, 37, 3)
    assert episode.query.input.dtype == episode.query.target.dtype == np.uint8
    assert episode.query.key is not None
    assert len(episode.context_inputs) == len(episode.context_targets) == num_pairs


def test_the_query_is_never_its_own_context():
    small = drawer(SceneSource(length=3))
    for seed in range(30):
        episode = small.episode(np.random.default_rng(seed), num_pairs=2)
        assert len({*episode.context_names, episode.query_name}) == 3


def test_same_generator_same_episode():
    source = SceneSource(unusable=frozenset({3, 9}), empty=frozenset({1, 4}))
    first, second = (
        drawer(source).episode(np.random.default_rng(11), num_pairs=6, query=1) for _ in range(2)
    )
    assert_same(first, second)


def test_input_and_target_see_the_same_window():
    task = find_task("depth_to_image")
    forward = drawer(SceneSource()).episode(np.random.default_rng(3), num_pairs=3)
    backward = drawer(SceneSource(), task=task).episode(np.random.default_rng(3), num_pairs=3)
    assert forward.context_names == backward.context_names
    for one, other in zip(forward.context, backward.context, strict=True):
        np.testing.assert_array_equal(one.input, other.target)
        np.testing.assert_array_equal(one.target, other.input)


def test_rejected_samples_are_replaced_and_counted():
    source = SceneSource(length=12, unusable=frozenset({3, 5}), empty=frozenset({1, 4}))
    skipped = Counter()
    for seed in range(10):
        episode = drawer(source).episode(
            np.random.default_rng(seed), num_pairs=4, query=seed % 6, skipped=skipped
        )
        names = {*episode.context_names, episode.query_name}
        assert len(names) == 5
        assert names.isdisjoint({f"scene {index}" for index in (1, 3, 4, 5)})
    assert set(skipped) == {
        "depth_estimation from scenes: photo is torn",
        "depth_estimation from scenes: no pixel has a depth",
    }
    assert min(skipped.values()) > 1


def test_a_source_without_enough_usable_samples_says_why():
    source = SceneSource(length=6, unusable=frozenset(range(4)))
    with pytest.raises(NoEpisodeError, match=r"from 6 samples.*rejected: 4 x photo is torn"):
        drawer(source).episode(np.random.default_rng(0), num_pairs=2)


def test_giving_up_after_too_many_rejections():
    source = SceneSource(length=50, unusable=frozenset(range(48)))
    with pytest.raises(NoEpisodeError, match="15 x photo is torn"):
        drawer(source, max_rejections=7).episode(np.random.default_rng(0), num_pairs=1)


def test_bugs_are_not_taken_for_bad_samples():
    class Broken(SceneSource):
        def __getitem__(self, index):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drawer(Broken()).episode(np.random.default_rng(0), num_pairs=1)


def test_context_comes_from_the_given_block():
    episode = drawer(SceneSource()).episode(
        np.random.default_rng(0), num_pairs=3, query=12, among=range(10, 14)
    )
    names = {*episode.context_names, episode.query_name}
    assert names == {f"scene {index}" for index in range(10, 14)}


def test_rules_are_shared_and_recorded():
    source = SceneSource(kinds=(Instances,))
    task = find_task("instance_segmentation")
    episode = drawer(source, task=task).episode(np.random.default_rng(0), num_pairs=3)
    assert (episode.rule is None) == (task.rule_type is None)


def test_video_episodes_take_some_of_the_frames():
    task = replace(find_task("video_depth"), num_frames=5)
    source = SceneSource(length=4, num_frames=8)
    episode = drawer(source, task=task).episode(np.random.default_rng(0), num_pairs=2)
    assert episode.query.input.shape == episode.context[1].target.shape == (5, 31, 37, 3)
    frames = {
        drawer(source, task=task).read(0, generator=np.random.default_rng(seed))[Depth].metres.sum()
        for seed in range(12)
    }
    assert len(frames) > 3


def test_frame_prediction_sees_fewer_frames_than_it_predicts():
    task = find_task("frame_prediction")
    source = SceneSource(length=3, num_frames=task.num_frames, kinds=())
    episode = drawer(source, task=task).episode(np.random.default_rng(0), num_pairs=1)
    assert len(episode.query.input) == task.num_input_frames
    assert len(episode.query.target) == task.num_frames


def test_clips_that_are_too_short_are_counted():
    source = SceneSource(length=4, num_frames=3)
    skipped = Counter()
    with pytest.raises(NoEpisodeError):
        drawer(source, task=replace(find_task("video_depth"), num_frames=5)).episode(
            np.random.default_rng(0), num_pairs=2, skipped=skipped
        )
    assert skipped == {"video_depth from scenes: fewer than 5 frames": 4}


def test_sources_are_checked():
    with pytest.raises(ValueError, match=r"needs Depth, but scenes \(train\) has Instances"):
        drawer(SceneSource(kinds=(Instances,)))
    with pytest.raises(ValueError, match="at least 2 samples"):
        drawer(SceneSource(length=1))


def test_drawers_travel():
    moved = pickle.loads(pickle.dumps(drawer(SceneSource())))
    assert_same(
        moved.episode(np.random.default_rng(5), num_pairs=2),
        drawer(SceneSource()).episode(np.random.default_rng(5), num_pairs=2),
    )


def test_central_framing_draws_nothing():
    first = EpisodeDrawer(DEPTH, SceneSource(), framing=CentralFraming(size=SIZE))
    samples = [first.read(2, generator=np.random.default_rng(seed)) for seed in range(2)]
    np.testing.assert_array_equal(samples[0].rgb.pixels, samples[1].rgb.pixels)


def pair(height=8):
    clip = np.zeros((1, height, 9, 3), dtype=np.uint8)
    return Pair(input=clip, target=clip, key=None)


def episode_of(context):
    return Episode(
        context=context,
        query=pair(),
        rule=None,
        task="t",
        source="s",
        context_names=tuple(map(str, range(len(context)))),
        query_name="q",
    )


@pytest.mark.parametrize("num_pairs", [0, 9])
def test_number_of_pairs_is_checked(num_pairs):
    with pytest.raises(ValueError, match=f"1 to 8 context pairs, got {num_pairs}"):
        episode_of((pair(),) * num_pairs)


def test_clips_of_an_episode_must_stack():
    with pytest.raises(ValueError, match=r"the pair of '1' has clips of \(1, 7, 9, 3\)"):
        episode_of((pair(), pair(height=7)))


@dataclass(frozen=True, kw_only=True)
class ScenesOfTheirOwn(SceneSource):
    """Scenes that have the ground in common, class 0, and no other class."""

    def __getitem__(self, index):
        sample = SceneSource.__getitem__(self, index)
        panoptic = sample[Panoptic]
        areas = np.bincount(panoptic.ids.ravel(), minlength=len(panoptic.classes) + 1)[1:]
        own = 1 + 100 * index + np.arange(len(areas))
        classes = np.where(areas == areas.max(), 0, own).astype(np.int32)
        return replace(sample, annotations=(replace(panoptic, classes=classes),))


def test_an_episode_about_classes_that_too_few_samples_show_is_about_all():
    source = ScenesOfTheirOwn(kinds=(Panoptic,), things=6)
    task = replace(find_task("panoptic_segmentation"), few_classes=1.0)
    skipped = Counter()
    one = drawer(source, task=task, max_rejections=12)
    episode = one.episode(np.random.default_rng(0), num_pairs=3, skipped=skipped)
    assert 0 in episode.rule.classes
    assert len(episode.rule.classes) > 4
    assert skipped["panoptic_segmentation from scenes: nothing is of the episode's classes"] > 12
    again = one.episode(np.random.default_rng(0), num_pairs=3)
    assert_same(episode, again)
