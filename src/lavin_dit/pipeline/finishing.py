"""From a painting on its canvas to a picture that keeps of its query what it should."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from lavin_dit.pipeline.changes import weighed_against_query
from lavin_dit.pipeline.detail import (
    SharedDetail,
    brightness_agreement,
    frame_beside,
    lost_detail,
    lost_working_detail,
    with_detail,
)
from lavin_dit.pipeline.fitting import (
    Placement,
    cut_margins,
    resize_frames,
    resized,
    unfit_frames,
)
from lavin_dit.pipeline.outlines import Outlines, drawn_after, enlarged_after

FINISHING_VERSION = 4
"""Moves with what predictions keep of their queries, so that an evaluation mixes no two of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A painting with what it keeps of its query, at several sizes.

    Values lie in [0, 1] where something is kept, and otherwise around it.
    """

    pixels: Float[Tensor, "t 3 h w"]
    """At the query's own size."""
    working: Float[Tensor, "t 3 y x"]
    """At the working size, without margins."""
    drawn: Float[Tensor, "t 3 y2 x2"] | None = None
    """At up to four times that, where it is drawn after the outlines of a larger query."""


def finished(
    painted: Float[Tensor, "t 3 y x"],
    placement: Placement,
    frames: UInt8[np.ndarray, "s h w 3"],
    *,
    rebuilt: Float[Tensor, "s 3 y x"] | None,
    detail: SharedDetail | None,
) -> Finished:
    """Take a painting off its canvas with what it keeps of its query.

    What is no picture of the same is drawn after the query's outlines, at the query's own size too;
    what is one is weighed against it and given its detail. Both as far as pairs say so.

    Args:
        painted: The painting, on the canvas, around [0, 1].
        placement: Where the query lay.
        frames: The query, at its own size; as many frames as the painting, or one.
        rebuilt: What the autoencoder leaves of it, on the canvas; None where neither values nor
            detail are kept.
        detail: What inputs and targets of the pairs have in common; None where nothing is kept.

    Source:
        Ours, decisions 0021, 0022 and 0023.
    """
    if detail is not None and detail.is_drawn and len(frames) == len(painted):
        query = resize_frames(frames, (placement.height, placement.width))
        inside = cut_margins(painted, placement)
        inside = drawn_after(inside, query, outlines=detail.outlines)
        return _enlarged(inside, frames, outlines=detail.outlines)
    if rebuilt is None or detail is None:
        return Finished(
            pixels=unfit_frames(painted, placement), working=cut_margins(painted, placement)
        )
    painted = weighed_against_query(painted, rebuilt, placement, changes=detail.changes)
    pixels, inside = unfit_frames(painted, placement), cut_margins(painted, placement)
    agreement = brightness_agreement(inside, cut_margins(rebuilt, placement))
    lost = lost_working_detail(frames, rebuilt, placement)
    inside = with_detail(inside, lost, placement, detail=detail, agreement=agreement)
    for number in range(len(pixels)):
        one, of_query = slice(number, number + 1), frame_beside(number, len(frames))
        lost = lost_detail(frames[of_query], rebuilt[of_query], placement)
        pixels[one] = with_detail(
            pixels[one], lost, placement, detail=detail, agreement=agreement[one]
        )
    return Finished(pixels=pixels, working=inside)


def _enlarged(
    working: Float[Tensor, "t 3 y x"],
    frames: UInt8[np.ndarray, "t h w 3"],
    *,
    outlines: Outlines,
) -> Finished:
    """What was drawn at the working size, at its query's own, which may also be smaller."""
    height, width = frames.shape[1:3]
    smaller = height < working.shape[2] or width < working.shape[3]
    if smaller or (height, width) == working.shape[2:]:
        return Finished(pixels=resized(working, (height, width)), working=working)
    drawn = enlarged_after(working, frames, outlines=outlines)
    return Finished(pixels=resized(drawn, (height, width)), working=working, drawn=drawn)
