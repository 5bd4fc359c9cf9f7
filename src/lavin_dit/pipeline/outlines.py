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
from dataclasses import dataclass, replace

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from lavin_dit.pipeline.fitting import resize_frames, to_unit_range
from lavin_dit.pipeline.neighbourhoods import (
    NUM_BINS,
    mean_squared_difference,
    neighbourhood_means,
    neighbours,
    perceived,
)

REACH_PX = 7
"""How far away a pixel may be that counts, to the nearest, at the working size."""
WIDTHS = 0.02, 0.05, 0.1, 0.2
"""How different two pixels that count as one may be, as shares of a target's variance."""
LEAST_SHARE = 0.2
"""A smaller share of the drawing counts as none (decision 0023)."""
PASSES = 2
"""How often a painting becomes the mean of its neighbourhood."""
_MOST_SHOWN = 0.25
"""Share of pixels that inputs show better than drawings, from which targets are pictures of the
same."""
_MOST_SHOWN_NEAR = 0.1
"""The same for targets that are near to their inputs."""
_NEAR = 0.85
"""Largest mean change of those, in standard deviations of a target."""
_BLUR_PX = 4.0
"""Deviation of the Gaussian that makes a target as soft as a painting."""
_REACH_ENLARGED_PX = 3
"""Reach of the drawing at the query's own size, in pixels of the working size."""
_MOST_ENLARGED = 4.0
"""Largest size that is drawn, in working sizes."""
_FRAME_STRIDE = 4
"""Frames of a clip from one that is measured to the next: they are much alike."""
_PRIOR_COUNT = 20.0
"""Pairs of pixels for which a bin's distance alone speaks."""
_LEAST = 1e-6
"""Least divisor."""


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
    change: float
    """Sum over frames of the mean size of the change from input to target."""
    num_frames: int
    """Of how many frames."""
    products: Float[Tensor, " widths"]
    """Sum over all values of what drawing a blurred target after its input, by its own pair's
    table, changes, times what it should have changed; for each of the widths."""
    squares: Float[Tensor, " widths"]
    """Sum of the squares of what it changes."""
    shown: Float[Tensor, " widths"]
    """Sum over frames of the share of pixels that the input has nearer to the target than what is
    drawn."""

    def __post_init__(self) -> None:
        """Check what a damaged file can get wrong."""
        for name, shape in _SHAPES.items():
            found = tuple(getattr(self, name).shape)
            if found != shape:
                raise ValueError(f"outlines.{name} must have the shape {shape}, got {found}")

    def __add__(self, other: "Outlines") -> "Outlines":
        """Those of all pairs of two contexts."""
        return Outlines(
            differences=self.differences + other.differences,
            counts=self.counts + other.counts,
            spread=self.spread + other.spread,
            change=self.change + other.change,
            num_frames=self.num_frames + other.num_frames,
            products=self.products + other.products,
            squares=self.squares + other.squares,
            shown=self.shown + other.shown,
        )

    @property
    def share(self) -> float:
        """How much of the drawing a painting gets, by least squares: 0, or 0.2 to 1.

        0 also if targets are pictures of the same.
        """
        chosen = self._chosen()
        if self._are_pictures_of_the_same(chosen):
            return 0.0
        share = self._shares()[chosen].item()
        return share if share >= LEAST_SHARE else 0.0

    @property
    def chosen_weights(self) -> Float[Tensor, "1 distances bins"]:
        """How much a pixel counts beside the middle one, for the best width."""
        return self.weights()[self._chosen()][None]

    def weights(self) -> Float[Tensor, "widths distances bins"]:
        """How much a pixel counts beside the middle one, for each of the widths."""
        of_distance = self.differences.sum(dim=1, keepdim=True)
        of_distance = of_distance / self.counts.sum(dim=1, keepdim=True).clamp_min(1.0)
        expected = (self.differences + _PRIOR_COUNT * of_distance) / (self.counts + _PRIOR_COUNT)
        scales = 2 * max(self._variance, _LEAST) * expected.new_tensor(WIDTHS)
        return (-expected / scales[:, None, None]).exp()

    def _are_pictures_of_the_same(self, chosen: int) -> bool:
        """Whether inputs show many pixels of targets better than drawings do.

        A quarter of them; or a tenth, and targets are hardly further from their inputs than from
        their own mean.
        """
        frames = max(self.num_frames, 1)
        shown = self.shown[chosen].item() / frames
        is_near = self.change < _NEAR * frames * math.sqrt(self._variance)
        return shown >= _MOST_SHOWN or (is_near and shown >= _MOST_SHOWN_NEAR)

    @property
    def _variance(self) -> float:
        """Mean variance of a target's values within a frame; 0 if there are no frames."""
        return self.spread / max(self.num_frames, 1)

    def _shares(self) -> Float[Tensor, " widths"]:
        return (self.products / self.squares.clamp_min(_LEAST)).clamp(0.0, 1.0)

    def _chosen(self) -> int:
        """The width that takes most of the squared error away."""
        shares = self._shares()
        return int((2 * shares * self.products - shares.square() * self.squares).argmax())


