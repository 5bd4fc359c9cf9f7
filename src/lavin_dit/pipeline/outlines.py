"""Outlines of a painting, drawn after those of its query as far as targets follow their inputs.

A small J-DiT knows where things are to within its patch, and paints them soft. The query shows
where they end. How alike two pixels of a target are, given how far apart they are and how unlike
their colours in the input, is measured on the context's pairs, whatever their task; a painting
becomes the mean of its neighbourhood, each pixel counting as much as it is likely to have the same
value. How much of that is taken is measured as well: targets of the pairs are blurred like
paintings and drawn after their inputs, and what comes nearer to them is what a painting gets. A
mask is drawn after its thing wholly; a box, which ends where nothing is to be seen, not at all.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from types import EllipsisType
from typing import NamedTuple

import cv2
import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from lavin_dit.pipeline.fitting import resize_frames, to_unit_range

REACH_PX = 7
"""How far away a pixel may be that counts, at the working size."""
NUM_BINS = 24
"""Bins of how unlike two colours are."""
NARROWNESS = 0.02, 0.05, 0.1, 0.2
"""How different two pixels that count as one may be, as shares of a target's variance."""
LEAST_SHARE = 0.2
"""A smaller share counts as none (decision 0023)."""
_MOST_ALIKE = 0.9
_PASSES = 2
_BLUR_PX = 4.0
_MOST_ENLARGED = 4.0
_REACH_ENLARGED_PX = 3
_FRAME_STRIDE = 4
_UNSEEN = 20.0
_LEAST_SPREAD = 1e-6
_MOST_UNLIKE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """How far targets of pairs follow their inputs' outlines, at the working size.

    Raises:
        ValueError: If a table has another shape.

    Source:
        Ours, decision 0023.
    """

    differences: Float[Tensor, "distances bins"]
    """Sum of squared differences of two pixels of a target, by their distance (1 to 7 pixels, to
    the nearest) and by how unlike their colours are in the input."""
    counts: Float[Tensor, "distances bins"]
    """Of how many pairs of pixels."""
    spread: float
    """Sum over frames of a target's variance."""
    apart: float
    """Sum over frames of the mean size of the difference of target and input."""
    num_frames: int
    """Of how many frames."""
    products: Float[Tensor, " widths"]
    """Sum over all values of what drawing a blurred target after its input changes, times what it
    should have changed; by narrowness."""
    squares: Float[Tensor, " widths"]
    """Sum of the squares of what it changes."""

    def __post_init__(self) -> None:
        """Check what a damaged file can get wrong."""
        for name, shape in _SHAPES.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise ValueError(f"{name} must have the shape {shape}, got {found}")

    def __add__(self, other: "Outlines") -> "Outlines":
        """Those of all pairs of two contexts."""
        return Outlines(
            differences=self.differences + other.differences,
            counts=self.counts + other.counts,
            spread=self.spread + other.spread,
            apart=self.apart + other.apart,
            num_frames=self.num_frames + other.num_frames,
            products=self.products + other.products,
            squares=self.squares + other.squares,
        )

    @property
    def share(self) -> float:
        """How much of the drawing a painting gets, by least squares: 0, or 0.2 to 1.

        0 also if targets are pictures of the same: nearer to their inputs, on average, than nine
        tenths of their standard deviation.
        """
        if self.apart < _MOST_ALIKE * self.num_frames * math.sqrt(self._variance):
            return 0.0
        share = self._shares()[self._chosen()].item()
        return share if share >= LEAST_SHARE else 0.0

    @property
    def chosen_weights(self) -> Float[Tensor, "1 distances bins"]:
        """How much a pixel counts beside the middle one, for the best narrowness."""
        return self.weights()[self._chosen()][None]

    def weights(self) -> Float[Tensor, "widths distances bins"]:
        """How much a pixel counts beside the middle one, for each narrowness."""
        of_distance = self.differences.sum(dim=1, keepdim=True)
        of_distance = of_distance / self.counts.sum(dim=1, keepdim=True).clamp_min(1.0)
        expected = (self.differences + _UNSEEN * of_distance) / (self.counts + _UNSEEN)
        scales = 2 * max(self._variance, _LEAST_SPREAD) * expected.new_tensor(NARROWNESS)
        return (-expected / scales[:, None, None]).exp()

    @property
    def _variance(self) -> float:
        """Mean variance of a target's values within a frame; 0 if there are no frames."""
        return self.spread / max(self.num_frames, 1)

    def _shares(self) -> Float[Tensor, " widths"]:
        return (self.products / self.squares.clamp_min(_LEAST_SPREAD)).clamp(0.0, 1.0)

    def _chosen(self) -> int:
        """The narrowness that takes most of the squared error away."""
        shares = self._shares()
        return int((2 * shares * self.products - shares.square() * self.squares).argmax())


