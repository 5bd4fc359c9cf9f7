"""Anti-aliased shapes: each pixel takes as much of a colour as the shape covers of it.

Coverage carries positions to fractions of a pixel, which is what lets them be read back.
"""

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
    low = np.floor(np.minimum(start, stop) - radius_px - 1).astype(int)
    high = np.ceil(np.maximum(start, stop) + radius_px + 1).astype(int)
    left, right = np.clip([low[0], high[0]], 0, width)
    top, bottom = np.clip([low[1], high[1]], 0, height)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right)[None] + 0.5 - float(start[0])
    y = np.arange(top, bottom)[:, None] + 0.5 - float(start[1])
    along = np.asarray(stop, dtype=np.float64) - np.asarray(start, dtype=np.float64)
    length = float(along @ along)
    share = np.clip((x * along[0] + y * along[1]) / length, 0, 1) if length > 0 else 0.0 * x * y
    distance = np.hypot(x - share * along[0], y - share * along[1])
    cover = np.clip(radius_px + 0.5 - distance, 0, 1).astype(np.float32)
    _blend(canvas[top:bottom, left:right], cover, colour)
