import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lavin_dit.st_vae.convolution import StreamState
from lavin_dit.st_vae.resampling import Downsample, Upsample


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def randomise(module: torch.nn.Module) -> torch.nn.Module:
    module = module.double().requires_grad_(False)
    for seed, parameter in enumerate(module.parameters()):
        parameter.copy_(draw(*parameter.shape, seed=50 + seed))
    return module


@pytest.mark.parametrize(
    ("num_frames", "groups"),
    [
        (1, [[0]]),
        (2, [[0, 1]]),
        (3, [[0], [1, 2]]),
        (4, [[0, 1], [2, 3]]),
        (5, [[0], [1, 2], [3, 4]]),
    ],
)
def test_frames_are_averaged_in_pairs(num_frames, groups):
    downsample = randomise(Downsample(3, halves_time=True))
    still = randomise(Downsample(3, halves_time=False))
    clip = draw(2, 3, num_frames, 6, 10)
    averaged = torch.stack([clip[:, :, group].mean(dim=2) for group in groups], dim=2)
    torch.testing.assert_close(downsample(clip), still(averaged))


def test_downsampling_is_centred_on_even_positions():
    downsample = randomise(Downsample(3, halves_time=False))
    picture = draw(2, 3, 6, 10)
    framed = torch.zeros(2, 3, 7, 11, dtype=torch.float64)
    framed[..., :6, :10] = picture
    windows = framed.unfold(2, 3, 2).unfold(3, 3, 2)  # (b, c, y, x, 3, 3)
    expected = torch.einsum("bcyxij,dcij->bdyx", windows, downsample.conv.weight)
    expected += downsample.conv.bias.view(-1, 1, 1)
    torch.testing.assert_close(downsample(picture), expected)


@pytest.mark.parametrize("has_past", [False, True])
@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_frames_are_doubled_before_the_convolution(has_past, num_frames):
    upsample = randomise(Upsample(3, doubles_time=True))
    clip = draw(2, 3, num_frames, 3, 5)
    first_apart = not has_past
    order = [t for t in range(num_frames) for _ in range(1 if t == 0 and first_apart else 2)]
    large = clip[:, :, order].repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
    frames = [
        functional.conv2d(frame, *upsample.parameters(), padding=1) for frame in large.unbind(2)
    ]
    actual = upsample(clip, StreamState(has_past=has_past))
    torch.testing.assert_close(actual, torch.stack(frames, dim=2))


def test_upsampling_a_picture():
    upsample = randomise(Upsample(3, doubles_time=True))
    picture = draw(2, 3, 3, 5)
    expected = upsample(picture.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(upsample(picture), expected)