_SHAPES = {
    "differences": (REACH_PX, NUM_BINS),
    "counts": (REACH_PX, NUM_BINS),
    "products": (len(NARROWNESS),),
    "squares": (len(NARROWNESS),),
}
NO_OUTLINES = Outlines(
    **{name: torch.zeros(shape) for name, shape in _SHAPES.items()},
    spread=0.0,
    apart=0.0,
    num_frames=0,
)
"""Those of no pair, or of pairs that can't be compared: paintings stay as they are."""


def measured_outlines(
    given: UInt8[np.ndarray, "t y x 3"],
    wanted: UInt8[np.ndarray, "t y x 3"],
) -> Outlines:
    """Measure how a target follows its input; every fourth frame of a clip.

    On the CPU: on a GPU, sums by bin would differ from run to run.

    Args:
        given: The input, at the working size, without margins.
        wanted: The target, likewise.

    Source:
        Ours, decision 0023.
    """
    colours = _perceived(given[::_FRAME_STRIDE])
    given_values, target = (
        to_unit_range(frames[::_FRAME_STRIDE], device=colours.device) for frames in (given, wanted)
    )
    differences, counts = (torch.zeros(_SHAPES["differences"]) for _ in range(2))
    for one in _neighbours(colours, reach=REACH_PX):
        apart = _mean_square_apart(target[one.here], target[one.there])
        bins = one.unlikeness.flatten()
        row = one.distance - 1
        differences[row] += torch.bincount(bins, apart.flatten(), minlength=NUM_BINS)
        counts[row] += torch.bincount(bins, minlength=NUM_BINS)
    tables = Outlines(
        differences=differences,
        counts=counts,
        spread=float(target.flatten(2).var(dim=2, correction=0).mean(dim=1).sum()),
        apart=float((target - given_values).abs().flatten(1).mean(dim=1).sum()),
        num_frames=len(target),
        products=NO_OUTLINES.products,
        squares=NO_OUTLINES.squares,
    )
    blurred = _blurred(target)
    weights = tables.weights()
    change = _neighbourhood_means(blurred, colours, weights=weights, passes=_PASSES) - blurred
    return replace(
        tables,
        products=(change * (target - blurred)).flatten(1).sum(dim=1),
        squares=change.square().flatten(1).sum(dim=1),
    )


def drawn_after(
    painted: Float[Tensor, "t 3 y x"],
    query: UInt8[np.ndarray, "t y x 3"],
    *,
    outlines: Outlines,
) -> Float[Tensor, "t 3 y x"]:
    """Draw a painting after its query, as far as the pairs' targets follow their inputs.

    Args:
        painted: The painting at the working size, without margins, around [0, 1].
        query: The query at the painting's size.
        outlines: Those of the pairs.

    Returns:
        Values in [0, 1] if anything is drawn; otherwise the painting.

    Source:
        Ours, decision 0023.
    """
    share = outlines.share
    if share == 0.0:
        return painted
    painted = painted.clamp(0.0, 1.0)
    colours, weights = _perceived(query).to(painted.device), outlines.chosen_weights
    drawn = _neighbourhood_means(painted, colours, weights=weights, passes=_PASSES)[0]
    return torch.lerp(painted, drawn, share)


def enlarged_after(
    drawn: Float[Tensor, "t 3 y x"],
    query: UInt8[np.ndarray, "t h w 3"],
    *,
    outlines: Outlines,
) -> Float[Tensor, "t 3 h w"]:
    """Enlarge what was drawn at the working size, after the outlines of the query at its own size.

    What is more than four times as large is drawn at four times the size, and enlarged from there.

    Args:
        drawn: From `drawn_after`.
        query: The query, no smaller to either side.
        outlines: Those of the pairs.

    Returns:
        Values in [0, 1].

    Source:
        Ours, decision 0023.
    """
    share, size = outlines.share, query.shape[1:3]
    scale = min(_MOST_ENLARGED, max(size[0] / drawn.shape[2], size[1] / drawn.shape[3]))
    between = (
        min(size[0], round(drawn.shape[2] * scale)),
        min(size[1], round(drawn.shape[3] * scale)),
    )
    frames: list[Tensor] = []
    for small, frame in zip(drawn, query, strict=True):  # one by one, as a long clip is large
        large = interpolate(small[None], size=between, mode="bilinear").clamp(0.0, 1.0)
        colours = _perceived(resize_frames(frame[None], between)).to(drawn.device)
        means = _neighbourhood_means(
            large, colours, weights=outlines.chosen_weights[:, :_REACH_ENLARGED_PX], scale=scale
        )[0]
        large = torch.lerp(large, means, share)
        if between != size:
            large = interpolate(large, size=size, mode="bicubic").clamp(0.0, 1.0)
        frames.append(large)
    return torch.cat(frames)


