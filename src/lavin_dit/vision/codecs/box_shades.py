"""Colours of boxes whose colour names their class: boxes of a class that meet differ in shade."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32

from lavin_dit.vision.codecs.palette import CLASS_LINES

_SPARE_PX = 2.0  # that a blur adds to the width of a line


def _meeting(
    corners: Float32[np.ndarray, "t n 4"], present: Bool[np.ndarray, "t n"], line_px: int
) -> Bool[np.ndarray, "n n"]:
    """Which outlines come so close in a frame that reading could take them for one.

    Reading joins what lies within a line's width of both. A box deep inside another is apart.
    """
    reach = 2 * line_px + _SPARE_PX
    one, two = corners[:, :, None], corners[:, None]
    gap = np.maximum(one[..., :2] - two[..., 2:], two[..., :2] - one[..., 2:]).max(axis=-1)
    depth = np.minimum(two[..., :2] - one[..., :2], one[..., 2:] - two[..., 2:]).min(axis=-1)
    inside = np.maximum(depth, depth.swapaxes(1, 2)) > line_px + reach
    both = present[:, :, None] & present[:, None]
    return (both & (gap <= reach) & ~inside).any(axis=0) & ~np.eye(corners.shape[1], dtype=np.bool_)


def shaded_colours(
    groups: Sequence[int],
    *,
    corners: Float32[np.ndarray, "t n 4"],
    present: Bool[np.ndarray, "t n"],
    line_px: int,
) -> tuple[int, ...]:
    """Give each box a shade of its class's colour that no box which it meets has.

    The largest box chooses first, and takes the first shade of its class unless a box that it
    meets has it; where all are taken, the one that fewest have. So most boxes of a class have one
    colour, and which box has another can be seen from where they are.

    Args:
        groups: Row of ``CLASS_LINES`` for each box: the colours of its class.
        corners: Left, top, right and bottom of each box in each frame, in pixels.
        present: Whether the box is in the frame.
        line_px: Width of the lines in pixels.

    Returns:
        Index into ``LINE_COLOURS`` for each box.

    Source:
        Ours (ADR 13).
    """
    meeting = _meeting(corners, present, line_px)
    extents = np.clip(corners[..., 2:] - corners[..., :2], 0, None)
    areas = np.where(present, extents.prod(axis=-1), 0).max(axis=0, initial=0)
    own = np.array(groups, dtype=np.int64)
    shades = np.full(len(own), -1, dtype=np.int64)
    for box in np.argsort(-areas, kind="stable"):
        near = shades[meeting[box] & (own == own[box]) & (shades >= 0)]
        shades[box] = int(np.argmin(np.bincount(near, minlength=CLASS_LINES.shape[1])))
    return tuple(int(colour) for colour in CLASS_LINES[own, shades])
