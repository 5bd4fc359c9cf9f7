"""Edges as white lines on black."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.geometry import (
    ClipShape,
    Size,
    Window,
    clip_shape,
    crop_pixels,
    flip_pixels,
    resize_maximum,
    to_levels,
)

_SHARPENING = 0.5  # undoes a blur of 0.7 px on lines one pixel wide; harmless without blur


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """How strongly each pixel is an edge.

    Attributes:
        strength: 0 for none to 1; the edges of a detector that decides are 0 or 1.
    """

    strength: Float32[np.ndarray, "t h w"]

    def __post_init__(self) -> None:
        """Check shape and range, and make the array read-only."""
        strength = sealed(
            self.strength, name="Edges.strength", shape=("t", "h", "w"), dtype=np.float32
        )
        if not ((strength >= 0) & (strength <= 1)).all():
            raise ValueError("Edges.strength must lie in 0 to 1")
        object.__setattr__(self, "strength", strength)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return clip_shape(self.strength)

    def crop(self, window: Window) -> "Edges":
        """Cut the same window out of every frame."""
        return replace(self, strength=crop_pixels(self.strength, window))

    def flip(self) -> "Edges":
        """Mirror left to right."""
        return replace(self, strength=flip_pixels(self.strength))

    def resize(self, size: Size) -> "Edges":
        """Keep the strongest edge that a new pixel overlaps, so that lines do not break."""
        return replace(self, strength=resize_maximum(self.strength, size))

    def take_frames(self, start: int, stop: int) -> "Edges":
        """Keep the frames from start up to, not including, stop."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(self, strength=self.strength[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCodec:
    """Paints edges white on black and reads them back.

    Invariance: none, and no key.

    Attributes:
        binary: Whether reading decides: it then sharpens the picture, so that blurred lines of
            one pixel stay one pixel wide, and cuts at one half. Otherwise brightness is strength.

    Source:
        Ours (ADR 10). The paper's edges come from a detector that decides (section B.1).
    """

    binary: bool = True

    def paint(
        self, annotation: Edges, *, key: None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], None]:
        """Paint strength as grey.

        Args:
            annotation: What to paint.
            key: There is none.

        Returns:
            The picture and no key.
        """
        grey = to_levels(annotation.strength * np.float32(255))
        return np.repeat(grey[..., None], 3, axis=-1), key

    def read(self, picture: UInt8[np.ndarray, "t h w 3"], *, key: None = None) -> Edges:
        """Read strength from brightness.

        Args:
            picture: A painted clip.
            key: There is none.

        Returns:
            The edges; 0 or 1 where this codec decides.
        """
        del key
        grey = picture.mean(axis=-1, dtype=np.float32) / np.float32(255)
        if not self.binary:
            return Edges(strength=grey)
        padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
        around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
        around += padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
        sharp = grey - np.float32(_SHARPENING) * (around - 4 * grey)
        return Edges(strength=(sharp > 0.5).astype(np.float32))
