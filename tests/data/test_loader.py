import itertools
import json
import os
import signal
from collections import Counter

import numpy as np
import pytest
import torch

from lavin_dit.data.episodes import NoEpisodeError
from lavin_dit.data.loader import EpisodeLoader, Workers
from lavin_dit.data.prepare import prepare_shards
from lavin_dit.data.shard_writer import ShardSettings
from lavin_dit.data.shards import ShardError
from loader_mixture import loader_mixture
from own_process import started
from scene_source import SceneSource


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("shards")
    source = SceneSource(length=13, empty=frozenset({2, 3}))
    prepare_shards(source, path, settings=ShardSettings(samples_per_shard=4))
    return path


@pytest.fixture
def mixture(folder):
    return loader_mixture(folder)


def take(loader, count):
    return list(itertools.islice(loader, count))


def assert_same_batches(left, right):
    assert [one.step for one in left] == [other.step for other in right]
    for one, other in zip(left, right, strict=True):
        for name in ("context_inputs", "context_targets", "query", "target"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.origins == other.origins


@pytest.mark.parametrize(
    "workers",
    [
        Workers(count=1),
        Workers(count=2, prefetch=3),
        Workers(count=1, start_method="spawn"),
    ],
    ids=str,
)
def test_workers_change_nothing(mixture, workers):
    alone = take(EpisodeLoader(mixture), 5)
    assert_same_batches(alone, take(EpisodeLoader(mixture, workers=workers), 5))
    assert_same_batches(alone, [mixture.batch(step) for step in range(5)])


@pytest.mark.parametrize("world_size", [2, 3, 6])
def test_ranks_together_load_the_same_batches(mixture, world_size):
    whole = take(EpisodeLoader(mixture), 3)
    ranks = [
        take(
            EpisodeLoader(
                mixture, rank=rank, world_size=world_size, workers=Workers(count=rank % 2)
            ),
            3,
        )
        for rank in range(world_size)
    ]
    for step, batch in enumerate(whole):
        parts = [batches[step] for batches in ranks]
        np.testing.assert_array_equal(
            batch.context_targets, np.concatenate([part.context_targets for part in parts])
        )
        assert batch.origins == tuple(origin for part in parts for origin in part.origins)


@pytest.mark.parametrize("workers", [Workers(), Workers(count=2)], ids=str)
def test_resuming_goes_on_exactly(mixture, workers):
    uninterrupted = take(EpisodeLoader(mixture), 7)
    first = EpisodeLoader(mixture, workers=workers)
    seen = take(first, 3)
    state = json.loads(json.dumps(first.state_dict()))
    resumed = EpisodeLoader(mixture)
    resumed.load_state_dict(state)
    assert_same_batches(uninterrupted, seen + take(resumed, 4))


def test_resuming_on_other_ranks(mixture):
    uninterrupted = take(EpisodeLoader(mixture), 4)
    first = EpisodeLoader(mixture)
    take(first, 2)
    for rank in range(2):
        resumed = EpisodeLoader(mixture, rank=rank, world_size=2)
        resumed.load_state_dict(first.state_dict())
        for batch, part in zip(uninterrupted[2:], take(resumed, 2), strict=True):
            np.testing.assert_array_equal(batch.target[rank * 3 : rank * 3 + 3], part.target)


def test_iterating_again_goes_on(mixture):
    loader = EpisodeLoader(mixture)
    assert [batch.step for batch in take(loader, 2) + take(loader, 2)] == [0, 1, 2, 3]


def test_a_kill_in_mid_epoch_and_a_resume(folder, tmp_path):
    """A real process, killed with SIGKILL while its workers are at work."""
    program = """
import itertools, json, sys
from pathlib import Path
from lavin_dit.data.loader import EpisodeLoader, Workers
from loader_mixture import loader_mixture
loader = EpisodeLoader(loader_mixture(Path(sys.argv[1])), workers=Workers(count=2))
for batch in loader:
    print(json.dumps([loader.state_dict(), batch.target.tolist()]), flush=True)
"""
    with started(program, str(folder)) as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.kill()
        process.wait()
    uninterrupted = take(EpisodeLoader(loader_mixture(folder)), 5)
    for (_, target), batch in zip(lines, uninterrupted, strict=False):
        np.testing.assert_array_equal(np.array(target, dtype=np.uint8), batch.target)
    resumed = EpisodeLoader(loader_mixture(folder), workers=Workers(count=1))
    resumed.load_state_dict(lines[-1][0])
    assert_same_batches(uninterrupted[3:], take(resumed, 2))


def test_a_signal_to_the_whole_group_ends_no_worker(folder):
    """As torchrun and schedulers send it: the run alone decides when it ends."""
    program = """
import sys
from pathlib import Path
from lavin_dit.data.loader import EpisodeLoader, Workers
from lavin_dit.training.stopping import stopped_by_signals
from loader_mixture import loader_mixture
left = None
with stopped_by_signals() as request:
    for batch in EpisodeLoader(loader_mixture(Path(sys.argv[1])), workers=Workers(count=2)):
        print(batch.step, flush=True)
        if request.signal_name is not None:
            left = 8 if left is None else left - 1  # all that is made ahead, and more
        if left == 0:
            break
print("saved", request.signal_name)
"""
    with started(program, str(folder), in_a_group=True) as process:
        assert process.stdout.readline() == "0\n"
        os.killpg(process.pid, signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert rest.endswith("saved SIGTERM\n")


def test_states_of_other_mixtures_are_refused(folder, mixture):
    state = EpisodeLoader(mixture).state_dict()
    with pytest.raises(ValueError, match="saved with seed 0, but the mixture has seed 1"):
        EpisodeLoader(loader_mixture(folder, seed=1)).load_state_dict(state)
    with pytest.raises(ValueError, match="other tasks, sources, weights or batch settings"):
        EpisodeLoader(loader_mixture(folder, batch_size=3)).load_state_dict(state)


def test_arrays_can_become_tensors_without_a_copy(mixture):
    for workers in (Workers(), Workers(count=1)):
        (batch,) = take(EpisodeLoader(mixture, workers=workers), 1)
        tensor = torch.from_numpy(batch.target)
        tensor[:] = 7
        assert (batch.target == 7).all()


def test_rejections_are_counted_wherever_they_happen(mixture, caplog):
    totals = []
    for workers in (Workers(), Workers(count=2)):
        loader = EpisodeLoader(mixture, workers=workers)
        take(loader, 4)
        totals.append(loader.skipped)
    assert totals[0] == totals[1] == Counter(totals[0])
    reason = "depth_estimation from scenes: no pixel has a depth"
    assert set(totals[0]) == {reason}
    assert sum(reason in message for message in caplog.messages) == 2


def test_the_global_generator_is_left_alone(mixture):
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    take(EpisodeLoader(mixture, workers=Workers(count=1)), 2)
    take(EpisodeLoader(mixture), 2)
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_errors_of_workers_arrive_as_they_are(folder):
    mixture = loader_mixture(folder)
    path = folder / "shard-000000.tar"
    data = path.read_bytes()
    path.write_bytes(data[:700])
    try:
        with pytest.raises(ShardError, match=r"^\S+shard-000000\.tar ends within.*again$"):
            take(EpisodeLoader(mixture, workers=Workers(count=1)), 20)
    finally:
        path.write_bytes(data)


@pytest.mark.parametrize("count", [0, 1])
def test_a_source_of_which_nothing_can_be_used_ends_the_run(tmp_path, count):
    dark = SceneSource(length=5, empty=frozenset(range(5)))
    prepare_shards(dark, tmp_path, settings=ShardSettings(samples_per_shard=5))
    mixture = loader_mixture(tmp_path)
    told = r"^depth_estimation from scenes: no episode could be drawn from 5 samples, .*a depth$"
    with pytest.raises(NoEpisodeError, match=told):
        take(EpisodeLoader(mixture, workers=Workers(count=count)), 5)


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ({"rank": 2, "world_size": 2}, "rank must lie in 0 to 1, got 2"),
        ({"rank": 0, "world_size": 4}, "batch_size 6 must be divisible by the number of ranks, 4"),
    ],
)
def test_ranks_are_checked(mixture, ranks, message):
    with pytest.raises(ValueError, match=message):
        EpisodeLoader(mixture, **ranks)


@pytest.mark.parametrize("wrong", [{"count": -1}, {"prefetch": 0}])
def test_workers_are_checked(wrong):
    with pytest.raises(ValueError, match="workers need"):
        Workers(**wrong)