_SHAPES = {
    "differences": (REACH_PX, NUM_BINS),
    "counts": (REACH_PX, NUM_BINS),
    "products": (len(WIDTHS),),
    "squares": (len(WIDTHS),),
    "shown": (len(WIDTHS),),
}
NO_OUTLINES = Outlines(
    **{name: torch.zeros(shape) for name, shape in _SHAPES.items()},
    spread=0.0,
    change=0.0,
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
    given, wanted = given[::_FRAME_STRIDE], wanted[::_FRAME_STRIDE]
    colours = perceived(given, device=torch.device("cpu"))
    shown, target = (to_unit_range(frames, device=colours.device) for frames in (given, wanted))
    differences, counts = (torch.zeros(_SHAPES["differences"]).double() for _ in range(2))
    for one in neighbours(colours, reach=REACH_PX):
        unlike = mean_squared_difference(target[one.here], target[one.there]).double()
        bins, row = one.bins.flatten(), one.distance - 1
        differences[row] += torch.bincount(bins, unlike.flatten(), minlength=NUM_BINS)
        counts[row] += torch.bincount(bins, minlength=NUM_BINS)
    tables = replace(
        NO_OUTLINES,
        differences=differences.float(),
        counts=counts.float(),
        spread=float(target.flatten(2).var(dim=2, correction=0).mean(dim=1).sum()),
        change=float((target - shown).abs().flatten(1).mean(dim=1).sum()),
        num_frames=len(target),
    )
    blurred = _blurred(target)
    drawn = neighbourhood_means(blurred, colours, weights=tables.weights(), passes=PASSES)
    change = drawn - blurred
    missed = (drawn - target).abs().mean(dim=2)
    is_shown = (shown - target).abs().mean(dim=1) < missed
    return replace(
        tables,
        products=(change * (target - blurred)).flatten(1).sum(dim=1),
        squares=change.square().flatten(1).sum(dim=1),
        shown=is_shown.float().mean(dim=(2, 3)).sum(dim=1),
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
    drawn = painted.clamp(0.0, 1.0).nan_to_num(0.0)
    weights = outlines.chosen_weights
    for number in range(len(drawn)):  # one by one, as a long clip is large
        own = slice(number, number + 1)
        colours = perceived(query[own], device=drawn.device)
        means = neighbourhood_means(drawn[own], colours, weights=weights, passes=PASSES)[0]
        drawn[own] = torch.lerp(drawn[own], means, share)
    return drawn


def enlarged_after(
    drawn: Float[Tensor, "t 3 y x"],
    query: UInt8[np.ndarray, "t h w 3"],
    *,
    outlines: Outlines,
) -> Float[Tensor, "t 3 h2 w2"]:
    """Enlarge what was drawn at the working size, after the outlines of its query.

    Args:
        drawn: From `drawn_after`.
        query: The query at its own size, no smaller to either side.
        outlines: Those of the pairs.

    Returns:
        Values in [0, 1], at the query's size, but at most four times as large as they were.

    Source:
        Ours, decision 0023.
    """
    small = drawn.shape[2:]
    height, width = (
        min(own, round(_MOST_ENLARGED * side))
        for own, side in zip(query.shape[1:3], small, strict=True)
    )
    steps = height / small[0], width / small[1]
    weights = outlines.chosen_weights[:, :_REACH_ENLARGED_PX]
    enlarged = drawn.new_empty(len(drawn), 3, height, width)
    for number in range(len(drawn)):
        own = slice(number, number + 1)
        large = interpolate(drawn[own], size=(height, width), mode="bilinear")
        colours = perceived(resize_frames(query[own], (height, width)), device=drawn.device)
        means = neighbourhood_means(large, colours, weights=weights, steps=steps)[0]
        enlarged[own] = torch.lerp(large, means, outlines.share)
    return enlarged


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