class _Neighbours(NamedTuple):
    """All pairs of pixels that lie in one direction and distance of each other."""

    distance: int
    here: tuple[EllipsisType, slice, slice]
    there: tuple[EllipsisType, slice, slice]
    unlikeness: Int64[Tensor, "t y x"]


def _neighbours(
    colours: Float[Tensor, "t 3 y x"], *, reach: int, scale: float = 1.0
) -> Iterator[_Neighbours]:
    """Pairs of pixels that are whole steps of the working size apart, each once.

    Args:
        colours: From `_perceived`.
        reach: Steps to the farthest pixel.
        scale: Pixels of a step.
    """
    height, width = colours.shape[2:]
    for rows, cols in product(range(reach + 1), range(-reach, reach + 1)):
        distance = round((rows**2 + cols**2) ** 0.5)
        down, right = round(rows * scale), round(cols * scale)
        seen_before = rows == 0 and cols <= 0
        if seen_before or distance > reach or down >= height or abs(right) >= width:
            continue
        left, to_right = max(0, -right), max(0, right)
        here = (..., slice(height - down), slice(left, width - to_right))
        there = (..., slice(down, None), slice(to_right, width - left))
        unlike = _mean_square_apart(colours[here], colours[there])
        bins = (unlike / _MOST_UNLIKE).sqrt().sqrt() * NUM_BINS
        yield _Neighbours(distance, here, there, bins.long().clamp_max(NUM_BINS - 1))


def _mean_square_apart(
    one: Float[Tensor, "t 3 y x"], other: Float[Tensor, "t 3 y x"]
) -> Float[Tensor, "t y x"]:
    """Mean over three channels of the squared difference; twice as fast as torch's own mean."""
    first, second, third = (one - other).unbind(dim=1)
    return (first * first + second * second + third * third) / 3


def _neighbourhood_means(
    values: Float[Tensor, "t 3 y x"],
    colours: Float[Tensor, "t 3 y x"],
    *,
    weights: Float[Tensor, "w distances bins"],
    scale: float = 1.0,
    passes: int = 1,
) -> Float[Tensor, "w t 3 y x"]:
    """Mean of all values within reach, weighted by distance and by how unlike colours are."""
    weights = weights.to(values.device)
    means = values.expand(len(weights), *values.shape)
    for _ in range(passes):
        sums, totals = means.clone(), torch.ones_like(means[:, :, :1])
        for one in _neighbours(colours, reach=weights.shape[1], scale=scale):
            weight = weights[:, one.distance - 1][:, one.unlikeness][:, :, None]
            sums[one.here] += weight * means[one.there]
            sums[one.there] += weight * means[one.here]
            totals[one.here] += weight
            totals[one.there] += weight
        means = sums / totals
    return means


def _perceived(frames: UInt8[np.ndarray, "t y x 3"]) -> Float[Tensor, "t 3 y x"]:
    """Colours in CIE Lab, in hundredths, where distances are about as one sees them."""
    rows = rearrange(frames, "t y x c -> (t y) x c").astype(np.float32) / 255
    lab = torch.from_numpy(cv2.cvtColor(rows, cv2.COLOR_RGB2LAB)) / 100
    return rearrange(lab, "(t y) x c -> t c y x", t=len(frames))


def _blurred(frames: Float[Tensor, "t 3 y x"]) -> Float[Tensor, "t 3 y x"]:
    """Blur like a painting that knows things to within its patch."""
    reach = round(3 * _BLUR_PX)
    place = torch.arange(-reach, reach + 1, device=frames.device, dtype=frames.dtype)
    kernel = (-place.square() / (2 * _BLUR_PX**2)).exp()
    kernel = kernel / kernel.sum()
    flat = rearrange(frames, "t c y x -> (t c) 1 y x")
    flat = conv2d(pad(flat, (reach, reach, 0, 0), mode="replicate"), kernel[None, None, None])
    flat = conv2d(pad(flat, (0, 0, reach, reach), mode="replicate"), kernel[None, None, :, None])
    return rearrange(flat, "(t c) 1 y x -> t c y x", c=3)
