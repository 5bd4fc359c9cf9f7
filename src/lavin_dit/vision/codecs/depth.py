"""Depth as grey: near is bright, and black is kept for pixels without depth.

One monotone curve per clip maps metres to brightness, so that a video does not flicker. The three
channels of a grey pixel differ by at most one level: their sum counts in thirds of a level.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.geometry import (
    ClipShape,
    Size,
    Window,
    clip_shape,
    crop_pixels,
    flip_pixels,
    resize_measured,
)

DepthCurve = Literal["linear", "log", "inverse_root", "inverse"]

_DARKEST_SUM = 3 * 32  # the farthest depth; everything up to half of it reads as "no depth"
_BRIGHTEST_SUM = 3 * 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Distance along the optical axis.

    Attributes:
        metres: Depth in metres, finite and above 0 where valid; ignored elsewhere.
        valid: True where depth is known; False for holes of a sensor and for the sky.
    """

    metres: Float32[np.ndarray, "t h w"]
    valid: Bool[np.ndarray, "t h w"]

    def __post_init__(self) -> None:
        """Check shapes and values, and make the arrays read-only."""
        metres = sealed(self.metres, name="Depth.metres", shape=("t", "h", "w"), dtype=np.float32)
        valid = sealed(self.valid, name="Depth.valid", shape=metres.shape, dtype=np.bool_)
        if not ((metres > 0) & (metres < np.inf) | ~valid).all():
            raise ValueError("Depth.metres must be finite and above 0 wherever it is valid")
        object.__setattr__(self, "metres", metres)
        object.__setattr__(self, "valid", valid)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return clip_shape(self.metres)

    def crop(self, window: Window) -> "Depth":
        """Cut the same window out of every frame."""
        return replace(
            self, metres=crop_pixels(self.metres, window), valid=crop_pixels(self.valid, window)
        )

    def flip(self) -> "Depth":
        """Mirror left to right."""
        return replace(self, metres=flip_pixels(self.metres), valid=flip_pixels(self.valid))

    def resize(self, size: Size) -> "Depth":
        """Interpolate between known depths; known where they carry half of the weight."""
        if size == self.shape.size:
            return self
        metres, valid = resize_measured(self.metres, self.valid, size)
        return replace(self, metres=metres, valid=valid)

    def take_frames(self, start: int, stop: int) -> "Depth":
        """Keep the frames from start up to, not including, stop."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(self, metres=self.metres[frames], valid=self.valid[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthKey:
    """What turns the brightness of one clip into metres.

    Attributes:
        near_m: Depth in metres that is painted white.
        far_m: Depth in metres of the darkest grey that still is depth; above ``near_m``.
        curve: In which quantity brightness is linear; see ``along_curve``.
    """

    near_m: float
    far_m: float
    curve: DepthCurve

    def __post_init__(self) -> None:
        """Check the range."""
        if not 0 < self.near_m < self.far_m:
            raise ValueError(
                f"a depth range needs 0 < near < far, got {self.near_m} to {self.far_m}"
            )


def along_curve(
    metres: Float64[np.ndarray, "*shape"], curve: DepthCurve
) -> Float64[np.ndarray, "*shape"]:
    """The quantity in which brightness is linear.

    Args:
        metres: Depths above 0.
        curve: Which quantity.

    Returns:
        Depth itself for ``linear``, its logarithm for ``log``, 1 / sqrt(depth) for
        ``inverse_root``, 1 / depth for ``inverse``.
    """
    match curve:
        case "linear":
            return metres
        case "log":
            return np.log(metres)
        case "inverse_root":
            return 1.0 / np.sqrt(metres)
        case "inverse":
            return 1.0 / metres


def off_curve(
    quantity: Float64[np.ndarray, "*shape"], curve: DepthCurve
) -> Float64[np.ndarray, "*shape"]:
    """Metres from the quantity in which brightness is linear: undoes ``along_curve``.

    Args:
        quantity: What ``along_curve`` gives; above 0 for the two inverse curves. A fit of scale
            and shift can leave that range: clip it to the quantities of the depths that can be.
        curve: Which quantity it is.

    Returns:
        Depths.
    """
    match curve:
        case "linear":
            return quantity
        case "log":
            return np.exp(quantity)
        case "inverse_root":
            return 1.0 / np.square(quantity)
        case "inverse":
            return 1.0 / quantity


def resize_along_curve(depth: Depth, size: Size, curve: DepthCurve) -> Depth:
    """Interpolate between known depths in the quantity in which brightness is linear.

    Args:
        depth: Known up to a scale and a shift of that quantity, which don't matter then.
        size: Size of the result.
        curve: Which quantity.

    Returns:
        The depth; known where known pixels carry half of the weight.
    """
    if size == depth.shape.size:
        return depth
    metres = np.where(depth.valid, depth.metres, np.float32(1)).astype(np.float64)
    quantity = along_curve(metres, curve).astype(np.float32)
    resized, valid = resize_measured(quantity, depth.valid, size)
    within = np.clip(resized.astype(np.float64), quantity.min(), quantity.max())
    return Depth(metres=off_curve(within, curve).astype(np.float32), valid=valid)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthCodec:
    """Paints depth as grey, near bright, and reads it back.

    Invariance: a picture read without its key gives the curve's quantity (``along_curve``) up to
    a positive scale and a shift: 1 / sqrt(depth) by default, depth itself for ``linear``, 1 / depth
    for ``inverse`` (what most pseudo labels are). Scale and shift are to be fitted in that
    quantity, before metres are taken from it. Such a reading spans 1 to 10 m by convention.

    Attributes:
        curve: In which quantity brightness is linear.
        tail: Share of the valid pixels of a clip, at each end, that may saturate; 0 for none.

    Source:
        Ours (ADR 10); the paper does not say how depth is painted. The default curve and tail
        leave the least relative error of depth among those that were measured. The metric of the
        paper aligns scale and shift of depth (section B.2), which ``linear`` leaves exact.
    """

    curve: DepthCurve = "inverse_root"
    tail: float = 0.01

    def __post_init__(self) -> None:
        """Check the share of saturated pixels."""
        if not 0 <= self.tail < 0.5:
            raise ValueError(f"tail must lie in [0, 0.5), got {self.tail}")

    def fit_key(self, depth: Depth) -> DepthKey:
        """The range of a clip.

        Args:
            depth: Any depth with at least one valid pixel.

        Returns:
            A key whose range holds all valid depths but the tails.

        Raises:
            ValueError: If no pixel is valid.
        """
        measured = depth.metres[depth.valid].astype(np.float64)
        if measured.size == 0:
            raise ValueError("depth without any valid pixel cannot be painted")
        near, far = np.quantile(measured, [self.tail, 1.0 - self.tail])
        # A flat wall has no range of its own; a millionth keeps the curve invertible.
        far = max(far, near * (1 + 1e-6))
        return DepthKey(near_m=float(near), far_m=float(far), curve=self.curve)

    def paint(
        self, annotation: Depth, *, key: DepthKey | None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], DepthKey]:
        """Paint depth as grey.

        Args:
            annotation: What to paint.
            key: Range and curve to paint with; fitted to the clip where None. Depths outside
                the range saturate.

        Returns:
            The picture (255 for ``near_m``, 32 for ``far_m``, 0 without depth), and its key.

        Raises:
            ValueError: If there is no key and no pixel is valid.
        """
        key = key or self.fit_key(annotation)
        metres = np.where(annotation.valid, annotation.metres, key.far_m).astype(np.float64)
        ends = along_curve(np.array([key.near_m, key.far_m]), key.curve)
        quantity = along_curve(np.clip(metres, key.near_m, key.far_m), key.curve)
        nearness = (quantity - ends[1]) / (ends[0] - ends[1])
        total = np.rint(_DARKEST_SUM + nearness * (_BRIGHTEST_SUM - _DARKEST_SUM))
        total = np.where(annotation.valid, total, 0).astype(np.int32)
        return ((total[..., None] + np.arange(3)) // 3).astype(np.uint8), key

    def read(self, picture: UInt8[np.ndarray, "t h w 3"], *, key: DepthKey | None = None) -> Depth:
        """Read depth from brightness.

        Args:
            picture: A painted clip.
            key: What ``paint`` returned; None for a picture of unknown range.

        Returns:
            Depth in metres, or up to this codec's invariance without a key. Pixels darker than
            half of the darkest depth are not valid.
        """
        key = key or DepthKey(near_m=1.0, far_m=10.0, curve=self.curve)
        total = picture.sum(axis=-1, dtype=np.int32)
        nearness = (total - _DARKEST_SUM) / (_BRIGHTEST_SUM - _DARKEST_SUM)
        ends = along_curve(np.array([key.near_m, key.far_m]), key.curve)
        quantity = ends[1] + np.clip(nearness, 0.0, 1.0) * (ends[0] - ends[1])
        metres = off_curve(quantity, key.curve).astype(np.float32)
        return Depth(metres=metres, valid=total > _DARKEST_SUM // 2)
