"""Pictures as results: PNG of an image; mp4 and frames of a clip."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.results.files import frame_names, write_atomically, write_png
from lavin_dit.vision.video_frames import encode_video


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureResult:
    """A picture or clip that was painted: the result of tasks whose target is a photo.

    Attributes:
        annotation: The picture.
        frames_per_second: Speed at which a clip is saved.
    """

    annotation: Rgb
    frames_per_second: float = 12.0

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """The picture itself.

        Args:
            photo: Not drawn.

        Returns:
            The picture.
        """
        del photo
        return self.annotation.pixels

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write a PNG per frame, and of a clip an mp4.

        The mp4 is H.264, which loses a little; with full colour (4:4:4), which not every player
        shows, only where height or width is odd.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the files without their ending.

        Returns:
            The files written.
        """
        pixels = self.annotation.pixels
        frames = tuple(
            write_png(folder / f"{name}.png", frame)
            for name, frame in zip(frame_names(stem, len(pixels)), pixels, strict=True)
        )
        if len(pixels) == 1:
            return frames
        path = folder / f"{stem}.mp4"
        return (write_atomically(path, self._write_mp4), *frames)

    def _write_mp4(self, file: BinaryIO) -> None:
        speed = self.frames_per_second
        encode_video(self.annotation.pixels, file, frames_per_second=speed, container_format="mp4")
