"""Anti-aliased shapes: each pixel takes as much of a colour as the shape covers of it.

Coverage carries positions to fractions of a pixel, which is what lets them be read back.
"""

import math

import numpy as np
from jaxtyping import Float, Float32, UInt8

Point = Float[np.ndarray, "2"]


def _covered(start: float, stop: float, length: int) -> Float32[np.ndarray, " length"]:
    """Share of each of a row's pixels that lies between two coordinates."""
    pixel = np.arange(length)
    return np.clip(np.minimum(stop, pixel + 1) - np.maximum(start, pixel), 0, 1).astype(np.float32)


def _blend(
    canvas: Float32[np.ndarray, "h w 3"],
    cover: Float32[np.ndarray, "h w"],
    colour: UInt8[np.ndarray, "3"],
) -> None:
    """Lay a colour over a part of the canvas, in place."""
    canvas += cover[..., None] * (colour.astype(np.float32) - canvas)


def draw_box(
    canvas: Float32[np.ndarray, "h w 3"],
    corners: Float[np.ndarray, "4"],
    *,
    line_px: float,
    colour: UInt8[np.ndarray, "3"],
) -> None:
    """Draw the outline of a box; the line lies inside, its outer side is the box.

    Args:
        canvas: What to draw on, in place.
        corners: Left, top, right and bottom in pixels.
        line_px: Width of the line in pixels; a box too small for a hole is filled.
        colour: Red, green and blue levels.
    """
    height, width = canvas.shape[:2]
    left, top, right, bottom = (float(value) for value in corners)

    def filled(inset: float) -> Float32[np.ndarray, "h w"]:
        rows = _covered(top + inset, bottom - inset, height)
        columns = _covered(left + inset, right - inset, width)
        return rows[:, None] * columns[None]

    _blend(canvas, filled(0.0) - filled(line_px), colour)


def _whole_pixels(first: float, last: float, *, margin_px: float, size: int) -> tuple[int, int]:
    """Rows or columns that a stretch and its margin touch, as far as there are any."""
    low, high = min(first, last) - margin_px, max(first, last) + margin_px
    return min(max(math.floor(low), 0), size), min(max(math.ceil(high), 0), size)


def draw_limb(
    canvas: Float32[np.ndarray, "h w 3"],
    start: Point,
    stop: Point,
    *,
    radius_px: float,
    colour: UInt8[np.ndarray, "3"],
) -> None:
    """Draw a line with round ends; a disc where both ends are the same point.

    Args:
        canvas: What to draw on, in place.
        start: One end as (x, y) in pixels.
        stop: The other end.
        radius_px: Half of the line's width in pixels.
        colour: Red, green and blue levels.
    """
    height, width = canvas.shape[:2]
    (x0, y0), (x1, y1) = (tuple(map(float, end)) for end in (start, stop))
    left, right = _whole_pixels(x0, x1, margin_px=radius_px + 1, size=width)
    top, bottom = _whole_pixels(y0, y1, margin_px=radius_px + 1, size=height)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right)[None] + 0.5 - x0
    y = np.arange(top, bottom)[:, None] + 0.5 - y0
    along = x1 - x0, y1 - y0
    length = along[0] ** 2 + along[1] ** 2
    share = np.clip((x * along[0] + y * along[1]) / length, 0, 1) if length > 0 else 0.0 * x * y
    distance = np.hypot(x - share * along[0], y - share * along[1])
    cover = np.clip(radius_px + 0.5 - distance, 0, 1).astype(np.float32)
    _blend(canvas[top:bottom, left:right], cover, colour)
