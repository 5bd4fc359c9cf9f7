"""Means of a picture's neighbourhoods, in which alike pixels of another picture count more."""

from collections.abc import Iterator
from itertools import product
from types import EllipsisType
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from lavin_dit.pipeline.fitting import to_unit_range

NUM_BINS = 24
"""Bins of how unlike two colours are."""
_MOST_UNLIKE = 0.5
"""Mean squared difference of two colours in Lab, in hundredths, at which the last bin ends."""
_RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = 0.950456, 1.0, 1.088754
_LINEAR_BELOW = (6 / 29) ** 3


class Neighbours(NamedTuple):
    """All pairs of pixels that lie in one direction and distance of each other."""

    distance: int
    """In steps, to the nearest."""
    here: tuple[EllipsisType, slice, slice]
    """Where the first of each pair is."""
    there: tuple[EllipsisType, slice, slice]
    """Where the second is."""
    bins: Int64[Tensor, "t y x"]
    """How unlike their colours are."""


def neighbours(
    colours: Float[Tensor, "t 3 y x"], *, reach: int, steps: tuple[float, float] = (1.0, 1.0)
) -> Iterator[Neighbours]:
    """Pairs of pixels that are whole steps apart, each once.

    Args:
        colours: From `perceived`.
        reach: Steps to the farthest pixel, to the nearest.
        steps: Pixels of a step down and to the right.
    """
    height, width = colours.shape[2:]
    for rows, cols in product(range(reach + 1), range(-reach, reach + 1)):
        distance = round((rows**2 + cols**2) ** 0.5)
        down, right = round(rows * steps[0]), round(cols * steps[1])
        seen_before = rows == 0 and cols <= 0
        if seen_before or distance > reach or down >= height or abs(right) >= width:
            continue
        left, to_right = max(0, -right), max(0, right)
        here = (..., slice(height - down), slice(left, width - to_right))
        there = (..., slice(down, None), slice(to_right, width - left))
        unlike = mean_squared_difference(colours[here], colours[there])
        bins = (unlike / _MOST_UNLIKE).sqrt().sqrt() * NUM_BINS
        yield Neighbours(distance, here, there, bins.long().clamp_max(NUM_BINS - 1))


def neighbourhood_means(
    values: Float[Tensor, "t 3 y x"],
    colours: Float[Tensor, "t 3 y x"],
    *,
    weights: Float[Tensor, "w distances bins"],
    steps: tuple[float, float] = (1.0, 1.0),
    passes: int = 1,
) -> Float[Tensor, "w t 3 y x"]:
    """Mean of all values within reach, weighted by distance and by how unlike colours are.

    Args:
        values: The picture.
        colours: From `perceived`, of the picture that says what is alike.
        weights: How much a pixel counts beside the middle one, which counts 1; several tables.
        steps: As in `neighbours`.
        passes: How often it is done.

    Returns:
        A picture for each table.
    """
    weights = weights.to(values.device)
    means = values.expand(len(weights), *values.shape)
    for _ in range(passes):
        sums, totals = means.clone(), torch.ones_like(means[:, :, :1])
        for one in neighbours(colours, reach=weights.shape[1], steps=steps):
            weight = weights[:, one.distance - 1][:, one.bins][:, :, None]
            sums[one.here] += weight * means[one.there]
            sums[one.there] += weight * means[one.here]
            totals[one.here] += weight
            totals[one.there] += weight
        means = sums / totals
    return means


def mean_squared_difference(
    one: Float[Tensor, "t 3 y x"], other: Float[Tensor, "t 3 y x"]
) -> Float[Tensor, "t y x"]:
    """Mean over the channels; faster than torch's own over so few."""
    first, second, third = (one - other).unbind(dim=1)
    return (first * first + second * second + third * third) / 3


def perceived(
    frames: UInt8[np.ndarray, "t y x 3"], *, device: torch.device
) -> Float[Tensor, "t 3 y x"]:
    """Colours in CIE Lab, in hundredths, where distances are about as one sees them.

    Args:
        frames: sRGB.
        device: Where to put them.

    Source:
        CIE 1976 L*a*b*, of sRGB with the white point D65.
    """
    values = to_unit_range(frames, device=device)
    linear = torch.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    to_xyz = linear.new_tensor(_RGB_TO_XYZ) / linear.new_tensor(_WHITE)[:, None]
    ratios = torch.einsum("kc,tcyx->tkyx", to_xyz, linear)
    roots = torch.where(
        ratios > _LINEAR_BELOW,
        ratios.clamp_min(_LINEAR_BELOW) ** (1 / 3),
        ratios * 841 / 108 + 4 / 29,
    )
    first, second, third = roots.unbind(dim=1)
    lab = torch.stack([116 * second - 16, 500 * (first - second), 200 * (second - third)], dim=1)
    return lab / 100
