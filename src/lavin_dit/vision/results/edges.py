"""Edges: grey PNG, and lines over the photo."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import to_levels
from lavin_dit.vision.results.files import frame_names, write_png
from lavin_dit.vision.results.overlay import ground

_COLOUR = np.array([255, 230, 60], dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgesResult:
    """Edges that were read from a picture.

    Attributes:
        annotation: The edges.
    """

    annotation: Edges

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """Yellow lines.

        Args:
            photo: Drawn underneath, dimmed.

        Returns:
            The picture.
        """
        canvas = ground(photo, self.annotation.shape, dimmed=True)
        canvas += self.annotation.strength[..., None] * (_COLOUR - canvas)
        return to_levels(canvas)

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write an 8-bit grey PNG per frame: strength times 255.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the files without their ending.

        Returns:
            The files written.
        """
        levels = to_levels(self.annotation.strength * np.float32(255))
        names = frame_names(stem, self.annotation.shape.num_frames)
        return tuple(
            write_png(folder / f"{name}.png", frame)
            for name, frame in zip(names, levels, strict=True)
        )
