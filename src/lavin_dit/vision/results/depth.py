"""Depth: ``.npy`` in metres, 16-bit PNG with its scale, and a coloured picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.depth import Depth, DepthCurve
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.results.files import (
    frame_names,
    squeeze_frames,
    write_json,
    write_npy,
    write_png16,
)
from lavin_dit.vision.results.overlay import UNKNOWN_LEVEL, colour_scale

_HIGHEST = 65535
_PNG_SCALES = (1000, 256, 100, 10, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthResult:
    """Depth that was read from a picture.

    Attributes:
        annotation: The depth.
        metric: Whether it is in metres. Otherwise the quantity of ``curve`` is right up to a scale
            and a shift, and depth spans 1 to 10 by convention.
        curve: In which quantity scale and shift are to be fitted to a truth; see
            ``lavin_dit.vision.codecs.depth.along_curve``.
    """

    annotation: Depth
    metric: bool
    curve: DepthCurve = "linear"

    @property
    def png_scale(self) -> int:
        """Number of steps of the 16-bit PNG for 1 m: 1000 (millimetres) unless that overflows.

        Otherwise the largest of 256 (as in KITTI), 100, 10 and 1 that holds the farthest depth.
        """
        farthest = float(self.annotation.metres[self.annotation.valid].max(initial=0))
        fitting = [scale for scale in _PNG_SCALES if farthest * scale <= _HIGHEST]
        return fitting[0] if fitting else _PNG_SCALES[-1]

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """Near bright, far dark, dark grey where unknown; equal steps of 1 / depth.

        Args:
            photo: Not drawn.

        Returns:
            The picture.
        """
        del photo
        depth = self.annotation
        if not depth.valid.any():
            return np.full((*depth.valid.shape, 3), UNKNOWN_LEVEL, dtype=np.uint8)
        nearness = 1 / np.where(depth.valid, depth.metres, np.float32(1))
        low, high = np.quantile(nearness[depth.valid], [0.01, 0.99])
        picture = colour_scale((nearness - low) / max(high - low, 1e-9))
        return np.where(depth.valid[..., None], picture, np.uint8(UNKNOWN_LEVEL))

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write ``.npy``, 16-bit PNGs and ``.json``.

        The array is float32 (h w), or (t h w) of a clip, and NaN where unknown. A PNG holds depth
        times ``png_scale``, rounded, and 0 where unknown; ``png_scale`` and ``unit`` (``metre``,
        or ``relative``, then with the ``curve``) stand in the ``.json``. A depth between 0 and a
        step is raised to 1.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the files without their ending.

        Returns:
            The files written.
        """
        depth, scale = self.annotation, self.png_scale
        metres = np.where(depth.valid, depth.metres, np.float32(np.nan))
        steps = np.rint(np.where(depth.valid, depth.metres, 0).astype(np.float64) * scale)
        steps = np.where(depth.valid, np.clip(steps, 1, _HIGHEST), 0).astype(np.uint16)
        names = frame_names(stem, depth.shape.num_frames)
        unit = {"unit": "metre"} if self.metric else {"unit": "relative", "curve": self.curve}
        return (
            write_npy(folder / f"{stem}.npy", squeeze_frames(metres)),
            *(
                write_png16(folder / f"{name}.png", frame)
                for name, frame in zip(names, steps, strict=True)
            ),
            write_json(folder / f"{stem}.json", {**unit, "png_scale": scale}),
        )
