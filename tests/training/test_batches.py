"""Batches are functions of seed and step: parts, processes and resuming change nothing."""

import itertools
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lavin_dit.data.loader import EpisodeLoader
from lavin_dit.training import latent_cache
from lavin_dit.training.batches import EncodedEpisodes, Share, TrainingBatch, latent_space
from lavin_dit.training.cached_episodes import CachedEpisodes
from lavin_dit.training.clip_batches import CLIPS_PER_EPISODE, ClipBatches
from lavin_dit.training.config import DrawSettings
from lavin_dit.training.latent_cache import build_latent_cache, is_complete
from random_networks import random_st_vae
from tiny_mixture import mixture

DRAWS = DrawSettings(timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.3)
ALONE = Share(seed=4, rank=0, world_size=1, device=torch.device("cpu"))
CLOSE = {"atol": 1e-5, "rtol": 1e-5}
MAX_PAIRS = 3


def encoded(share=ALONE, posterior="sample"):
    source = mixture(batch_size=4, min_pairs=1, max_pairs=2, seed=4)
    loader = EpisodeLoader(source, rank=share.rank, world_size=share.world_size)
    return EncodedEpisodes(loader, random_st_vae(), share=share, draws=DRAWS, posterior=posterior)


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("latents")
    source = mixture(batch_size=1, min_pairs=MAX_PAIRS, max_pairs=MAX_PAIRS, seed=4)
    build_latent_cache(source, random_st_vae(), folder, num_episodes=3)
    return folder


def cached(folder, share=ALONE, **changes):
    numbers = {"batch_size": 4, "min_pairs": 1, "max_pairs": MAX_PAIRS} | changes
    return CachedEpisodes(folder, share=share, draws=DRAWS, **numbers)


@pytest.fixture(params=["encoded", "cached"])
def make(request, latents):
    """Makes batches for a share."""
    if request.param == "encoded":
        return encoded
    return lambda share=ALONE: cached(latents, share)


def take(batches, count):
    return list(itertools.islice(batches, count))


def assert_same(found, expected, **tolerance):
    for name in ("noise", "timesteps", "dropped"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    for name in ("inputs", "targets"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), **tolerance)
    assert found.tasks == expected.tasks
    for one, other in zip(found.generators, expected.generators, strict=True):
        assert torch.equal(one.get_state(), other.get_state())


def joined(parts):
    """Parts of a batch as one."""
    tensors = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in ("inputs", "targets", "noise", "timesteps", "dropped")
    }
    tasks = tuple(task for part in parts for task in part.tasks)
    generators = tuple(generator for part in parts for generator in part.generators)
    return parts[0]._replace(**tensors, tasks=tasks, generators=generators)


def test_parts_of_a_batch_are_the_batch(make):
    (batch,) = take(make(), 1)
    assert isinstance(batch, TrainingBatch)
    parts = [batch.part(0, 1), batch.part(1, 4)]
    assert_same(joined(parts), batch.part(0, 4), **CLOSE)


def test_shares_of_processes_are_the_batch(make):
    whole = take(make(), 2)
    shares = [take(make(replace(ALONE, rank=rank, world_size=2)), 2) for rank in range(2)]
    for step, batch in enumerate(whole):
        halves = [share[step] for share in shares]
        assert [len(half) for half in halves] == [2, 2]
        assert_same(joined([half.part(0, 2) for half in halves]), batch.part(0, 4), **CLOSE)
        assert [line for half in halves for line in half.describe()] == batch.describe()


def test_a_saved_state_goes_on_with_the_next_batch(make):
    expected = take(make(), 3)[2]
    first = make()
    take(first, 2)
    second = make()
    second.load_state_dict(first.state_dict())
    (found,) = take(second, 1)
    assert found.step == expected.step == 2
    assert_same(found.part(0, 4), expected.part(0, 4), atol=0.0, rtol=0.0)


def test_cells_are_counted(make):
    (batch,) = take(make(), 1)
    clips, cells = batch.clip_cells
    latent = batch.part(0, 1)
    assert clips == 2 * latent.inputs.shape[1]
    assert cells == 4 * 6  # 32x48 px in cells of 8


def test_modes_do_not_depend_on_chance():
    (batch,), (again,) = take(encoded(posterior="mode"), 1), take(encoded(), 1)
    mode, sample = batch.part(0, 4), again.part(0, 4)
    assert not torch.equal(mode.inputs, sample.inputs)


def test_a_build_that_was_stopped_goes_on_to_the_same_files(tmp_path, monkeypatch, latents):
    monkeypatch.setattr(latent_cache, "_EPISODES_PER_CHUNK", 2)
    st_vae = random_st_vae()
    source = mixture(batch_size=1, min_pairs=MAX_PAIRS, max_pairs=MAX_PAIRS, seed=4)

    def stop(done, total):
        assert total == 3 + 2
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_latent_cache(source, st_vae, tmp_path / "parts", num_episodes=3, on_chunk=stop)
    assert not is_complete(tmp_path / "parts", source, st_vae, num_episodes=3)
    seen = []
    build_latent_cache(
        source,
        st_vae,
        tmp_path / "parts",
        num_episodes=3,
        on_chunk=lambda done, total: seen.append(done),
    )
    assert seen == [3, 4, 5]
    build_latent_cache(source, st_vae, tmp_path / "whole", num_episodes=3)
    for folder in ("parts", "whole"):
        assert is_complete(tmp_path / folder, source, st_vae, num_episodes=3)
    names = [path.name for path in sorted((tmp_path / "whole").iterdir())]
    assert names == [path.name for path in sorted((tmp_path / "parts").iterdir())]
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    other = mixture(batch_size=1, min_pairs=MAX_PAIRS, max_pairs=MAX_PAIRS, seed=5)
    assert not is_complete(tmp_path / "whole", other, st_vae, num_episodes=3)


