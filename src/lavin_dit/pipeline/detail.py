"""Detail that the autoencoder loses, given back to predictions as far as targets share it.

What an autoencoder leaves of a photo is soft, and so is a prediction, whatever the J-DiT knows. But
the target of a photo that is to be coloured or repaired has much of the photo's own texture, and
that is at hand: it is what is missing in the query's own reconstruction. How much of it targets
keep is measured on the context's pairs, whatever their task: next to nothing is kept of a photo
whose edges or depth are asked for. Where a painting is brighter or darker than its query, something
else is there now, such as what fills a hole, and the query's detail has no place.

Beside it, changes (`pipeline.changes`) and outlines (`pipeline.outlines`) are measured on a pair.

Clips are gone through frame by frame, as floats of a large one would fill the memory. Where an
input is a single frame, each frame of the target is compared with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from lavin_dit.pipeline.changes import NO_CHANGES, Changes, brightness, measured_changes
from lavin_dit.pipeline.fitting import (
    Placement,
    cut_margins,
    fit_frames,
    resize_frames,
    to_unit_range,
    unfit_frames,
)
from lavin_dit.pipeline.outlines import NO_OUTLINES, Outlines, measured_outlines

LEAST_SHARE = 0.2
"""A smaller share counts as none: it is by chance, as where annotations are asked for, or of no use
(decision 0021)."""
MOST_SHARE = 2.0
"""A larger share counts as this one: noise would be seen."""
_ALIKE_BELOW = 0.07
_UNLIKE_FROM = 0.21
_WINDOW_PX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BandFit:
    """What inputs and targets of pairs have in common of one band of detail."""

    product: float
    """Sum over all pixels of an input's detail times its target's, weighted by agreement."""
    square: float
    """Sum of the squares of inputs' detail, likewise weighted."""

    def __add__(self, other: "BandFit") -> "BandFit":
        """That of all pairs of two contexts."""
        return BandFit(product=self.product + other.product, square=self.square + other.square)

    @property
    def share(self) -> float:
        """Share of a query's detail that its target has, by least squares; 0, or 0.2 to 2."""
        if self.square == 0:
            return 0.0
        share = min(self.product / self.square, MOST_SHARE)
        return share if share >= LEAST_SHARE else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDetail:
    """What inputs and targets of pairs have in common.

    Scrambled pixels have nothing fine in common with what is behind the glass, but something
    coarse: so the two are measured and given apart.

    Source:
        Ours, decisions 0021, 0022 and 0023.
    """

    fine: BandFit
    """Of what the autoencoder loses and half the working resolution can't show."""
    coarse: BandFit
    """Of the rest of what it loses."""
    changes: Changes = NO_CHANGES
    """How they differ in what it keeps."""
    outlines: Outlines = NO_OUTLINES
    """How far things end in targets where they end in inputs."""

    def __add__(self, other: "SharedDetail") -> "SharedDetail":
        """That of all pairs of two contexts; no outlines where one of them was measured without."""
        known = all(part.outlines.num_frames or not part.fine.square for part in (self, other))
        return SharedDetail(
            fine=self.fine + other.fine,
            coarse=self.coarse + other.coarse,
            changes=self.changes + other.changes,
            outlines=self.outlines + other.outlines if known else NO_OUTLINES,
        )

    @property
    def is_drawn(self) -> bool:
        """Whether targets follow the outlines of their inputs, and are no pictures of the same."""
        return self.outlines.share > 0

    @property
    def is_shared(self) -> bool:
        """Whether targets have anything of what the autoencoder loses of their inputs.

        If they are drawn after their outlines, what they have of it is by chance and counts as
        nothing.
        """
        return not self.is_drawn and (self.fine.share > 0 or self.coarse.share > 0)

    @property
    def is_of_use(self) -> bool:
        """Whether it changes a painting."""
        return self.is_shared or self.is_drawn


_NONE = BandFit(product=0.0, square=0.0)
NO_DETAIL = SharedDetail(fine=_NONE, coarse=_NONE)
"""That of pairs that can't be compared."""


