"""From a painting on its canvas to a picture that keeps of its query what it should."""

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
from lavin_dit.pipeline.fitting import Placement, cut_margins, unfit_frames


def finished(
    painted: Float[Tensor, "t 3 y x"],
    placement: Placement,
    frames: UInt8[np.ndarray, "s h w 3"],
    *,
    rebuilt: Float[Tensor, "s 3 y x"] | None,
    detail: SharedDetail | None,
) -> tuple[Float[Tensor, "t 3 h2 w2"], Float[Tensor, "t 3 y2 x2"]]:
    """Take a painting off its canvas, weigh it against the query and give it the query's detail.

    Args:
        painted: The painting, on the canvas, around [0, 1].
        placement: Where the query lay.
        frames: The query, at its own size; as many frames as the painting, or one.
        rebuilt: What the autoencoder leaves of it, on the canvas; None where nothing is kept.
        detail: What inputs and targets of the pairs have in common; None likewise.

    Returns:
        The painting at the query's own size, and at the working size without margins; in [0, 1]
        where something is kept of the query, and otherwise around it.

    Source:
        Ours, decisions 0021 and 0022.
    """
    if rebuilt is None or detail is None:
        return unfit_frames(painted, placement), cut_margins(painted, placement)
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
    return pixels, inside
