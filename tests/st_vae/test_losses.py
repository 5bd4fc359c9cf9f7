"""Terms of the ST-VAE's loss, held against numbers worked out by hand."""

import pytest
import torch

from lavin_dit.st_vae.losses import (
    MAX_ADAPTIVE_WEIGHT,
    absolute_error,
    adaptive_weight,
    adversarial_loss,
    hinge_loss,
    kl_per_value,
    squared_error,
)
from lavin_dit.st_vae.posterior import DiagonalGaussian


def test_errors_are_means_over_each_sample():
    target = torch.zeros(2, 3, 1, 5, 7)
    reconstruction = target.clone()
    reconstruction[1] = -0.5
    torch.testing.assert_close(squared_error(reconstruction, target), torch.tensor([0.0, 0.25]))
    torch.testing.assert_close(absolute_error(reconstruction, target), torch.tensor([0.0, 0.5]))


def test_errors_are_float32_from_16_bits():
    value = torch.full((1, 1000), 0.01, dtype=torch.bfloat16)
    assert squared_error(value, torch.zeros_like(value)).dtype == torch.float32


@pytest.mark.unchecked
def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 3\) and target \(2, 4\)"):
        squared_error(torch.zeros(2, 3), torch.zeros(2, 4))


def test_divergence_is_counted_for_each_value_of_the_clip():
    shape = (2, 4, 1, 2, 3)
    posterior = DiagonalGaussian(mean=torch.ones(shape), logvar=torch.zeros(shape))
    clip = torch.zeros(2, 3, 1, 16, 24)
    expected = 0.5 * (4 * 2 * 3) / (3 * 16 * 24)
    torch.testing.assert_close(kl_per_value(posterior, clip), torch.full((2,), expected))


@pytest.mark.parametrize(
    ("real", "reconstructed", "loss"), [(0, 0, 1.0), (1, -1, 0.0), (5, -9, 0.0), (-1, 1, 2.0)]
)
def test_hinge_loss(real, reconstructed, loss):
    logits = [torch.full((2, 1, 3, 4), float(value)) for value in (real, reconstructed)]
    torch.testing.assert_close(hinge_loss(*logits), torch.full((2,), loss))


def test_the_st_vae_wants_high_logits():
    logits = torch.tensor([[1.0, 3.0], [-1.0, 0.0]])
    torch.testing.assert_close(adversarial_loss(logits), torch.tensor([-2.0, 0.5]))


def test_adaptive_weight_is_the_ratio_of_the_gradients_norms():
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    reconstruction, adversarial = 2 * weight.sum(), -0.5 * weight.sum()
    found = adaptive_weight(reconstruction, adversarial, last_weight=weight)
    torch.testing.assert_close(found, torch.tensor(4.0), rtol=1e-3, atol=0)
    assert not found.requires_grad
    (reconstruction + adversarial).backward()  # the graph is still there
    assert weight.grad is not None


def test_adaptive_weight_is_cut_off():
    weight = torch.tensor([1.0], requires_grad=True)
    found = adaptive_weight(1e9 * weight.sum(), 0 * weight.sum(), last_weight=weight)
    assert found == MAX_ADAPTIVE_WEIGHT
