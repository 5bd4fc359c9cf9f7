"""Pictures as themselves: the input of most tasks and the target of the generative ones."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.geometry import (
    ClipShape,
    Size,
    Window,
    clip_shape,
    crop_pixels,
    flip_pixels,
    resize_linear,
    to_levels,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rgb:
    """An RGB clip.

    Attributes:
        pixels: Red, green and blue levels in 0 to 255, sRGB.
    """

    pixels: UInt8[np.ndarray, "t h w 3"]

    def __post_init__(self) -> None:
        """Check the shape and make the array read-only."""
        pixels = sealed(self.pixels, name="Rgb.pixels", shape=("t", "h", "w", 3), dtype=np.uint8)
        object.__setattr__(self, "pixels", pixels)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return clip_shape(self.pixels)

    def crop(self, window: Window) -> "Rgb":
        """Cut the same window out of every frame."""
        return replace(self, pixels=crop_pixels(self.pixels, window))

    def flip(self) -> "Rgb":
        """Mirror left to right."""
        return replace(self, pixels=flip_pixels(self.pixels))

    def resize(self, size: Size) -> "Rgb":
        """Interpolate; shrinking averages over each new pixel's footprint."""
        if size == self.shape.size:
            return self
        return replace(self, pixels=to_levels(resize_linear(self.pixels.astype(np.float32), size)))

    def take_frames(self, start: int, stop: int) -> "Rgb":
        """Keep the frames from start up to, not including, stop."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(self, pixels=self.pixels[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class RgbCodec:
    """Paints a picture as itself.

    Invariance: none, and no key. A reading differs from what was painted by what the autoencoder
    did to it.

    Source:
        Paper, section 3.1: every task's target is an RGB picture.
    """

    def paint(
        self, annotation: Rgb, *, key: None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], None]:
        """The pixels as they are, and no key."""
        return annotation.pixels, key

    def read(self, picture: UInt8[np.ndarray, "t h w 3"], *, key: None = None) -> Rgb:
        """The pixels as they are."""
        del key
        return Rgb(pixels=picture)