def are_comparable(num_frames: int, target_num_frames: int | None) -> bool:
    """Whether the frames of an input can be compared with those of its target.

    Args:
        num_frames: Frames of the input.
        target_num_frames: Frames of the target; None if as many.
    """
    return target_num_frames is None or num_frames in (1, target_num_frames)


def brightness_agreement(
    one: Float[Tensor, "t 3 y x"], other: Float[Tensor, "s 3 y2 x2"]
) -> Float[Tensor, "t 1 y x"]:
    """Tell where two soft pictures are about as bright as each other.

    Args:
        one: At the working size, around [0, 1].
        other: Likewise; of as many frames, or of one, which is compared with all.

    Returns:
        1 where the absolute difference, averaged over 3 x 3 pixels, is less than 0.07, falling to 0
        at 0.21. Colours don't matter: a photo that was given colours agrees with its grey query.

    Source:
        Ours, decision 0021.
    """
    if other.shape[2:] != one.shape[2:]:
        other = interpolate(other, size=one.shape[2:], mode="bilinear", antialias=True)
    difference = (brightness(one.clamp(0.0, 1.0)) - brightness(other.clamp(0.0, 1.0))).abs()
    mean = avg_pool2d(
        difference, _WINDOW_PX, stride=1, padding=_WINDOW_PX // 2, count_include_pad=False
    )
    return ((_UNLIKE_FROM - mean) / (_UNLIKE_FROM - _ALIKE_BELOW)).clamp(0.0, 1.0)


def shared_detail(
    lost_of_input: Float[Tensor, "t 3 h w"],
    lost_of_target: Float[Tensor, "t 3 h w"],
    placement: Placement,
    *,
    agreement: Float[Tensor, "t 1 y x"],
) -> SharedDetail:
    """Measure what the two halves of a pair have in common where they agree.

    Args:
        lost_of_input: From `lost_detail`.
        lost_of_target: Likewise, at the same size.
        placement: Where the input lies on the canvas.
        agreement: From `brightness_agreement`, of what the autoencoder leaves of both.
    """
    weight = _resized_to(agreement, lost_of_input)
    bands = zip(
        _fine_and_coarse(lost_of_input, placement),
        _fine_and_coarse(lost_of_target, placement),
        strict=True,
    )
    fine, coarse = (
        BandFit(
            product=float((weight * given * wanted).sum()),
            square=float((weight * given.square()).sum()),
        )
        for given, wanted in bands
    )
    return SharedDetail(fine=fine, coarse=coarse)


def lost_detail(
    frames: UInt8[np.ndarray, "t h w 3"],
    rebuilt: Float[Tensor, "t 3 y x"],
    placement: Placement,
) -> Float[Tensor, "t 3 h w"]:
    """What is missing in the reconstruction of a clip, at the clip's own size.

    Args:
        frames: The clip.
        rebuilt: What the autoencoder leaves of it, on the canvas, values around [0, 1].
        placement: Where it lies there.
    """
    return to_unit_range(frames, device=rebuilt.device) - unfit_frames(rebuilt, placement)


def lost_working_detail(
    frames: UInt8[np.ndarray, "t h w 3"],
    rebuilt: Float[Tensor, "t 3 y x"],
    placement: Placement,
) -> Float[Tensor, "t 3 y2 x2"]:
    """The same at the working size, without margins.

    Args:
        frames: The clip, at its own size.
        rebuilt: As in `lost_detail`.
        placement: As in `lost_detail`.
    """
    on_canvas = to_unit_range(fit_frames(frames, placement), device=rebuilt.device)
    return cut_margins(on_canvas - rebuilt.clamp(0.0, 1.0), placement)


