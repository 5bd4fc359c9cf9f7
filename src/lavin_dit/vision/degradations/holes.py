"""Holes to be filled: a square, a rectangle or brush strokes."""

from typing import Literal

import numpy as np
from jaxtyping import Bool

from lavin_dit.vision.codecs.drawing import draw_limb
from lavin_dit.vision.geometry import Size

HoleKind = Literal["square", "rectangle", "strokes"]
HOLE_KINDS: tuple[HoleKind, ...] = ("square", "rectangle", "strokes")

_WHITE = np.full(3, 255, dtype=np.uint8)


def draw_hole(
    size: Size, *, kind: HoleKind, generator: np.random.Generator
) -> Bool[np.ndarray, "h w"]:
    """Draw a hole somewhere in a frame.

    Args:
        size: Height and width of the frame.
        kind: ``square``: half as long as the shorter side, as in the paper's evaluation (128 of
            256 pixels). ``rectangle``: sides of a quarter to 0.6 of the frame's. ``strokes``: 3
            to 6 bent strokes as wide as 5 to 9 % of the shorter side.
        generator: Source of all randomness.

    Returns:
        True inside; never empty and never the whole frame, for frames of 16 x 16 pixels and more.

    Raises:
        ValueError: If the frame is smaller.
    """
    if min(size.height, size.width) < 16:
        raise ValueError(f"a frame of {size} is too small for a hole")
    if kind == "strokes":
        return _draw_strokes(size, generator)
    side = min(size.height, size.width) // 2
    height = width = side
    if kind == "rectangle":
        height = round(size.height * generator.uniform(0.25, 0.6))
        width = round(size.width * generator.uniform(0.25, 0.6))
    top = int(generator.integers(0, size.height - height + 1))
    left = int(generator.integers(0, size.width - width + 1))
    hole = np.zeros((size.height, size.width), dtype=np.bool_)
    hole[top : top + height, left : left + width] = True
    return hole


def _draw_strokes(size: Size, generator: np.random.Generator) -> Bool[np.ndarray, "h w"]:
    """Strokes of four bends each."""
    side = min(size.height, size.width)
    canvas = np.zeros((size.height, size.width, 3), dtype=np.float32)
    for _ in range(int(generator.integers(3, 7))):
        radius_px = max(0.75, side * float(generator.uniform(0.025, 0.045)))
        point = generator.uniform([0, 0], [size.width, size.height])
        heading = generator.uniform(0, 2 * np.pi)
        for _ in range(4):
            heading += generator.uniform(-0.8, 0.8)
            step = side * generator.uniform(0.08, 0.2)
            end = point + step * np.array([np.cos(heading), np.sin(heading)])
            draw_limb(canvas, point, end, radius_px=radius_px, colour=_WHITE)
            point = end
    return canvas[..., 0] > 127
