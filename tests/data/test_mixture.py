from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from lavin_dit.data.augment import RandomFraming
from lavin_dit.data.mixture import BatchSettings, Mixture, MixtureEntry
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import discover_tasks, find_task
from scene_source import SceneSource

SETTINGS = BatchSettings(
    batch_size=6, framing=RandomFraming(size=Size(height=16, width=32)), max_pairs=3
)
PHOTOS = SceneSource(length=10, name="photos", kinds=(), empty=frozenset())
SCENES = SceneSource(length=13, empty=frozenset({2, 3}))
CLIPS = SceneSource(length=5, num_frames=7, name="clips")


def entry(task, source, **settings):
    return MixtureEntry(task=find_task(task), source=source, **settings)


ENTRIES = (
    entry("colorization", PHOTOS, weight=1.0),
    entry("depth_estimation", SCENES, weight=2.0),
    MixtureEntry(task=replace(find_task("video_depth"), num_frames=5), source=CLIPS, weight=1.0),
)


def mixture(entries=ENTRIES, *, seed=0, settings=SETTINGS):
    return Mixture(entries, settings=settings, seed=seed)


def assert_same_batch(left, right):
    assert left.step == right.step
    for name in ("context_inputs", "context_targets", "query", "target"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    assert left.origins == right.origins
    assert left.skipped == right.skipped


def test_batches_stack_and_say_where_they_come_from():
    lengths, pairs = set(), set()
    for step in range(12):
        batch = mixture().batch(step)
        num_pairs, num_frames = batch.context_inputs.shape[1:3]
        assert len(batch) == 6
        assert batch.context_inputs.shape == (6, num_pairs, num_frames, 16, 32, 3)
        assert batch.context_targets.shape == batch.context_inputs.shape
        assert batch.query.shape == batch.target.shape == (6, num_frames, 16, 32, 3)
        assert batch.query.dtype == np.uint8
        assert {len(origin.context_names) for origin in batch.origins} == {num_pairs}
        expected = {"clips"} if num_frames == 5 else {"photos", "scenes"}
        assert {origin.source for origin in batch.origins} <= expected
        lengths.add(num_frames)
        pairs.add(num_pairs)
    assert lengths == {1, 5}
    assert pairs == {1, 2, 3}


def test_any_batch_can_be_made_at_any_time():
    running = mixture()
    batches = [running.batch(step) for step in range(8)]
    for step in (7, 0, 5):
        assert_same_batch(mixture().batch(step), batches[step])
        assert_same_batch(running.batch(step), batches[step])


def test_parts_make_the_whole():
    whole = mixture().batch(4)
    parts = [mixture().batch(4, slots=range(start, start + 2)) for start in (0, 2, 4)]
    np.testing.assert_array_equal(whole.target, np.concatenate([one.target for one in parts]))
    assert whole.origins == tuple(origin for one in parts for origin in one.origins)
    total = sum((Counter(one.skipped) for one in parts), Counter())
    assert total == whole.skipped


def test_the_number_of_cores_does_not_show():
    framing = RandomFraming(size=Size(height=128, width=144))
    settings = replace(SETTINGS, batch_size=2, framing=framing)
    source = SceneSource(length=4, height=170)
    batches = []
    for threads in (1, 4):
        with threadpool_limits(threads):
            running = mixture([entry("depth_estimation", source)], settings=settings)
            batches.append(running.batch(0))
    assert_same_batch(*batches)


def test_seeds_differ():
    assert mixture(seed=1).batch(0).origins != mixture(seed=2).batch(0).origins


def test_proportions_are_the_weights():
    tasks = Counter()
    running = mixture(settings=replace(SETTINGS, batch_size=2, max_pairs=1))
    for step in range(48):
        tasks.update(origin.task for origin in running.batch(step).origins)
    assert tasks["video_depth"] == 24
    assert tasks["depth_estimation"] == pytest.approx(48, abs=6)


def test_every_sample_is_the_query_once_per_epoch():
    running = mixture([entry("colorization", PHOTOS)], settings=replace(SETTINGS, batch_size=5))
    queries = [origin.query_name for step in range(6) for origin in running.batch(step).origins]
    for epoch in range(3):
        assert len(set(queries[epoch * 10 : epoch * 10 + 10])) == 10
    assert queries[:10] != queries[10:20]


def test_blocks_keep_an_episode_together():
    source = SceneSource(length=40, kinds=())
    running = mixture([entry("colorization", source, block_size=10)])
    for step in range(7):
        for origin in running.batch(step).origins:
            indices = [int(name.split()[1]) for name in (*origin.context_names, origin.query_name)]
            assert len({index // 10 for index in indices}) == 1


def test_rejected_samples_are_counted_in_the_batch():
    running = mixture([entry("depth_estimation", SCENES)])
    total = sum((Counter(running.batch(step).skipped) for step in range(5)), Counter())
    assert set(total) == {"depth_estimation from scenes: no pixel has a depth"}


def test_tasks_that_are_held_out_are_refused():
    everything = SceneSource(kinds=tuple(SCENES[0].kinds))
    held_out = [task for task in discover_tasks().values() if task.held_out]
    assert held_out
    for task in held_out:
        with pytest.raises(ValueError, match=f"{task.name} is held out of all training"):
            mixture([MixtureEntry(task=task, source=everything)])


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "at least one task and source"),
        ([entry("depth_estimation", PHOTOS)], "depth_estimation needs Depth, but photos"),
        ([entry("depth_estimation", SceneSource(kinds=(Instances,)))], "has Instances"),
        ([entry("colorization", SceneSource(length=3))], "need 4 samples, but the source has 3"),
        ([entry("colorization", SceneSource(length=0))], "but the source has 0"),
        ([entry("colorization", PHOTOS, weight=0.0)], "above 0"),
        ([entry("colorization", PHOTOS, block_size=7)], "block_size must be at least 8"),
    ],
)
def test_entries_are_checked_at_once(entries, message):
    with pytest.raises(ValueError, match=message):
        mixture(entries)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"min_pairs": 0}, "1 to 8 context pairs, got 0"),
        ({"max_pairs": 9}, "1 to 8 context pairs, got 9"),
        ({"min_pairs": 4}, "min_pairs 4 must not exceed max_pairs 3"),
    ],
)
def test_settings_are_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **wrong)


def test_negative_seeds_are_refused():
    with pytest.raises(ValueError, match="seed must not be negative"):
        mixture(seed=-1)


def test_fingerprints_tell_mixtures_apart():
    prints = {
        mixture().fingerprint,
        mixture(seed=1).fingerprint,
        mixture(ENTRIES[:2]).fingerprint,
        mixture((replace(ENTRIES[0], weight=3.0), *ENTRIES[1:])).fingerprint,
        mixture(settings=replace(SETTINGS, max_pairs=2)).fingerprint,
        mixture(
            (ENTRIES[0], ENTRIES[1], replace(ENTRIES[2], source=replace(CLIPS, length=6)))
        ).fingerprint,
        mixture((replace(ENTRIES[0], source_settings=("size=96x96",)), *ENTRIES[1:])).fingerprint,
    }
    assert len(prints) == 7
    assert mixture().fingerprint == mixture().fingerprint


def test_the_fingerprint_of_runs_and_latents_that_are_there_stays() -> None:
    """What a setting that has come since leaves as it was, is the same mixture."""
    assert mixture(ENTRIES[:1]).fingerprint == "0cd9aaa8ae961c50"
