"""Pictures as results: PNG of an image; mp4 and frames of a clip."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.results.files import frame_names, write_atomically, write_png


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
        """Encode the clip."""
        import av  # slow to import, and needed for clips alone

        pixels = self.annotation.pixels
        odd = pixels.shape[1] % 2 or pixels.shape[2] % 2
        with av.open(file, "w", format="mp4") as container:
            rate = max(Fraction(self.frames_per_second).limit_denominator(1001), Fraction(1, 1001))
            stream = container.add_stream("libx264", rate=rate, options={"crf": "12"})
            stream.height, stream.width = pixels.shape[1:3]
            stream.pix_fmt = "yuv444p" if odd else "yuv420p"
            for frame in pixels:
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