def with_detail(
    painted: Float[Tensor, "t 3 h w"],
    lost: Float[Tensor, "s 3 h w"],
    placement: Placement,
    *,
    detail: SharedDetail,
    agreement: Float[Tensor, "t 1 y x"],
) -> Float[Tensor, "t 3 h w"]:
    """Give a painting as much of its query's lost detail as targets have, where both agree.

    Args:
        painted: The painting, around [0, 1].
        lost: From `lost_detail` or `lost_working_detail`, at the painting's size; of as many
            frames, or of one, which all are given.
        placement: Where the query lies on the canvas.
        detail: What targets have of it.
        agreement: From `brightness_agreement`, of the painting and what the autoencoder leaves of
            the query.

    Returns:
        Values in [0, 1].
    """
    given = painted.clamp(0.0, 1.0)
    weight = _resized_to(agreement, painted)
    bands = _fine_and_coarse(lost, placement)
    for band, fit in zip(bands, (detail.fine, detail.coarse), strict=True):
        given.add_(weight * band, alpha=fit.share)
    return given.clamp_(0.0, 1.0)


def pair_detail(
    halves: Sequence[UInt8[np.ndarray, "_ _ _ 3"]],
    rebuilt: Sequence[Float[Tensor, "_ 3 y x"]],
    placements: Sequence[Placement],
) -> SharedDetail:
    """Measure what the halves of one pair have in common: fine detail and the rest.

    Detail is told at the input's size; changes, and where both agree, at the working size, by what
    the autoencoder leaves of both; outlines there as well, by what they are.

    Args:
        halves: Input and target; equally long, or the input of one frame. Sizes may differ.
        rebuilt: What the autoencoder leaves of each, on the canvas.
        placements: Where each lies there.
    """
    height, width = halves[0].shape[1:3]
    at_input = replace(placements[1], source_height=height, source_width=width)
    inside = [
        cut_margins(canvas, placement)
        for canvas, placement in zip(rebuilt, placements, strict=True)
    ]
    changes = measured_changes(*inside)
    total = replace(NO_DETAIL, changes=changes)
    for number in range(len(halves[1])):
        of_input, one = frame_beside(number, len(halves[0])), slice(number, number + 1)
        target = resize_frames(halves[1][one], (height, width))
        total += shared_detail(
            lost_detail(halves[0][of_input], rebuilt[0][of_input], placements[0]),
            lost_detail(target, rebuilt[1][one], at_input),
            placements[0],
            agreement=brightness_agreement(inside[0][of_input], inside[1][one]),
        )
    return replace(total, outlines=_outlines_of(halves, placements[0]))


def _outlines_of(halves: Sequence[UInt8[np.ndarray, "_ _ _ 3"]], placement: Placement) -> Outlines:
    """Those of one pair; none where one frame of the input belongs to several of the target."""
    if len(halves[0]) != len(halves[1]):
        return NO_OUTLINES
    size = placement.height, placement.width
    given, wanted = (resize_frames(half, size) for half in halves)
    return measured_outlines(given, wanted)


def frame_beside(number: int, num_frames: int) -> slice:
    """The frame of an input that belongs to a frame of its target: its only one, or the same.

    Args:
        number: Which frame of the target.
        num_frames: Frames of the input.
    """
    place = min(number, num_frames - 1)
    return slice(place, place + 1)


def _resized_to(
    weight: Float[Tensor, "t 1 y x"], like: Float[Tensor, "s 3 h w"]
) -> Float[Tensor, "t 1 h w"]:
    size = like.shape[2:]
    if weight.shape[2:] == size:
        return weight
    return interpolate(weight, size=size, mode="bilinear", antialias=True)


def _fine_and_coarse(
    lost: Float[Tensor, "t 3 h w"], placement: Placement
) -> tuple[Float[Tensor, "t 3 h w"], Float[Tensor, "t 3 h w"]]:
    """Part detail where half the working resolution ends."""
    half = max(1, placement.height // 2), max(1, placement.width // 2)
    small = interpolate(lost, size=half, mode="bicubic", antialias=True)
    coarse = interpolate(small, size=lost.shape[2:], mode="bicubic", antialias=True)
    return lost - coarse, coarse
