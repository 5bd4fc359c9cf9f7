import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lavin_dit.st_vae.convolution import StreamState
from lavin_dit.st_vae.normalisation import GroupNorm, LatentNorm, repeat_frames


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def randomise(module: torch.nn.Module) -> torch.nn.Module:
    module = module.double().requires_grad_(False)
    for seed, parameter in enumerate(module.parameters()):
        parameter.copy_(draw(*parameter.shape, seed=50 + seed))
    return module


def by_definition(norm: GroupNorm, features: Tensor) -> Tensor:
    """Normalise group by group, over the axes that the setting names."""
    groups = features.unflatten(1, (norm.groups, -1))  # (b, g, c, t, h, w)
    axes = (2, 3, 4, 5) if norm.statistics == "clip" else (2, 4, 5)
    mean = groups.mean(dim=axes, keepdim=True)
    variance = (groups - mean).square().mean(dim=axes, keepdim=True)
    normalised = ((groups - mean) / (variance + 1e-6).sqrt()).flatten(1, 2)
    return normalised * norm.weight.view(-1, 1, 1, 1) + norm.bias.view(-1, 1, 1, 1)


@pytest.mark.parametrize("statistics", ["clip", "frame"])
@pytest.mark.parametrize("num_frames", [1, 3])
def test_group_norm_against_the_definition(statistics, num_frames):
    norm = randomise(GroupNorm(12, groups=3, statistics=statistics))
    features = 5 * draw(2, 12, num_frames, 5, 7) + 3
    torch.testing.assert_close(norm(features), by_definition(norm, features))


def test_group_norm_of_a_picture():
    norm = randomise(GroupNorm(12, groups=3, statistics="frame"))
    picture = draw(2, 12, 5, 7)
    torch.testing.assert_close(norm(picture), by_definition(norm, picture.unsqueeze(2)).squeeze(2))


@pytest.mark.parametrize("statistics", ["clip", "frame"])
def test_statistics_of_16_bit_features_are_accumulated_in_float32(statistics):
    norm = randomise(GroupNorm(8, groups=2, statistics=statistics)).bfloat16()
    # A mean of 8 with a spread of 0.5: sums kept in bfloat16 would lose the spread.
    features = (0.5 * draw(1, 8, 2, 31, 33) + 8).bfloat16()
    exact = by_definition(norm.double(), features.double())
    actual = norm.bfloat16()(features).double()
    torch.testing.assert_close(actual, exact, rtol=1e-2, atol=2e-2)


def enlarge(latent: Tensor, features: Tensor, *, begins: bool) -> Tensor:
    """The latent at the feature map's size, the first frame of a clip from the first alone."""
    size = features.shape[2:]
    if not begins or size[0] == latent.shape[2]:
        return functional.interpolate(latent, size=size, mode="nearest")
    first = functional.interpolate(latent[:, :, :1], size=(1, *size[1:]), mode="nearest")
    rest = (size[0] - 1, *size[1:])
    others = functional.interpolate(latent[:, :, 1:], size=rest, mode="nearest")
    return torch.cat([first, others], dim=2)


@pytest.mark.parametrize("factor", [1, 2, 8])
@pytest.mark.parametrize(
    ("num_latent_frames", "num_frames", "begins"),
    [(1, 1, True), (3, 3, True), (3, 5, True), (4, 13, True), (3, 6, False), (2, 8, False)],
)
def test_modulation_is_that_of_the_enlarged_latent(factor, num_latent_frames, num_frames, begins):
    norm = LatentNorm(12, latent_channels=5, groups=3, statistics="frame")
    norm = randomise(norm)
    features = draw(2, 12, num_frames, 3 * factor, 4 * factor, seed=1)
    latent = draw(2, 5, num_latent_frames, 3, 4, seed=2)
    state = None if begins else StreamState(has_past=True)
    large = enlarge(latent, features, begins=begins)
    expected = norm.norm_layer(features) * norm.conv_y(large) + norm.conv_b(large)
    torch.testing.assert_close(norm(features, latent, state), expected)
    if num_frames == 1:
        picture = norm(features.squeeze(2), latent.squeeze(2))
        torch.testing.assert_close(picture, expected.squeeze(2))


def test_frames_are_repeated_in_order():
    frames = torch.arange(3.0).view(1, 1, 3, 1, 1)
    cases = (
        (3, True, [0, 1, 2]),
        (5, True, [0, 1, 1, 2, 2]),
        (9, True, [0, 1, 1, 1, 1, 2, 2, 2, 2]),
        (6, False, [0, 0, 1, 1, 2, 2]),
    )
    for num_frames, first_apart, expected in cases:
        repeated = repeat_frames(frames, num_frames, first_apart=first_apart)
        assert repeated.flatten().tolist() == expected
