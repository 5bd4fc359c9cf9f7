"""Laws of the perceptual distance."""

import pytest
import torch
from torch.nn import functional

from lavin_dit.perceptual.efficientnet_lite import EfficientNetLite0
from lavin_dit.perceptual.network import PerceptualNetwork, perceptual_distance
from lavin_dit.perceptual.vgg import VGG16
from perceptual_weights import lite0_weights, vgg16_weights
from pictures import picture


@pytest.fixture(scope="module")
def network() -> PerceptualNetwork:
    return EfficientNetLite0(lite0_weights())


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    levels = torch.from_numpy(picture(56, 88, seed=3).copy())
    return levels.permute(2, 0, 1)[None] / 127.5 - 1


def blurred(photo: torch.Tensor, sigma: float) -> torch.Tensor:
    offsets = torch.arange(-9.0, 10.0)
    taps = torch.exp(-0.5 * (offsets / sigma).square())
    taps = (taps / taps.sum()).view(1, 1, 1, -1).expand(3, 1, 1, -1)
    padded = functional.pad(photo, (9, 9, 9, 9), mode="replicate")
    across = functional.conv2d(padded, taps, groups=3)
    return functional.conv2d(across, taps.transpose(2, 3), groups=3)


def test_grows_with_blur_and_with_noise(network, photo):
    noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    for worse in (
        [blurred(photo, sigma) for sigma in (0.5, 1.0, 2.0, 4.0)],
        [photo + level * noise for level in (0.02, 0.08, 0.3, 0.9)],
    ):
        distances = [perceptual_distance(network, photo, other).item() for other in worse]
        assert distances == sorted(distances)
        assert 0 < distances[0] < 0.5 * distances[-1]


def test_equal_pictures_have_no_distance_and_order_does_not_matter(network, photo):
    other = photo.flip(-1)
    batch = perceptual_distance(network, torch.cat([photo, photo]), torch.cat([photo, other]))
    assert batch[0] == 0
    torch.testing.assert_close(batch[1:], perceptual_distance(network, other, photo))


def test_gradients_reach_the_pixels_and_are_finite_at_no_distance(network, photo):
    for other in (photo.clone(), torch.zeros_like(photo)):
        other.requires_grad_()
        perceptual_distance(network, other, photo).sum().backward()
        assert other.grad is not None
        assert torch.isfinite(other.grad).all()
    assert other.grad.abs().max() > 0


def test_lpips_weighs_the_channels(photo):
    weights = vgg16_weights()
    plain = VGG16(weights)
    heads = {
        f"lin{stage}.model.1.weight": torch.full((1, width, 1, 1), 0.5)
        for stage, width in enumerate((64, 128, 256, 512, 512))
    }
    lpips = VGG16({**weights, **heads})
    assert lpips.name == "lpips-vgg16"
    other = photo.flip(-2)
    torch.testing.assert_close(
        perceptual_distance(lpips, photo, other), 0.5 * perceptual_distance(plain, photo, other)
    )


@pytest.mark.unchecked
def test_pictures_of_two_sizes_are_refused(network, photo):
    with pytest.raises(ValueError, match="cannot be compared"):
        perceptual_distance(network, photo, photo[:, :, :-8])
