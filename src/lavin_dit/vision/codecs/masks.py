"""A foreground mask in two colours: white on black, unless a context asks for others."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, UInt8

from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.geometry import (
    ClipShape,
    Size,
    Window,
    clip_shape,
    crop_pixels,
    flip_pixels,
    resize_nearest,
)

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """Which pixels belong to the foreground.

    Attributes:
        foreground: True inside.
    """

    foreground: Bool[np.ndarray, "t h w"]

    def __post_init__(self) -> None:
        """Check the shape and make the array read-only."""
        foreground = sealed(
            self.foreground, name="Mask.foreground", shape=("t", "h", "w"), dtype=np.bool_
        )
        object.__setattr__(self, "foreground", foreground)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return clip_shape(self.foreground)

    def crop(self, window: Window) -> "Mask":
        """Cut the same window out of every frame."""
        return replace(self, foreground=crop_pixels(self.foreground, window))

    def flip(self) -> "Mask":
        """Mirror left to right."""
        return replace(self, foreground=flip_pixels(self.foreground))

    def resize(self, size: Size) -> "Mask":
        """Take the nearest pixel's answer."""
        return replace(self, foreground=resize_nearest(self.foreground, size))

    def take_frames(self, start: int, stop: int) -> "Mask":
        """Keep the frames from start up to, not including, stop."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(self, foreground=self.foreground[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskCodec:
    """Paints a mask in two colours and reads each pixel as the nearer of them.

    Invariance: none, and no key: the colours are settings, since a context may define others.

    Attributes:
        foreground: Red, green and blue of the inside, in levels.
        background: Red, green and blue of the outside, in levels.

    Source:
        Ours (ADR 10). The paper extracts binary masks from predictions (section B.2) without
        saying how.
    """

    foreground: Colour = (255, 255, 255)
    background: Colour = (0, 0, 0)

    def __post_init__(self) -> None:
        """Refuse colours that cannot be told apart."""
        levels = np.array([self.foreground, self.background])
        if levels.min() < 0 or levels.max() > 255:
            raise ValueError(f"levels lie in 0 to 255, got {self.foreground}, {self.background}")
        distance = float(np.linalg.norm(levels[0] - levels[1]))
        if distance < 64:
            raise ValueError(
                f"colours {self.foreground} and {self.background} are {distance:.0f} levels "
                "apart; reading needs 64"
            )

    def paint(
        self, annotation: Mask, *, key: None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], None]:
        """Paint the inside and the outside.

        Args:
            annotation: What to paint.
            key: There is none.

        Returns:
            The picture and no key.
        """
        table = np.array([self.background, self.foreground], dtype=np.uint8)
        return table[annotation.foreground.astype(np.intp)], key

    def read(self, picture: UInt8[np.ndarray, "t h w 3"], *, key: None = None) -> Mask:
        """Read each pixel as the nearer colour.

        Args:
            picture: A painted clip.
            key: There is none.

        Returns:
            The mask.
        """
        del key
        inside = np.array(self.foreground, dtype=np.float32)
        outside = np.array(self.background, dtype=np.float32)
        along = (picture.astype(np.float32) - outside) @ (inside - outside)
        return Mask(foreground=along > np.sum((inside - outside) ** 2) / 2)