def test_more_episodes_are_added_to_those_that_are_there(tmp_path):
    """And a state that was saved before is not taken for one of the larger folder."""
    st_vae = random_st_vae()
    source = mixture(batch_size=1, min_pairs=MAX_PAIRS, max_pairs=MAX_PAIRS, seed=4)
    build_latent_cache(source, st_vae, tmp_path, num_episodes=3)
    state = cached(tmp_path).state_dict()
    assert not is_complete(tmp_path, source, st_vae, num_episodes=18)
    build_latent_cache(source, st_vae, tmp_path, num_episodes=18)
    assert is_complete(tmp_path, source, st_vae, num_episodes=18)
    more = cached(tmp_path)
    places = {more.place(step, slot)[1] for step in range(40) for slot in range(4)}
    assert places == set(range(36))  # of the entry of weight 2; it had 6
    take(more, 20)[-1].part(0, 4)
    with pytest.raises(ValueError, match=r"saved from \d+ cached episodes, but .* has \d+"):
        more.load_state_dict(state)
    build_latent_cache(source, random_st_vae(), tmp_path / "whole", num_episodes=18)
    for one in (tmp_path / "whole").iterdir():
        assert one.read_bytes() == (tmp_path / one.name).read_bytes()


def test_latents_hold_recoloured_targets(tmp_path, latents):
    source = mixture(batch_size=1, min_pairs=MAX_PAIRS, max_pairs=MAX_PAIRS, seed=4, recolour=1.0)
    build_latent_cache(source, random_st_vae(), tmp_path, num_episodes=3)
    own, other = (
        {name.split("-")[1]: load_file(folder / name) for name in names}
        for folder in (latents, tmp_path)
        for names in [sorted(path.name for path in folder.glob("*.safetensors"))]
    )
    assert own.keys() == other.keys() == {"000", "001"}
    for place, is_changed in (("000", True), ("001", False)):  # depth, holes
        assert torch.equal(own[place]["inputs"], other[place]["inputs"])
        assert torch.equal(own[place]["targets"], other[place]["targets"]) is not is_changed


def test_an_episode_is_shown_in_many_ways(latents):
    batches = cached(latents, max_pairs=2)
    seen = set()
    for batch in take(batches, 12):
        queries = batch.part(0, 4).inputs[:, -1]
        seen |= {tuple(query.flatten()[:4].tolist()) for query in queries}
    assert len(seen) > 9  # more than there are episodes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 3, "share": replace(ALONE, world_size=2)}, "must be divisible by the 2"),
        ({"max_pairs": 4}, "must lie in 1 to 3"),
        ({"min_pairs": 3, "max_pairs": 2}, "must lie in 1 to 3"),
    ],
)
def test_what_does_not_fit_the_cache_is_refused(latents, changes, message):
    with pytest.raises(ValueError, match=message):
        cached(latents, **changes)


def test_a_cache_that_is_not_there_or_another_is_refused(latents, tmp_path):
    with pytest.raises(FileNotFoundError, match="no latents at"):
        cached(tmp_path)
    state = cached(latents).state_dict() | {"latents": "others"}
    with pytest.raises(ValueError, match="the state was saved from latents others"):
        cached(latents).load_state_dict(state)


def test_clips_of_episodes_are_single_clips():
    source = mixture(batch_size=4, min_pairs=1, max_pairs=1, seed=4)
    batches = ClipBatches(EpisodeLoader(source), random_st_vae().config, share=ALONE)
    (batch,) = take(batches, 1)
    assert len(batch) == 4 * CLIPS_PER_EPISODE
    whole, part = batch.part(0, len(batch)), batch.part(5, 9)
    assert whole.clips.shape == (16, 3, 1, 32, 48)
    assert whole.noise.shape == (16, 16, 1, 4, 6)
    assert torch.equal(part.clips, whole.clips[5:9])
    assert torch.equal(part.noise, whole.noise[5:9])
    assert whole.clips.abs().max() <= 1.0
    assert batch.clip_cells == (1, 24)
    halves = [
        take(
            ClipBatches(
                EpisodeLoader(source, rank=rank, world_size=2),
                random_st_vae().config,
                share=replace(ALONE, rank=rank, world_size=2),
            ),
            1,
        )[0].part(0, 8)
        for rank in range(2)
    ]
    assert torch.equal(torch.cat([half.noise for half in halves]), whole.noise)
    assert torch.equal(torch.cat([half.clips for half in halves]), whole.clips)


def test_a_latent_space_is_the_encoders_and_its_statistics():
    st_vae = random_st_vae()
    own = latent_space(st_vae)
    for part, kept in ((st_vae.decoder, True), (st_vae.encoder, False)):
        with torch.no_grad():
            for parameter in part.parameters():
                parameter.add_(1.0)
        assert (latent_space(st_vae) == own) is kept
    st_vae = random_st_vae()
    scale = tuple(2 * value for value in st_vae.config.latent_scale)
    st_vae.config = replace(st_vae.config, latent_scale=scale)
    assert latent_space(st_vae) != own


def test_a_run_keeps_its_autoencoder():
    batches = encoded()
    state = batches.state_dict()
    batches.load_state_dict(state)
    with pytest.raises(ValueError, match="a run keeps its autoencoder"):
        batches.load_state_dict({**state, "st_vae": "another"})
