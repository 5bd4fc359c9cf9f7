import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lavin_dit.st_vae.posterior import DiagonalGaussian


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture
def posterior() -> DiagonalGaussian:
    moments = draw(3, 10, 2, 7, 4, dtype=torch.float64)
    return DiagonalGaussian.from_moments(moments)


def test_divergence_against_torch(posterior):
    standard = Normal(torch.zeros_like(posterior.mean), torch.ones_like(posterior.mean))
    expected = kl_divergence(Normal(posterior.mean, posterior.std), standard).sum(dim=(1, 2, 3, 4))
    torch.testing.assert_close(posterior.kl(), expected)


def test_divergence_is_zero_only_at_the_standard_normal():
    zeros = torch.zeros(2, 3, 1, 4, 5)
    assert DiagonalGaussian(mean=zeros, logvar=zeros).kl().tolist() == [0.0, 0.0]
    assert (DiagonalGaussian(mean=zeros + 0.1, logvar=zeros).kl() > 0).all()
    assert (DiagonalGaussian(mean=zeros, logvar=zeros + 0.1).kl() > 0).all()


def test_divergence_of_16_bit_moments_is_summed_in_float32():
    moments = draw(1, 32, 1, 32, 48).bfloat16()
    exact = DiagonalGaussian.from_moments(moments.double()).kl()
    actual = DiagonalGaussian.from_moments(moments).kl()
    assert actual.dtype == torch.float32
    torch.testing.assert_close(actual.double(), exact, rtol=1e-5, atol=0)


def test_log_variance_is_clamped():
    moments = torch.tensor([0.0, 0.0, 0.0, -100.0, 100.0, 3.0]).view(1, 6, 1, 1, 1)
    posterior = DiagonalGaussian.from_moments(moments)
    assert posterior.logvar.flatten().tolist() == [-30.0, 20.0, 3.0]
    torch.testing.assert_close(posterior.std.log() * 2, posterior.logvar)


def test_mode_is_the_mean(posterior):
    torch.testing.assert_close(posterior.mode(), posterior.mean)


def test_samples_follow_the_generator(posterior):
    one, same, other = (posterior.sample(torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    assert not torch.equal(one, other)


def test_samples_advance_the_generator(posterior):
    generator = torch.Generator().manual_seed(5)
    assert not torch.equal(posterior.sample(generator), posterior.sample(generator))


def test_samples_have_the_moments():
    mean, logvar = torch.full((1, 1, 4, 64, 64), 3.0), torch.full((1, 1, 4, 64, 64), 1.0)
    sample = DiagonalGaussian(mean=mean, logvar=logvar).sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(sample.mean().item(), 3.0, rtol=0, atol=0.05)
    torch.testing.assert_close(sample.var().log().item(), 1.0, rtol=0, atol=0.05)


def test_noise_gives_the_sample_and_its_gradient():
    mean, logvar = draw(1, 2, 1, 3, 5), draw(1, 2, 1, 3, 5, seed=1)
    noise = draw(1, 2, 1, 3, 5, seed=2)
    logvar.requires_grad_()
    sample = DiagonalGaussian(mean=mean, logvar=logvar).sample_with_noise(noise)
    torch.testing.assert_close(sample, mean + torch.exp(logvar / 2) * noise)
    (gradient,) = torch.autograd.grad(sample.sum(), logvar)
    torch.testing.assert_close(gradient, noise * torch.exp(logvar / 2) / 2)


def test_noise_of_another_shape_is_refused(posterior):
    with pytest.raises((ValueError, TypeError)):
        posterior.sample_with_noise(torch.zeros(3, 1, 2, 7, 4, dtype=torch.float64))
