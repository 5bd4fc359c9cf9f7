"""Optical flow: ``.flo``, KITTI's 16-bit PNG, ``.npy``, and colours with arrows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from lavin_dit.vision.codecs.drawing import draw_limb
from lavin_dit.vision.codecs.flow import Flow, FlowCodec
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import to_levels
from lavin_dit.vision.results.files import (
    frame_names,
    squeeze_frames,
    write_flo,
    write_json,
    write_npy,
    write_png16,
)
from lavin_dit.vision.results.overlay import UNKNOWN_LEVEL

_UNKNOWN_FLOW = 1e10  # Middlebury: above 1e9 is unknown
_ARROW_EVERY_PX = 16
_INK = np.array([30, 30, 30], dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowResult:
    """Optical flow that was read from a picture.

    Attributes:
        annotation: The flow.
        in_pixels: Whether it is in pixels. Otherwise it is right up to a positive scale, with 1
            for the motion that is painted fully saturated.
    """

    annotation: Flow
    in_pixels: bool

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """The colour wheel, and arrows; the longest arrow is as long as their distance.

        Args:
            photo: Not drawn.

        Returns:
            The picture, dark grey where unknown.
        """
        del photo
        flow = self.annotation
        if not flow.valid.any():
            return np.full((*flow.valid.shape, 3), UNKNOWN_LEVEL, dtype=np.uint8)
        picture, _ = FlowCodec().paint(flow)
        canvas = np.where(flow.valid[..., None], picture, UNKNOWN_LEVEL).astype(np.float32)
        longest = float(np.linalg.norm(flow.pixels[flow.valid], axis=-1).max())
        scale = _ARROW_EVERY_PX / max(longest, 1e-6)
        for frame, own in enumerate(canvas):
            for y in range(_ARROW_EVERY_PX // 2, flow.shape.height, _ARROW_EVERY_PX):
                for x in range(_ARROW_EVERY_PX // 2, flow.shape.width, _ARROW_EVERY_PX):
                    if flow.valid[frame, y, x]:
                        start = np.array([x, y], dtype=np.float64) + 0.5
                        _draw_arrow(own, start, flow.pixels[frame, y, x] * np.float32(scale))
        return to_levels(canvas)

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write ``.npy``, a ``.flo`` per frame, a KITTI PNG per frame and ``.json``.

        The array is float32 (h w 2), or (t h w 2) of a clip, x right and y down, and NaN where
        unknown. A ``.flo`` holds 1e10 where unknown. KITTI's PNG holds ``64 x + 32768`` in red,
        ``64 y + 32768`` in green, and 1 in blue where the flow is known; motion beyond its range
        of 512 pixels counts as unknown there. Flow that is not in pixels has no such PNG. Frames
        without any known motion, such as the last of a clip, have no ``.flo`` and no PNG. The
        ``.json`` holds the ``unit``: ``pixel``, or ``relative``.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the files without their ending.

        Returns:
            The files written.
        """
        flow = self.annotation
        known = flow.valid[..., None]
        names = frame_names(stem, flow.shape.num_frames)
        unit = "pixel" if self.in_pixels else "relative"
        array = np.where(known, flow.pixels, np.float32(np.nan))
        files = [write_npy(folder / f"{stem}.npy", squeeze_frames(array))]
        for frame, name in enumerate(names):
            if flow.valid[frame].any():
                pixels = np.where(known[frame], flow.pixels[frame], np.float32(_UNKNOWN_FLOW))
                files.append(write_flo(folder / f"{name}.flo", pixels))
                if self.in_pixels:
                    files.append(write_png16(folder / f"{name}.png", _kitti(pixels)))
        files.append(write_json(folder / f"{stem}.json", {"unit": unit}))
        return tuple(files)


def _kitti(pixels: Float32[np.ndarray, "h w 2"]) -> UInt16[np.ndarray, "h w 3"]:
    """One frame as KITTI stores it."""
    steps = np.rint(pixels.astype(np.float64) * 64 + 32768)
    known = ((steps >= 0) & (steps <= 65535)).all(axis=-1, keepdims=True)
    return np.concatenate([np.where(known, steps, 0), known], axis=-1).astype(np.uint16)


def _draw_arrow(
    canvas: Float32[np.ndarray, "h w 3"],
    start: np.ndarray,
    motion: Float32[np.ndarray, "2"],
) -> None:
    """Draw a shaft, with a dot where it starts; nothing where nothing moves."""
    if float(np.hypot(*motion)) < 1:
        return
    draw_limb(canvas, start, start + motion, radius_px=0.5, colour=_INK)
    draw_limb(canvas, start, start, radius_px=1.2, colour=_INK)
