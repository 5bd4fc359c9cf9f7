"""Classifier-free guidance: sharpen a prediction by its difference from one without examples.

The null context, which takes the place of the context pairs, is one latent frame of zeros followed
by the query: the network keeps its query and loses its examples.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lavin_dit.flow.path import VelocityFunction, at_least_float32


def guided_velocity(
    conditional: Float[Tensor, "*shape"], *, unconditional: Float[Tensor, "*shape"], scale: float
) -> Float[Tensor, "*shape"]:
    """Extrapolate from the unconditional velocity through the conditional one, in float32.

    Args:
        conditional: Velocity given the context pairs and the query.
        unconditional: Velocity given the null context.
        scale: Guidance scale, at least 0: 0 is unconditional, 1 conditional, more is extrapolation.

    Raises:
        ValueError: If the scale is negative or not finite, or the shapes differ.

    Source:
        Not in the paper beyond its "uncond. ratio" (table 3); the release's, whose command line
        uses 1.5.
    """
    _check_scale(scale)
    if conditional.shape != unconditional.shape:
        raise ValueError(
            f"conditional {tuple(conditional.shape)} and unconditional "
            f"{tuple(unconditional.shape)} must have the same shape"
        )
    start = at_least_float32(unconditional)
    return start + scale * (at_least_float32(conditional) - start)


def guide(
    conditional: VelocityFunction, *, unconditional: VelocityFunction, scale: float
) -> VelocityFunction:
    """Combine two velocity functions into a guided one.

    Args:
        conditional: Velocity given the context pairs and the query.
        unconditional: Velocity given the null context; never called at a scale of 1, where it would
            make no difference but double the work.
        scale: Guidance scale, as in `guided_velocity`.

    Returns:
        The guided velocity; ``conditional`` itself at a scale of 1.

    Raises:
        ValueError: If the scale is negative or not finite.
    """
    _check_scale(scale)
    if scale == 1.0:
        return conditional

    def guided(state: Tensor, timestep: Tensor) -> Tensor:
        return guided_velocity(
            conditional(state, timestep),
            unconditional=unconditional(state, timestep),
            scale=scale,
        )

    return guided


def null_condition(query_latent: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t+1 h w"]:
    """Build the null context: one latent frame of zeros, then the query.

    Args:
        query_latent: Normalised latent of the query; all its frames are kept.

    Returns:
        The condition of an unconditional prediction. Zero is the mean of a normalised latent.

    Source:
        Not in the paper; the release's, whose queries are single frames.
    """
    return torch.cat([torch.zeros_like(query_latent[:, :, :1]), query_latent], dim=2)


def draw_dropped_conditions(
    batch: int,
    *,
    generator: torch.Generator,
    probability: float = 0.1,
    device: torch.device | str | None = None,
) -> Bool[Tensor, " b"]:
    """Draw which training samples lose their context pairs, so that the network learns both.

    The null context is a shorter sequence than pairs and query, so whoever builds the batch decides
    how the two kinds go together.

    Args:
        batch: Number of samples.
        generator: Source of randomness; its device does the drawing.
        probability: Chance of each sample, in [0, 1].
        device: Where the result lies; the generator's device if None.

    Returns:
        True for samples that get `null_condition`.

    Raises:
        ValueError: If the batch is not positive or the probability lies outside [0, 1].

    Source:
        Paper table 3, "uncond. ratio": 0.1.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"probability must lie in [0, 1], got {probability}")
    draws = torch.rand(batch, generator=generator, device=generator.device)
    return (draws < probability).to(generator.device if device is None else device)


def _check_scale(scale: float) -> None:
    if not (math.isfinite(scale) and scale >= 0.0):
        raise ValueError(f"guidance scale must be a finite number of at least 0, got {scale}")
