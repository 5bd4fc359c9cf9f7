"""Laws of the causal setting: conditions are computed once, blind to all that follows."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lavin_dit.jdit.context_cache import ContextCache
from lavin_dit.jdit.model import JDiT
from random_networks import latents, random_jdit

TOLERANCE = {"atol": 1e-5, "rtol": 0.0}


@pytest.fixture(autouse=True)
def _no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


def assert_caches_agree(found: ContextCache, expected: ContextCache) -> None:
    assert (found.num_frames, found.rows, found.cols) == (
        expected.num_frames,
        expected.rows,
        expected.cols,
    )
    for new, old in zip(found.blocks, expected.blocks, strict=True):
        torch.testing.assert_close(new.keys, old.keys, **TOLERANCE)
        torch.testing.assert_close(new.values, old.values, **TOLERANCE)


@settings(deadline=None, max_examples=15)
@given(
    clips=st.lists(st.integers(1, 3), min_size=2, max_size=6),
    cuts=st.sets(st.integers(1, 5)),
    seed=st.integers(0, 99),
)
def test_appending_clip_by_clip_equals_building_at_once(
    clips: list[int], cuts: set[int], seed: int
) -> None:
    model = random_jdit("causal")
    condition = latents(1, 16, sum(clips), 4, 6, seed=seed)
    at_once = model.extend_context(None, condition, clip_frames=clips)
    cache, start = None, 0
    edges = [0, *sorted(cut for cut in cuts if cut < len(clips)), len(clips)]
    for a, b in pairwise(edges):
        part = clips[a:b]
        cache = model.extend_context(
            cache, condition[:, :, start : start + sum(part)], clip_frames=part
        )
        start += sum(part)
    assert cache is not None
    assert_caches_agree(cache, at_once)


@pytest.mark.parametrize("clip_frames", [None, (2, 2, 1), (1, 3, 1)])
def test_cached_sampling_step_equals_the_whole_forward(clip_frames: tuple[int, ...] | None) -> None:
    model = random_jdit("causal")
    condition, target = latents(2, 16, 5, 4, 6), latents(2, 16, 3, 4, 6, seed=1)
    time = torch.tensor([0.2, 0.7])
    cache = model.extend_context(None, condition, clip_frames=clip_frames)
    torch.testing.assert_close(
        model.denoise(target, time, cache),
        model(target, time, condition, clip_frames=clip_frames),
        **TOLERANCE,
    )


def test_a_shared_context_serves_a_batch_of_queries() -> None:
    model = random_jdit("causal")
    context, queries = latents(1, 16, 4, 4, 6), latents(3, 16, 1, 4, 6, seed=1)
    target, time = latents(3, 16, 1, 4, 6, seed=2), torch.full((3,), 0.4)
    shared = model.extend_context(model.extend_context(None, context), queries)
    whole = torch.cat([context.expand(3, -1, -1, -1, -1), queries], dim=2)
    torch.testing.assert_close(
        model.denoise(target, time, shared), model(target, time, whole), **TOLERANCE
    )


def condition_states(model: JDiT, condition: torch.Tensor) -> list[torch.Tensor]:
    return [block.values for block in model.extend_context(None, condition).blocks]


@pytest.mark.parametrize("changed", range(5))
def test_a_clip_moves_itself_and_later_clips_only(changed: int) -> None:
    """In particular an input is blind to its own target, which dense supervision relies on."""
    model = random_jdit("causal")
    condition = latents(1, 16, 5, 4, 6)
    other = condition.clone()
    other[:, :, changed] += 1.0
    tokens = 2 * 3
    for before, after in zip(
        condition_states(model, condition), condition_states(model, other), strict=True
    ):
        moved = (before - after).abs().amax(dim=(0, 2, 3)).unflatten(0, (5, tokens)).amax(dim=1)
        assert (moved[:changed] == 0).all()
        assert moved[changed] > 1e-3
    assert (moved[changed:] > 1e-4).all()


@pytest.mark.parametrize("setting", ["joint", "causal"])
@pytest.mark.parametrize("what", ["target", "timestep"])
def test_target_and_timestep_reach_the_condition_only_in_the_joint_setting(
    setting: str, what: str
) -> None:
    model = random_jdit(setting)
    states: list[torch.Tensor] = []
    model.blocks[1].joint_attn.cond_v.register_forward_hook(
        lambda _module, _inputs, output: states.append(output)
    )
    condition, target = latents(1, 16, 5, 4, 6), latents(1, 16, 1, 4, 6, seed=1)
    model(target, torch.tensor([0.2]), condition)
    if what == "target":
        model(target + 1.0, torch.tensor([0.2]), condition)
    else:
        model(target, torch.tensor([0.8]), condition)
    moved = (states[0] - states[1]).abs().max()
    assert moved == 0 if setting == "causal" else moved > 1e-3


def test_a_cache_survives_its_own_tensors() -> None:
    model = random_jdit("causal")
    cache = model.extend_context(None, latents(1, 16, 3, 4, 6))
    again = ContextCache.from_tensors(cache.to_tensors(), num_frames=3, rows=2, cols=3)
    assert_caches_agree(again, cache)
    assert cache.num_bytes == 2 * 2 * 18 * 2 * 12 * 4
    assert cache.to(dtype=torch.bfloat16).num_bytes == cache.num_bytes // 2


def test_bad_caches_and_clips() -> None:
    model = random_jdit("causal")
    cache = model.extend_context(None, latents(1, 16, 3, 4, 6))
    with pytest.raises(ValueError, match="frames of 2x3 patches, the new latent has 3x3"):
        model.denoise(latents(1, 16, 1, 6, 6), torch.zeros(1), cache)
    with pytest.raises(ValueError, match="sum to the condition's 3 latent frames"):
        model.extend_context(None, latents(1, 16, 3, 4, 6), clip_frames=(1, 1))
    with pytest.raises(ValueError, match="joint context attention"):
        random_jdit("joint").extend_context(None, latents(1, 16, 3, 4, 6))
    with pytest.raises(ValueError, match="the model"):
        random_jdit("causal", num_layers=3).denoise(latents(1, 16, 1, 4, 6), torch.zeros(1), cache)
    with pytest.raises(ValueError, match="joint context attention"):
        random_jdit("joint").denoise(latents(1, 16, 1, 4, 6), torch.zeros(1), cache)
    with pytest.raises(ValueError, match="a batch of 2, the new latent 3"):
        model.denoise(
            latents(3, 16, 1, 4, 6),
            torch.zeros(3),
            model.extend_context(cache, latents(2, 16, 1, 4, 6)),
        )
    tensors = cache.to_tensors()
    del tensors["values.1"]
    with pytest.raises(ValueError, match=r"lacks values\.1"):
        ContextCache.from_tensors(tensors, num_frames=3, rows=2, cols=3)
    with pytest.raises(ValueError, match="expected 24 tokens"):
        ContextCache.from_tensors(cache.to_tensors(), num_frames=4, rows=2, cols=3)
