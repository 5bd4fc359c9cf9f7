import pytest
import torch
from jaxtyping import TypeCheckError

from lavin_dit.flow import path

SHAPE = (2, 3, 5, 7)
SHAPE_ERRORS = (ValueError, TypeCheckError)


def _draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_the_path_starts_at_the_noise_and_ends_at_the_latent():
    latent, noise = _draw(*SHAPE, seed=1), _draw(*SHAPE, seed=2)
    assert torch.equal(path.interpolate(latent, noise=noise, timestep=torch.tensor(0.0)), noise)
    assert torch.equal(path.interpolate(latent, noise=noise, timestep=torch.tensor(1.0)), latent)


def test_the_velocity_is_the_derivative_of_the_path():
    latent, noise = _draw(*SHAPE, seed=1, dtype=torch.float64), _draw(*SHAPE, dtype=torch.float64)
    before, after = (
        path.interpolate(latent, noise=noise, timestep=torch.tensor(time, dtype=torch.float64))
        for time in (0.25, 0.75)
    )
    torch.testing.assert_close((after - before) / 0.5, path.velocity(latent, noise=noise))


def test_interpolate_against_a_float64_oracle():
    latent, noise, timestep = _draw(*SHAPE, seed=1), _draw(*SHAPE, seed=2), torch.tensor([0.3, 0.9])
    state = path.interpolate(latent, noise=noise, timestep=timestep)
    for sample, time in enumerate(timestep.double()):
        oracle = time * latent[sample].double() + (1.0 - time) * noise[sample].double()
        torch.testing.assert_close(state[sample].double(), oracle, rtol=0, atol=1e-6)


def test_timesteps_may_cover_several_leading_axes():
    latent, noise = _draw(*SHAPE, seed=1), _draw(*SHAPE, seed=2)
    timestep = torch.rand(2, 3, generator=torch.Generator().manual_seed(3))
    state = path.interpolate(latent, noise=noise, timestep=timestep)
    for index in ((0, 2), (1, 1)):
        alone = path.interpolate(latent[index], noise=noise[index], timestep=timestep[index])
        torch.testing.assert_close(state[index], alone, rtol=0, atol=0)


def test_both_ends_can_be_found_from_any_state():
    latent, noise, timestep = _draw(*SHAPE, seed=1), _draw(*SHAPE, seed=2), torch.tensor([0.2, 0.7])
    state = path.interpolate(latent, noise=noise, timestep=timestep)
    velocity = path.velocity(latent, noise=noise)
    found_latent = path.latent_from_velocity(state, velocity=velocity, timestep=timestep)
    found_noise = path.noise_from_velocity(state, velocity=velocity, timestep=timestep)
    torch.testing.assert_close(found_latent, latent, rtol=0, atol=1e-6)
    torch.testing.assert_close(found_noise, noise, rtol=0, atol=1e-6)


def test_sigma_is_the_share_of_noise():
    latent, noise, timestep = _draw(*SHAPE, seed=1), _draw(*SHAPE, seed=2), torch.tensor([0.2, 0.7])
    sigma = path.sigma_from_timestep(timestep)
    mixed = torch.lerp(latent, noise, sigma[:, None, None, None])
    state = path.interpolate(latent, noise=noise, timestep=timestep)
    torch.testing.assert_close(state, mixed, rtol=0, atol=1e-6)
    torch.testing.assert_close(path.timestep_from_sigma(sigma), timestep)
    slope = path.velocity_along_sigma(path.velocity(latent, noise=noise))
    assert torch.equal(slope, noise - latent)


def test_half_precision_is_raised_before_any_arithmetic():
    latent, noise = _draw(*SHAPE, seed=1).bfloat16(), _draw(*SHAPE, seed=2).bfloat16()
    timestep = torch.tensor([0.2, 0.7], dtype=torch.bfloat16)
    state = path.interpolate(latent, noise=noise, timestep=timestep)
    wide = path.interpolate(latent.float(), noise=noise.float(), timestep=timestep.float())
    assert state.dtype == torch.float32
    assert torch.equal(state, wide)
    assert torch.equal(path.velocity(latent, noise=noise), latent.float() - noise.float())


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 5, 1)])
def test_shapes_that_would_broadcast_are_refused(shape):
    timestep = torch.tensor(0.5)
    with pytest.raises(SHAPE_ERRORS, match="noise"):
        path.interpolate(_draw(*SHAPE), noise=_draw(*shape), timestep=timestep)
    with pytest.raises(SHAPE_ERRORS, match="noise"):
        path.velocity(_draw(*SHAPE), noise=_draw(*shape))
    with pytest.raises(SHAPE_ERRORS, match="velocity"):
        path.latent_from_velocity(_draw(*SHAPE), velocity=_draw(*shape), timestep=timestep)
    with pytest.raises(SHAPE_ERRORS, match="velocity"):
        path.noise_from_velocity(_draw(*SHAPE), velocity=_draw(*shape), timestep=timestep)


@pytest.mark.parametrize("shape", [(1,), (3,), (7,), (2, 1)])
def test_timesteps_of_another_batch_are_refused(shape):
    with pytest.raises(ValueError, match=r"timestep .* must match the leading axes"):
        path.interpolate(_draw(*SHAPE), noise=_draw(*SHAPE), timestep=torch.zeros(shape))
