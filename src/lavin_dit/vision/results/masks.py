"""A foreground mask: black and white PNG, and a tinted photo."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import to_levels
from lavin_dit.vision.results.files import frame_names, write_png
from lavin_dit.vision.results.overlay import ground, outline, tint

_COLOUR = (255, 64, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskResult:
    """A mask that was read from a picture.

    Attributes:
        annotation: The mask.
    """

    annotation: Mask

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """The foreground in red, with a white outline.

        Args:
            photo: Drawn underneath.

        Returns:
            The picture.
        """
        inside = self.annotation.foreground
        canvas = ground(photo, self.annotation.shape)
        red = np.broadcast_to(np.array(_COLOUR, dtype=np.uint8), canvas.shape)
        tint(canvas, red, inside)
        canvas[outline(inside.astype(np.int32))] = 255
        return to_levels(canvas)

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write an 8-bit PNG per frame: 255 for the foreground, 0 for the rest.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the files without their ending.

        Returns:
            The files written.
        """
        levels = self.annotation.foreground.astype(np.uint8) * np.uint8(255)
        names = frame_names(stem, self.annotation.shape.num_frames)
        return tuple(
            write_png(folder / f"{name}.png", frame)
            for name, frame in zip(names, levels, strict=True)
        )
