"""Optical flow on a colour wheel: direction is hue, speed is how far a colour is from white.

A resting pixel is white and the fastest one fully saturated; rightward motion is red, downward
motion lies a quarter turn on. Saturation grows with the square root of the speed, so that slow
motions, the most of a clip, stand out from noise. Black is kept for pixels without flow.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.geometry import (
    ClipShape,
    Size,
    Window,
    clip_shape,
    crop_pixels,
    flip_pixels,
    resize_measured,
    to_levels,
)

# White minus red, yellow, green, cyan, blue, magenta: the corners of the wheel. Between two
# neighbours the wheel is flat, so each sixth is a triangle with white as its tip.
_CORNERS = np.array(
    [[0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float32
)
_NO_FLOW_LEVEL = 128  # every colour of the wheel has a channel at 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Motion of every pixel from its frame to the next.

    Attributes:
        pixels: Displacement in pixels, x to the right and y down, finite where valid.
        valid: True where the motion is known; False in a last frame that has no successor.
    """

    pixels: Float32[np.ndarray, "t h w 2"]
    valid: Bool[np.ndarray, "t h w"]

    def __post_init__(self) -> None:
        """Check shapes and values, and make the arrays read-only."""
        pixels = sealed(self.pixels, name="Flow.pixels", shape=("t", "h", "w", 2), dtype=np.float32)
        valid = sealed(self.valid, name="Flow.valid", shape=pixels.shape[:3], dtype=np.bool_)
        if not np.isfinite(pixels[valid]).all():
            raise ValueError("Flow.pixels must be finite wherever it is valid")
        object.__setattr__(self, "pixels", pixels)
        object.__setattr__(self, "valid", valid)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return clip_shape(self.pixels)

    def crop(self, window: Window) -> "Flow":
        """Cut the same window out of every frame."""
        return replace(
            self, pixels=crop_pixels(self.pixels, window), valid=crop_pixels(self.valid, window)
        )

    def flip(self) -> "Flow":
        """Mirror left to right: what moved right moves left."""
        mirror = np.array([-1, 1], dtype=np.float32)
        return replace(
            self, pixels=flip_pixels(self.pixels) * mirror, valid=flip_pixels(self.valid)
        )

    def resize(self, size: Size) -> "Flow":
        """Interpolate between known motions, measured in the new size's pixels."""
        if size == self.shape.size:
            return self
        pixels, valid = resize_measured(self.pixels, self.valid, size)
        scale = [size.width / self.shape.width, size.height / self.shape.height]
        return replace(self, pixels=pixels * np.array(scale, dtype=np.float32), valid=valid)

    def take_frames(self, start: int, stop: int) -> "Flow":
        """Keep the frames from start up to stop; the last keeps its motion out of the clip."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(self, pixels=self.pixels[frames], valid=self.valid[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowKey:
    """What turns saturation into pixels.

    Attributes:
        max_px: Length in pixels of the motion that is painted fully saturated; above 0.
        power: Saturation is the share of that length to this power; above 0, 1 for linear.
    """

    max_px: float
    power: float

    def __post_init__(self) -> None:
        """Check the range and the power."""
        if not (self.max_px > 0 and self.power > 0):
            raise ValueError(f"max_px and power must be above 0, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCodec:
    """Paints optical flow on a colour wheel and reads it back.

    Invariance: a picture read without its key gives the flow up to a positive scale, with 1 for
    the motion that is painted fully saturated.

    Attributes:
        least_max_px: Motion in pixels that is painted fully saturated in a clip that moves less,
            so that noise in a resting clip is not blown up.
        power: How saturation follows speed in pictures that this codec paints.

    Source:
        Ours (ADR 10); the paper does not say how flow is painted.
    """

    least_max_px: float = 1.0
    power: float = 0.5

    def fit_key(self, flow: Flow) -> FlowKey:
        """The longest motion of a clip.

        Args:
            flow: Any flow with at least one valid pixel.

        Returns:
            A key under which nothing saturates.

        Raises:
            ValueError: If no pixel is valid.
        """
        if not flow.valid.any():
            raise ValueError("flow without any valid pixel cannot be painted")
        longest = float(np.linalg.norm(flow.pixels[flow.valid], axis=-1).max())
        return FlowKey(max_px=max(longest, self.least_max_px), power=self.power)

    def paint(
        self, annotation: Flow, *, key: FlowKey | None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], FlowKey]:
        """Paint flow on the colour wheel.

        Args:
            annotation: What to paint.
            key: The motion to paint fully saturated; fitted to the clip where None. Longer
                motions are shortened to it and keep their direction.

        Returns:
            The picture, black where there is no flow, and its key.

        Raises:
            ValueError: If there is no key and no pixel is valid.
        """
        key = key or self.fit_key(annotation)
        flow = np.where(annotation.valid[..., None], annotation.pixels, np.float32(0))
        speed = np.minimum(np.linalg.norm(flow, axis=-1) / key.max_px, 1.0) ** key.power
        turn = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) * 6 % 6
        sector = np.floor(turn).astype(np.intp) % 6
        share = (turn - np.floor(turn))[..., None]
        away = _CORNERS[sector] * (1 - share) + _CORNERS[(sector + 1) % 6] * share
        picture = to_levels(255 * (1 - speed[..., None] * away))
        return np.where(annotation.valid[..., None], picture, np.uint8(0)), key

    def read(self, picture: UInt8[np.ndarray, "t h w 3"], *, key: FlowKey | None = None) -> Flow:
        """Read flow from hue and saturation.

        Each colour is taken to the nearest point of the wheel: the best of six small
        least-squares fits, one for each flat sixth. This is the likeliest motion under equal
        noise of all channels, and less noisy than reading hue and saturation by formula.

        Args:
            picture: A painted clip.
            key: What ``paint`` returned; None for a picture of unknown scale.

        Returns:
            Displacement in pixels, or up to a positive scale without a key.
        """
        key = key or FlowKey(max_px=1.0, power=self.power)
        away = 1 - picture.astype(np.float32) / 255
        best = np.full(away.shape[:3], np.inf, dtype=np.float32)
        speed = np.zeros_like(best)
        turn = np.zeros_like(best)
        for sector in range(6):
            first, second = _fit_sector(away, sector)
            corners = _CORNERS[[sector, (sector + 1) % 6]]
            fitted = first[..., None] * corners[0] + second[..., None] * corners[1]
            error = np.sum((away - fitted) ** 2, axis=-1)
            better = error < best
            best = np.where(better, error, best)
            total = first + second
            share = np.divide(second, total, out=np.zeros_like(total), where=total > 0)
            speed = np.where(better, total, speed)
            turn = np.where(better, sector + share, turn)
        speed = np.minimum(speed, 1.0) ** np.float32(1 / key.power) * np.float32(key.max_px)
        angle = turn * np.float32(2 * np.pi / 6)
        pixels = np.stack([speed * np.cos(angle), speed * np.sin(angle)], axis=-1)
        valid = picture.max(axis=-1) >= _NO_FLOW_LEVEL
        return Flow(pixels=pixels.astype(np.float32), valid=valid)


def _fit_sector(
    away: Float32[np.ndarray, "t h w 3"], sector: int
) -> tuple[Float32[np.ndarray, "t h w"], Float32[np.ndarray, "t h w"]]:
    """Amounts, not negative, of a sector's two corners that come nearest to each colour."""
    corners = _CORNERS[[sector, (sector + 1) % 6]]
    both = away @ np.linalg.pinv(corners)
    first, second = both[..., 0], both[..., 1]
    alone = away @ corners.T / np.sum(corners**2, axis=-1)
    only_first = np.maximum(alone[..., 0], 0)
    only_second = np.maximum(alone[..., 1], 0)
    amount_first = np.where(second < 0, only_first, np.where(first < 0, 0, first))
    amount_second = np.where(first < 0, only_second, np.where(second < 0, 0, second))
    clash = (first < 0) & (second < 0)
    return np.where(clash, 0, amount_first), np.where(clash, 0, amount_second)
