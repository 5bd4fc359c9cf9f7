"""Pasting moving layers over each other such that masks, boxes and motion are known exactly.

Every layer is a flat picture with alpha that moves by an affine map per frame. A pixel belongs to
the nearest layer that covers at least half of it, and moves as that layer does. Coordinates are
continuous, as everywhere: the centre of the first pixel lies at (0.5, 0.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int32, UInt8

from lavin_dit.datasets.real.opencv import cv2
from lavin_dit.vision.geometry import Size, to_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """The shadow of a layer on what lies behind it.

    Attributes:
        shift_px: How far it falls to the right and down.
        blur_px: How soft it is: the width of a Gaussian.
        strength: 0 for none to 1 for black.
    """

    shift_px: tuple[float, float]
    blur_px: float
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A flat picture that moves.

    Attributes:
        colours: Red, green and blue levels.
        alpha: 0 where it is not to 1 where it hides what is behind.
        poses: For each frame the affine map from its own pixels to those of the frame, as a
            matrix on (x, y, 1).
        shadow: Its shadow, if it has one.
    """

    colours: Float32[np.ndarray, "h w 3"]
    alpha: Float32[np.ndarray, "h w"]
    poses: Float64[np.ndarray, "t 3 3"]
    shadow: Shadow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What layers look like, and which of them is where.

    Attributes:
        rgb: The clip.
        ids: The layer that each pixel belongs to: 0 for the first, the background.
        full_masks: What each layer but the background would cover if none lay before it.
        motion_px: How far what a pixel shows moves to the next frame, also where it then hides;
            0 in the last frame.
        hidden_next: Whether what a pixel shows is hidden or outside in the next frame; True in
            the last.
    """

    rgb: UInt8[np.ndarray, "t h w 3"]
    ids: Int32[np.ndarray, "t h w"]
    full_masks: Bool[np.ndarray, "t n h w"]
    motion_px: Float32[np.ndarray, "t h w 2"]
    hidden_next: Bool[np.ndarray, "t h w"]


def render_layers(layers: Sequence[Layer], size: Size) -> Rendering:
    """Paste layers over each other.

    Args:
        layers: The background, which must cover every frame, and what lies before it, the nearest
            last; all of the same number of frames.
        size: Size of the frames.

    Returns:
        The clip and what is known about it.
    """
    num_frames = len(layers[0].poses)
    rgb = np.empty((num_frames, size.height, size.width, 3), dtype=np.uint8)
    ids = np.zeros((num_frames, size.height, size.width), dtype=np.int32)
    masks = np.zeros((num_frames, len(layers) - 1, size.height, size.width), dtype=np.bool_)
    for frame in range(num_frames):
        canvas = _warp(layers[0].colours, layers[0].poses[frame], size, repeat_border=True)
        for number, layer in enumerate(layers[1:], start=1):
            alpha = _warp(layer.alpha, layer.poses[frame], size)
            # Colours are weighted before they are mixed, so that what is transparent is colourless.
            weighted = _warp(layer.colours * layer.alpha[..., None], layer.poses[frame], size)
            if layer.shadow is not None:
                canvas *= 1 - _shadow(alpha, layer.shadow)[..., None]
            canvas = canvas * (1 - alpha[..., None]) + weighted
            masks[frame, number - 1] = alpha >= 0.5
            ids[frame][masks[frame, number - 1]] = number
        rgb[frame] = to_levels(canvas)
    motion, hidden = _motion(ids, np.stack([layer.poses for layer in layers], axis=1))
    return Rendering(rgb=rgb, ids=ids, full_masks=masks, motion_px=motion, hidden_next=hidden)


def _warp(
    picture: Float32[np.ndarray, "h w *c"],
    pose: Float64[np.ndarray, "3 3"],
    size: Size,
    *,
    repeat_border: bool = False,
) -> Float32[np.ndarray, "new_h new_w *c"]:
    """A picture as an affine map moves it, interpolated linearly."""
    # OpenCV counts from the centre of the first pixel, not from its corner.
    to_corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    from_corner = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    backward = from_corner @ np.linalg.inv(pose) @ to_corner
    return cv2().warpAffine(
        picture,
        backward[:2],
        (size.width, size.height),
        flags=cv2().INTER_LINEAR | cv2().WARP_INVERSE_MAP,
        borderMode=cv2().BORDER_REPLICATE if repeat_border else cv2().BORDER_CONSTANT,
    )


def _shadow(alpha: Float32[np.ndarray, "h w"], shadow: Shadow) -> Float32[np.ndarray, "h w"]:
    """How much a shadow takes away from each pixel."""
    height, width = alpha.shape
    shift = np.array([[1, 0, shadow.shift_px[0]], [0, 1, shadow.shift_px[1]]], dtype=np.float64)
    moved = cv2().warpAffine(alpha, shift, (width, height))
    soft = cv2().GaussianBlur(moved, (0, 0), shadow.blur_px)
    return (soft * shadow.strength).astype(np.float32)


def _motion(
    ids: Int32[np.ndarray, "t h w"], poses: Float64[np.ndarray, "t n 3 3"]
) -> tuple[Float32[np.ndarray, "t h w 2"], Bool[np.ndarray, "t h w"]]:
    """Motion of every pixel to the next frame, and whether it can then be seen no more."""
    num_frames, height, width = ids.shape
    y, x = np.mgrid[:height, :width] + 0.5
    places: Float[np.ndarray, "h w 3"] = np.stack([x, y, np.ones_like(x)], axis=-1)
    motion = np.zeros((num_frames, height, width, 2), dtype=np.float32)
    hidden = np.ones((num_frames, height, width), dtype=np.bool_)
    for frame in range(num_frames - 1):
        moves = poses[frame + 1] @ np.linalg.inv(poses[frame])
        after = np.einsum("hwij,hwj->hwi", moves[ids[frame]][..., :2, :], places)
        motion[frame] = after - places[..., :2]
        column, row = np.floor(np.moveaxis(after, -1, 0)).astype(np.intp)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        there = ids[frame + 1, np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
        hidden[frame] = ~(inside & (there == ids[frame]))
    return motion, hidden
