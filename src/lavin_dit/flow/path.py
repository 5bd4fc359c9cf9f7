"""The straight path between noise and latent: the only place that knows the time convention.

Timestep 0 is pure noise, timestep 1 the clean latent. A state on the path is
``timestep * latent + (1 - timestep) * noise``, its velocity is ``latent - noise``, and sampling
integrates from 0 up to 1. See ``docs/decisions/0001-time-convention.md``.

Arithmetic is float32 whatever the inputs' precision; float64 stays float64.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

NOISE_TIMESTEP = 0.0
LATENT_TIMESTEP = 1.0

VelocityFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Velocity at a state ``(b, ...)`` and a timestep per sample ``(b,)``, of the state's shape."""


def at_least_float32(tensor: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Raise a half-precision tensor to float32; float32 and float64 pass unchanged."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def interpolate(
    latent: Float[Tensor, "*shape"],
    *,
    noise: Float[Tensor, "*shape"],
    timestep: Float[Tensor, "..."],
) -> Float[Tensor, "*shape"]:
    """Mix noise and latent: the state on the path at a timestep.

    Args:
        latent: Clean, normalised latent, the path's end.
        noise: Standard normal noise, the path's start.
        timestep: Place on the path, in [0, 1]: one number, or one for each entry of the leading
            axes, such as ``(b,)`` or ``(b, pairs)``.

    Returns:
        The state; exactly the noise at 0 and exactly the latent at 1.

    Raises:
        ValueError: If the shapes do not belong together.

    Source:
        Paper section 3.1.2 and algorithm 1, line 6.
    """
    _check_same_shape("latent", latent, "noise", noise)
    time = _align(timestep, latent)
    return time * at_least_float32(latent) + (1.0 - time) * at_least_float32(noise)


def velocity(
    latent: Float[Tensor, "*shape"], *, noise: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Velocity of the path, the same at every timestep: what the network learns to predict.

    Args:
        latent: Clean, normalised latent, the path's end.
        noise: Standard normal noise, the path's start.

    Raises:
        ValueError: If the shapes differ.

    Source:
        Paper equation 1 and algorithm 1, line 7.
    """
    _check_same_shape("latent", latent, "noise", noise)
    return at_least_float32(latent) - at_least_float32(noise)


def latent_from_velocity(
    state: Float[Tensor, "*shape"],
    *,
    velocity: Float[Tensor, "*shape"],
    timestep: Float[Tensor, "..."],
) -> Float[Tensor, "*shape"]:
    """Follow a velocity in a straight line to the latent: a preview from the middle of sampling.

    Args:
        state: State on the path.
        velocity: Velocity there.
        timestep: Place of the state on the path, as in `interpolate`.

    Raises:
        ValueError: If the shapes do not belong together.
    """
    _check_same_shape("state", state, "velocity", velocity)
    remaining = LATENT_TIMESTEP - _align(timestep, state)
    return at_least_float32(state) + remaining * at_least_float32(velocity)


def noise_from_velocity(
    state: Float[Tensor, "*shape"],
    *,
    velocity: Float[Tensor, "*shape"],
    timestep: Float[Tensor, "..."],
) -> Float[Tensor, "*shape"]:
    """Follow a velocity in a straight line back to the noise.

    Args:
        state: State on the path.
        velocity: Velocity there.
        timestep: Place of the state on the path, as in `interpolate`.

    Raises:
        ValueError: If the shapes do not belong together.
    """
    _check_same_shape("state", state, "velocity", velocity)
    return at_least_float32(state) - _align(timestep, state) * at_least_float32(velocity)


def sigma_from_timestep(timestep: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert timesteps to sigmas, the share of noise in a state: 1 is noise, 0 the latent.

    Flow schedulers of other libraries (diffusers among them) count this way, from 1 down to 0.
    """
    return 1.0 - timestep


def timestep_from_sigma(sigma: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert sigmas, the share of noise in a state, to timesteps."""
    return 1.0 - sigma


def velocity_along_sigma(velocity: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert a velocity to the derivative of the state by sigma: noise - latent.

    Time runs the other way, so the sign changes. The conversion is its own inverse.
    """
    return -velocity


def _align(timestep: Tensor, state: Tensor) -> Tensor:
    """Give the timestep trailing axes of length 1, so that it broadcasts over a state."""
    if timestep.shape != state.shape[: timestep.ndim]:
        raise ValueError(
            f"timestep {tuple(timestep.shape)} must match the leading axes of {tuple(state.shape)}"
        )
    time = at_least_float32(timestep)
    return time.reshape(*timestep.shape, *(1,) * (state.ndim - timestep.ndim))


def _check_same_shape(name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    if tensor.shape != other.shape:
        raise ValueError(
            f"{name} {tuple(tensor.shape)} and {other_name} {tuple(other.shape)} must have the "
            f"same shape"
        )
