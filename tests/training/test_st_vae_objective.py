"""The ST-VAE's objective: who gets which gradient, what the total is made of, and that it works."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.perceptual.network import PerceptualNetwork
from lavin_dit.recipes.st_vae_run import compile_parts
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.discriminator import DiscriminatorConfig, PatchDiscriminator
from lavin_dit.training.config import STVAELossConfig
from lavin_dit.training.st_vae_objective import STVAEBatch, STVAEObjective
from lavin_dit.training.validation import mean_losses
from lavin_dit.vision.psnr import psnr_db

WEIGHTS = STVAELossConfig(
    squared_error=1.0,
    l1=0.3,
    perceptual=0.2,
    adversarial=0.5,
    kl=1e-3,
    discriminator_start=10,
    adaptive_weight=True,
)
TINY = STVAEConfig(
    block_out_channels=(32, 32, 32, 32),
    layers_per_block=1,
    latent_channels=6,
    encoder_norm_groups=8,
    decoder_norm_groups=8,
    norm_statistics="frame",
    latent_mean=(0.0,),
    latent_scale=(1.0,),
)
START = WEIGHTS.discriminator_start


class Edges(PerceptualNetwork):
    """Fixed differences of neighbours: the least that has features."""

    name = "edges"

    def features(self, pixels: Tensor) -> list[Tensor]:
        return [torch.cat([pixels.diff(dim=-1)[..., 1:, :], pixels.diff(dim=-2)[..., 1:]], dim=1)]

    def pooled(self, pixels: Tensor) -> Tensor:
        return self.features(pixels)[0].mean(dim=(2, 3))


def make_objective(**changes: object) -> STVAEObjective:
    config = dataclasses.replace(WEIGHTS, **changes)
    st_vae = STVAE(TINY)
    st_vae.reset_parameters(torch.Generator().manual_seed(0))
    discriminator = PatchDiscriminator(DiscriminatorConfig(widths=(8, 16), norm_groups=4))
    discriminator.reset_parameters(torch.Generator().manual_seed(1))
    return STVAEObjective(
        st_vae,
        config,
        discriminator=discriminator if config.adversarial else None,
        perceptual=Edges() if config.perceptual else None,
    )


def make_batch(num_frames: int, *, num_clips: int = 2, seed: int = 0) -> STVAEBatch:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(num_clips, 3, 2, 4, 6, generator=generator)
    clips = functional.interpolate(coarse, size=(num_frames, 16, 24), mode="trilinear") * 2 - 1
    noise = torch.randn(num_clips, 6, (num_frames + 3) // 4, 2, 3, generator=generator)
    return STVAEBatch(clips=clips, noise=noise)


def gradients(objective: STVAEObjective, total: Tensor) -> dict[str, Tensor]:
    objective.zero_grad()
    total.backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in objective.named_parameters()
        if parameter.grad is not None
    }


def of(part: str, found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: grad for name, grad in found.items() if name.startswith(part)}


@pytest.mark.parametrize("num_frames", [1, 5])
@pytest.mark.parametrize("step", [START - 1, START])
def test_every_parameter_takes_part_at_every_step(num_frames, step):
    objective = make_objective()
    found = gradients(objective, objective(make_batch(num_frames), step).total)
    assert found.keys() == dict(objective.named_parameters()).keys()
    moved = any(grad.abs().max() > 0 for grad in of("discriminator", found).values())
    assert moved == (step >= START)


def test_before_the_start_the_game_changes_nothing_for_the_st_vae():
    with_game, without = make_objective(), make_objective(adversarial=0.0)
    early = of("st_vae", gradients(with_game, with_game(make_batch(1), START - 1).total))
    plain = gradients(without, without(make_batch(1), START - 1).total)
    assert early.keys() == plain.keys()
    for name, grad in plain.items():
        torch.testing.assert_close(early[name], grad, rtol=0, atol=0)


def test_each_player_gets_the_gradient_of_its_own_loss():
    objective = make_objective(adaptive_weight=False)
    batch = make_batch(5)
    found = gradients(objective, objective(batch, START).total)

    # The players' losses one after another, with everything of the other player's switched off.
    objective.discriminator.requires_grad_(False)
    alone = gradients(objective, objective(batch, START).total)
    assert not of("discriminator", alone)
    for name, grad in of("st_vae", found).items():
        torch.testing.assert_close(grad, alone[name], rtol=1e-4, atol=1e-6)
    objective.discriminator.requires_grad_(True)
    objective.st_vae.requires_grad_(False)
    alone = gradients(objective, objective(batch, START).total)
    assert not of("st_vae", alone)
    for name, grad in of("discriminator", found).items():
        torch.testing.assert_close(grad, alone[name], rtol=1e-4, atol=1e-6)


def test_the_adversarial_term_reaches_the_st_vae():
    batch = make_batch(1)
    found = []
    for adversarial in (0.5, 5.0):
        objective = make_objective(adversarial=adversarial)
        found.append(of("st_vae", gradients(objective, objective(batch, START).total)))
    name = "st_vae.encoder.conv_in.conv.weight"
    assert (found[0][name] - found[1][name]).abs().max() > 1e-6


@pytest.mark.parametrize("step", [START - 1, START])
@pytest.mark.parametrize("adaptive_weight", [False, True])
def test_the_total_is_the_weighted_sum_of_what_is_logged(step, adaptive_weight):
    losses = make_objective(adaptive_weight=adaptive_weight)(make_batch(5), step)
    logged = losses.logged
    expected = (
        1.0 * logged["squared_error"]
        + 0.3 * logged["l1"]
        + 0.2 * logged["perceptual"]
        + 1e-3 * logged["kl"]
        + logged["adversarial_weight"] * logged["adversarial"]
        + (step >= START) * logged["discriminator"]
    )
    torch.testing.assert_close(losses.total.detach(), expected)
    assert (logged["adversarial_weight"] > 0) == (step >= START)
    assert not any(value.requires_grad or value.ndim for value in logged.values())


def test_the_adaptive_weight_evens_out_the_two_pulls():
    objective = make_objective(adversarial=1.0)
    batch = make_batch(1)
    losses = objective(batch, START)
    last = objective.st_vae.decoder.conv_out.conv.weight

    def pull(weights: STVAELossConfig) -> Tensor:
        objective.config = weights
        return torch.autograd.grad(objective(batch, START).total, last)[0]

    base = dataclasses.replace(WEIGHTS, adversarial=0.0, kl=0.0, adaptive_weight=False)
    to_reconstruct = pull(base)
    fixed = dataclasses.replace(base, adversarial=float(losses.logged["adversarial_weight"]))
    adversarial = pull(fixed) - to_reconstruct
    torch.testing.assert_close(adversarial.norm(), to_reconstruct.norm(), rtol=1e-2, atol=0)


def test_it_can_be_looked_at_without_gradients():
    objective = make_objective()
    with torch.no_grad():
        losses = objective(make_batch(5), START)
    assert losses.logged["adversarial_weight"] == WEIGHTS.adversarial
    assert torch.isfinite(losses.total)


def test_same_batch_same_losses():
    objective = make_objective()
    first, second = (objective(make_batch(5), START).total for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_groups_hold_every_parameter_once():
    objective = make_objective()
    groups = objective.parameter_groups()
    assert list(groups) == ["st_vae", "discriminator"]
    assert [id(one) for group in groups.values() for one in group] == [
        id(one) for one in objective.parameters()
    ]
    assert list(make_objective(adversarial=0.0).parameter_groups()) == ["st_vae"]
    assert objective.trained is objective.st_vae
    assert isinstance(objective, nn.Module)


@pytest.mark.parametrize(("num_frames", "num_steps", "gain_db"), [(1, 40, 14.0), (5, 20, 5.0)])
def test_overfits_four_clips(num_frames, num_steps, gain_db):
    objective = make_objective(adversarial=0.0, perceptual=0.0, l1=0.0, kl=1e-6)
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-3)
    batch = make_batch(num_frames, num_clips=4)
    curve = []
    for step in range(num_steps):
        losses = objective(batch, step)
        optimizer.zero_grad()
        losses.total.backward()
        nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimizer.step()
        curve.append(losses.logged["psnr_db"].item())
    assert curve[-1] > curve[0] + gain_db


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kl": -1.0}, "kl -1.0 must be"),
        ({"perceptual": float("nan")}, "perceptual nan must be"),
        ({"discriminator_start": -1}, "discriminator_start -1 must be"),
        ({"squared_error": 0.0, "l1": 0.0, "perceptual": 0.0}, "nothing to reconstruct"),
    ],
)
def test_impossible_weights_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        dataclasses.replace(WEIGHTS, **change)


@pytest.mark.parametrize("name", ["adversarial", "perceptual"])
def test_parts_and_weights_go_together(name):
    st_vae = STVAE(TINY)
    without = dataclasses.replace(WEIGHTS, **{"adversarial": 0.0, "perceptual": 0.0, name: 1.0})
    with pytest.raises(ValueError, match=r"is missing, but the weight of its term is 1\.0"):
        STVAEObjective(st_vae, without)
    nothing = dataclasses.replace(WEIGHTS, adversarial=0.0, perceptual=0.0)
    given = (
        {"perceptual": Edges()}
        if name == "perceptual"
        else {"discriminator": PatchDiscriminator(DiscriminatorConfig(widths=(8,), norm_groups=4))}
    )
    with pytest.raises(ValueError, match="is given, but the weight of its term is 0"):
        STVAEObjective(st_vae, nothing, **given)


def test_the_psnr_of_training_is_that_of_scores():
    objective, batch = make_objective(adversarial=0.0, perceptual=0.0), make_batch(1)
    with torch.no_grad():
        logged = objective(batch, START).logged
        posterior = objective.st_vae.encode(batch.clips)
        found = objective.st_vae.decode(posterior.sample_with_noise(batch.noise))
        errors = ((found - batch.clips) / 2).square().mean(dim=(1, 2, 3, 4))
    expected = sum(psnr_db(float(error)) for error in errors) / 2
    assert float(logged["psnr_db"]) == pytest.approx(expected, rel=1e-5)


class WholeBatch:
    """A batch of validation."""

    step = START

    def __init__(self, batch: STVAEBatch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch.clips)

    def part(self, start: int, stop: int) -> STVAEBatch:
        return STVAEBatch(self.batch.clips[start:stop], self.batch.noise[start:stop])

    def describe(self) -> list[str]:
        return []

    @property
    def clip_cells(self) -> tuple[int, int]:
        return 1, 6


def test_validation_in_parts_is_that_of_the_whole() -> None:
    objective = make_objective().eval()
    batches = [WholeBatch(make_batch(1, num_clips=5)), WholeBatch(make_batch(1, seed=1))]
    whole = mean_losses(objective, batches)
    assert mean_losses(objective, batches, at_once=2) == pytest.approx(whole, rel=1e-4)
    assert whole["validation/squared_error"] > 0


@pytest.mark.compile
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_compiled_parts_go_on_where_the_discriminator_begins() -> None:
    torch.compiler.reset()
    objective, eager = make_objective(), make_objective()
    compile_parts(objective.st_vae, backend="aot_eager")
    batch = make_batch(1)
    for step in (START - 1, START):
        losses = objective(batch, step)
        losses.total.backward()
        torch.testing.assert_close(losses.total, eager(batch, step).total, atol=1e-4, rtol=1e-4)
