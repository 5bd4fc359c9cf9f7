"""What the pictures for people are drawn with: a colour scale, tints, outlines and labels."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, UInt8
from PIL import Image, ImageDraw

from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import ClipShape, to_levels

UNKNOWN_LEVEL = 48  # dark grey: nothing is known here
_OPACITY = 0.6
_DIMMED = 0.45

# From far to near: dark violet over red and orange to pale yellow, in even steps of lightness.
_SCALE = np.array(
    [
        [13, 8, 45], [59, 15, 92], [110, 24, 110], [160, 42, 99], [205, 66, 71],
        [237, 105, 37], [251, 155, 6], [247, 209, 61], [252, 255, 190],
    ],
    dtype=np.float32,
)  # fmt: skip


def colour_scale(share: Float[np.ndarray, "t h w"]) -> UInt8[np.ndarray, "t h w 3"]:
    """Colours of shares from 0 (dark) to 1 (bright)."""
    place = np.clip(share, 0, 1) * (len(_SCALE) - 1)
    lower = np.minimum(place.astype(np.intp), len(_SCALE) - 2)
    rest = (place - lower)[..., None]
    colours = _SCALE[lower] * (1 - rest) + _SCALE[lower + 1] * rest
    return to_levels(colours.astype(np.float32))


def ground(
    photo: Rgb | None, shape: ClipShape, *, dimmed: bool = False
) -> Float32[np.ndarray, "t h w 3"]:
    """What to draw on: the photo, or dark grey where there is none.

    Args:
        photo: What was annotated.
        shape: Frames, height and width of the annotation.
        dimmed: Whether to darken the photo, so that thin lines stand out.

    Returns:
        A canvas of levels.

    Raises:
        ValueError: If the photo is of another shape than the annotation.
    """
    if photo is None:
        size = (shape.num_frames, shape.height, shape.width, 3)
        return np.full(size, UNKNOWN_LEVEL, dtype=np.float32)
    if photo.shape != shape:
        raise ValueError(f"a result of {shape} cannot be drawn on a photo of {photo.shape}")
    return photo.pixels.astype(np.float32) * np.float32(_DIMMED if dimmed else 1)


def tint(
    canvas: Float32[np.ndarray, "t h w 3"],
    colours: UInt8[np.ndarray, "t h w 3"],
    where: Bool[np.ndarray, "t h w"],
) -> None:
    """Lay colours over a part of a canvas, in place, so that the canvas shines through."""
    mixed = canvas + np.float32(_OPACITY) * (colours - canvas)
    np.copyto(canvas, mixed, where=where[..., None])


def outline(ids: Int32[np.ndarray, "t h w"]) -> Bool[np.ndarray, "t h w"]:
    """Where a thing's pixel has something else on its right or below."""
    edge = np.zeros(ids.shape, dtype=np.bool_)
    edge[:, :, :-1] |= ids[:, :, :-1] != ids[:, :, 1:]
    edge[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    return edge


def write_label(
    frame: UInt8[np.ndarray, "h w 3"], text: str, *, place: tuple[float, float]
) -> None:
    """Write a word on a dark ground, in place and inside the frame.

    Args:
        frame: What to write on.
        text: The word.
        place: (x, y) in pixels of its upper left corner.
    """
    image = Image.fromarray(frame)
    pen = ImageDraw.Draw(image)
    left, top, right, bottom = pen.textbbox((0, 0), text)
    x = max(0.0, min(place[0], image.width - right - 2.0))
    y = max(0.0, min(place[1], image.height - bottom - 2.0))
    pen.rectangle((x + left - 1, y + top - 1, x + right + 1, y + bottom + 1), fill=(20, 20, 20))
    pen.text((x, y), text, fill=(255, 255, 255))
    frame[...] = np.asarray(image)
