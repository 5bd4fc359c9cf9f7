"""Laws of dense supervision: one pass over all pairs equals a pass for each, and leaks nothing."""

import pytest
import torch

from lavin_dit.jdit.model import JDiT
from random_networks import latents, random_jdit

TOLERANCE = {"atol": 1e-5, "rtol": 0.0}
NUM_PAIRS = 3


def episode(frames: int) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor], list[int]]:
    """Noisy targets, timesteps, clips of all pairs but the last target, and what targets see."""
    clips = [latents(2, 16, frames, 4, 6, seed=seed) for seed in range(2 * NUM_PAIRS - 1)]
    noisy = latents(2, NUM_PAIRS, 16, frames, 4, 6, seed=99)
    timesteps = torch.rand(2, NUM_PAIRS, generator=torch.Generator().manual_seed(3))
    return noisy, timesteps, clips, [2 * pair + 1 for pair in range(NUM_PAIRS)]


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize(
    "masked", [False, pytest.param(True, marks=pytest.mark.unchecked)], ids=["by clip", "masked"]
)
@pytest.mark.parametrize("frames", [1, 2])
def test_all_targets_at_once_equal_each_target_alone(frames: int, masked: bool) -> None:
    model = random_jdit("causal")
    model.masked_supervision = masked
    model.train(masked)
    noisy, timesteps, clips, views = episode(frames)
    with torch.no_grad():
        at_once = model.supervise(
            noisy,
            timesteps,
            torch.cat(clips, dim=2),
            clip_frames=[frames] * len(clips),
            views=views,
        )
        for pair, view in enumerate(views):
            alone = model(
                noisy[:, pair],
                timesteps[:, pair],
                torch.cat(clips[:view], dim=2),
                clip_frames=[frames] * view,
            )
            torch.testing.assert_close(at_once[:, pair], alone, **TOLERANCE)


@pytest.mark.parametrize("pair", range(NUM_PAIRS))
def test_a_pairs_velocity_depends_on_neither_its_clean_target_nor_later_clips(pair: int) -> None:
    model = random_jdit("causal")
    noisy, timesteps, clips, views = episode(frames=2)
    clips = [clip.requires_grad_() for clip in clips]
    noisy.requires_grad_()
    velocities = model.supervise(
        noisy, timesteps, torch.cat(clips, dim=2), clip_frames=[2] * len(clips), views=views
    )
    velocities[:, pair].square().sum().backward()
    for place, clip in enumerate(clips):
        assert clip.grad is not None
        assert bool(clip.grad.any()) == (place < views[pair]), f"clip {place} of pair {pair}"
    assert noisy.grad is not None
    for other in range(NUM_PAIRS):
        assert bool(noisy.grad[:, other].any()) == (other == pair)


def test_several_targets_need_a_causal_condition_and_places_that_exist() -> None:
    noisy, timesteps, clips, views = episode(frames=1)
    condition = torch.cat(clips, dim=2)
    with pytest.raises(ValueError, match="joint context attention"):
        random_jdit("joint").supervise(noisy, timesteps, condition, views=views)
    with pytest.raises(ValueError, match=r"views \(1, 3, 6\)"):
        random_jdit("causal").supervise(noisy, timesteps, condition, views=[1, 3, 6])
    with pytest.raises(ValueError, match=r"views \(1, 3\)"):
        random_jdit("causal").supervise(noisy, timesteps, condition, views=[1, 3])


@pytest.mark.parametrize("context", ["joint", "causal"])
def test_idle_parameters_are_those_without_gradient(context: str) -> None:
    model = random_jdit("joint" if context == "joint" else "causal")
    model(latents(1, 16, 1, 4, 4), torch.tensor([0.3]), latents(1, 16, 3, 4, 4)).sum().backward()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == {name for name, _ in model.idle_parameters()}
    assert isinstance(model, JDiT)


def test_hidden_matrices_are_the_projections_of_attention_and_feed_forward() -> None:
    model = random_jdit("causal")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {names[id(matrix)] for matrix in model.hidden_matrices()}
    expected = {
        f"{stream}_{layer}.weight" for stream in ("cond", "x") for layer in ("q", "k", "v", "proj")
    }
    attention = {name for name in found if name.startswith("blocks.0.joint_attn.")}
    assert attention == {f"blocks.0.joint_attn.{name}" for name in expected}
    others = {name for name in found if "joint_attn" not in name}
    assert {name.split(".")[2] for name in others} == {"cond_mlp", "x_mlp"}
    assert len(found) == model.config.num_layers * (8 + 6)
