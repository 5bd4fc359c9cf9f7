"""Surface normals: ``.npy`` of unit vectors, 16-bit PNG, and the usual colours."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.normals import NormalCodec, Normals
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.results.files import frame_names, squeeze_frames, write_npy, write_png16
from lavin_dit.vision.results.overlay import UNKNOWN_LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalsResult:
    """Surface normals that were read from a picture.

    Attributes:
        annotation: The normals, in camera space: x right, y up, z toward the camera.
    """

    annotation: Normals

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """Red for right, green for up, blue for facing the camera; dark grey where unknown.

        Args:
            photo: Not drawn.

        Returns:
            The picture.
        """
        del photo
        picture, _ = NormalCodec().paint(self.annotation)
        return np.where(self.annotation.valid[..., None], picture, np.uint8(UNKNOWN_LEVEL))

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write ``.npy`` and 16-bit PNGs.

        The array is float32 (h w 3), or (t h w 3) of a clip, and NaN where unknown. Red, green
        and blue of a PNG are x, y and z as ``(n + 1) / 2 * 65535``, and all 0 where unknown.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the files without their ending.

        Returns:
            The files written.
        """
        normals = self.annotation
        known = normals.valid[..., None]
        steps = np.rint((np.clip(normals.vectors, -1, 1).astype(np.float64) + 1) * (65535 / 2))
        steps = np.where(known, steps, 0).astype(np.uint16)
        vectors = np.where(known, normals.vectors, np.float32(np.nan))
        names = frame_names(stem, normals.shape.num_frames)
        return (
            write_npy(folder / f"{stem}.npy", squeeze_frames(vectors)),
            *(
                write_png16(folder / f"{name}.png", frame)
                for name, frame in zip(names, steps, strict=True)
            ),
        )
