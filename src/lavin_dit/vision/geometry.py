"""Sizes, windows and the resampling rules that all annotation kinds share.

Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)`` and its centre lies at ``i + 0.5``.
A horizontal flip therefore sends ``x`` to ``width - x`` for points, boxes and pixels alike.
Sizes are always (height, width), and always carry their names.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped, UInt8


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Height and width of a frame in pixels."""

    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuse empty frames."""
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a frame needs at least 1 x 1 pixels, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShape:
    """What every annotation of one clip must agree on."""

    num_frames: int
    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuse empty clips."""
        if min(self.num_frames, self.height, self.width) < 1:
            raise ValueError(f"a clip needs at least 1 frame of 1 x 1 pixels, got {self}")

    @property
    def size(self) -> Size:
        """Height and width of one frame."""
        return Size(height=self.height, width=self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rectangle of whole pixels inside a frame: rows top to top + height, columns likewise."""

    top: int
    left: int
    height: int
    width: int

    def __post_init__(self) -> None:
        """Refuse windows without pixels or with a negative corner."""
        if self.height < 1 or self.width < 1 or self.top < 0 or self.left < 0:
            raise ValueError(f"a window needs a corner >= 0 and at least 1 x 1 pixels, got {self}")

    @property
    def size(self) -> Size:
        """Height and width of what is cut out."""
        return Size(height=self.height, width=self.width)

    def mirrored(self, *, width: int) -> "Window":
        """The same window seen in a horizontally flipped frame.

        Args:
            width: Width in pixels of the frame that the window lies in.

        Returns:
            The window whose crop of the flipped frame is the flip of this window's crop.
        """
        left = width - self.left - self.width
        return Window(top=self.top, left=left, height=self.height, width=self.width)

    def check_inside(self, size: Size) -> None:
        """Check that the window lies inside a frame.

        Args:
            size: Size of the frame.

        Raises:
            ValueError: If any pixel of the window lies outside.
        """
        if self.top + self.height > size.height or self.left + self.width > size.width:
            raise ValueError(f"{self} does not lie inside a frame of {size}")


def clip_shape(array: Shaped[np.ndarray, "t h w ..."]) -> ClipShape:
    """Number of frames, height and width of an array that leads with them."""
    num_frames, height, width = array.shape[:3]
    return ClipShape(num_frames=num_frames, height=height, width=width)


def crop_pixels(
    array: Shaped[np.ndarray, "t h w *c"], window: Window
) -> Shaped[np.ndarray, "t new_h new_w *c"]:
    """Cut a window out of every frame of a (t, h, w, ...) array.

    Args:
        array: Any array that leads with frames, rows and columns.
        window: What to cut out.

    Returns:
        A view of the window.

    Raises:
        ValueError: If the window does not lie inside the frame.
    """
    window.check_inside(clip_shape(array).size)
    rows = slice(window.top, window.top + window.height)
    columns = slice(window.left, window.left + window.width)
    return array[:, rows, columns]


def flip_pixels(array: Shaped[np.ndarray, "t h w *c"]) -> Shaped[np.ndarray, "t h w *c"]:
    """Mirror every frame of a (t, h, w, ...) array left to right."""
    return array[:, :, ::-1]


def _triangle_weights(old: int, new: int) -> Float32[np.ndarray, "new old"]:
    """Linear interpolation, widened to the footprint of an output pixel when shrinking."""
    if old == new:
        return np.eye(new, dtype=np.float32)
    step = old / new
    reach = max(1.0, step)
    centres = (np.arange(new) + 0.5) * step
    distance = np.abs(np.arange(old)[None] + 0.5 - centres[:, None]) / reach
    weights = np.clip(1.0 - distance, 0.0, None)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def resize_linear(
    values: Float32[np.ndarray, "t h w *c"], size: Size
) -> Float32[np.ndarray, "t new_h new_w *c"]:
    """Resize by linear interpolation; shrinking averages over each output pixel's footprint.

    Args:
        values: Any continuous field.
        size: Size of the result.

    Returns:
        The resized field; exactly the input where the size does not change.
    """
    return _from_planes(_resized_planes(_to_planes(values), size), values.shape[3:])


def _to_planes(values: Float32[np.ndarray, "t h w *c"]) -> Float32[np.ndarray, "t n h w"]:
    """One plane for each channel: products of matrices are faster than those of tensors."""
    return np.moveaxis(values.reshape(*values.shape[:3], -1), 3, 1)


def _from_planes(
    planes: Float32[np.ndarray, "t n h w"], channels: tuple[int, ...]
) -> Float32[np.ndarray, "t h w *c"]:
    """Undo ``_to_planes``."""
    values = np.ascontiguousarray(np.moveaxis(planes, 1, 3))
    return values.reshape(*values.shape[:3], *channels)


def _resized_planes(
    planes: Float32[np.ndarray, "t n h w"], size: Size
) -> Float32[np.ndarray, "t n new_h new_w"]:
    """Interpolate linearly along both axes."""
    rows = _triangle_weights(planes.shape[2], size.height)
    columns = _triangle_weights(planes.shape[3], size.width)
    return rows @ np.ascontiguousarray(planes) @ columns.T


def resize_measured(
    values: Float32[np.ndarray, "t h w *c"], valid: Bool[np.ndarray, "t h w"], size: Size
) -> tuple[Float32[np.ndarray, "t new_h new_w *c"], Bool[np.ndarray, "t new_h new_w"]]:
    """Resize a field that is not measured everywhere, using its measured pixels alone.

    Args:
        values: Any continuous field; what it holds at unmeasured pixels does not matter.
        valid: True where the field was measured.
        size: Size of the result.

    Returns:
        The resized field (0 where nothing was measured), and where at least half of an output
        pixel's weight fell on measured pixels.
    """
    if valid.all():
        everywhere = np.ones((len(values), size.height, size.width), dtype=np.bool_)
        return resize_linear(values, size), everywhere
    channels = _to_planes(values)
    planes = np.zeros((len(values), channels.shape[1] + 1, *valid.shape[1:]), dtype=np.float32)
    np.copyto(planes[:, :-1], channels, where=valid[:, None])
    planes[:, -1] = valid
    resized = _resized_planes(planes, size)
    total, weight = resized[:, :-1], resized[:, -1:]
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-6)
    return _from_planes(mean, values.shape[3:]), weight[:, 0] >= 0.5


def _nearest_indices(old: int, new: int) -> Int[np.ndarray, " new"]:
    """Source index of each output pixel; symmetric, so that it commutes with a flip."""
    left = np.floor((np.arange((new + 1) // 2) + 0.5) * old / new).astype(np.intp)
    return np.concatenate([left, (old - 1 - left[: new // 2])[::-1]])


def resize_nearest(
    array: Shaped[np.ndarray, "t h w *c"], size: Size
) -> Shaped[np.ndarray, "t new_h new_w *c"]:
    """Resize labels: every output pixel takes the value of the nearest input pixel.

    Args:
        array: (t, h, w, ...) array of values that must not be mixed.
        size: Size of the result.

    Returns:
        The resized array; holds no value that the input does not hold.
    """
    rows = _nearest_indices(array.shape[1], size.height)
    columns = _nearest_indices(array.shape[2], size.width)
    return array[:, rows[:, None], columns[None, :]]


def resize_maximum(
    values: Float32[np.ndarray, "t h w"], size: Size
) -> Float32[np.ndarray, "t new_h new_w"]:
    """Resize thin structures: every output pixel takes the largest value that it overlaps.

    Args:
        values: Strengths whose thin lines must survive shrinking.
        size: Size of the result.

    Returns:
        The resized strengths; growing repeats pixels.
    """
    result = values
    for axis, new in ((1, size.height), (2, size.width)):
        old = result.shape[axis]
        if old == new:
            continue
        if new > old:
            result = np.take(result, _nearest_indices(old, new), axis=axis)
            continue
        starts = np.arange(new) * old // new
        stops = -(-(np.arange(1, new + 1) * old) // new)
        overlap = np.stack([starts, stops], axis=1).ravel()
        padded = np.concatenate([result, np.take(result, [-1], axis=axis)], axis=axis)
        result = np.take(
            np.maximum.reduceat(padded, overlap, axis=axis), np.arange(new) * 2, axis=axis
        )
    return result


def to_levels(values: Float32[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Round to the nearest of the 256 levels that a picture can hold, clipping outside."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
