"""Surface normals from a depth picture, for data that has the one but not the other.

On a plane, 1 / depth is linear in the pixel's position. A line is therefore fitted to it in a
square around each pixel; its slopes are the normal's direction.
"""

import numpy as np
from jaxtyping import Bool, Float64

from lavin_dit.vision.codecs.normals import Normals


def normals_from_depth(
    metres: Float64[np.ndarray, "h w"],
    valid: Bool[np.ndarray, "h w"],
    *,
    focal_px: tuple[float, float],
    centre_px: tuple[float, float],
    radius_px: int = 4,
) -> Normals:
    """Fit a plane around every pixel.

    Args:
        metres: Depth along the optical axis, in metres.
        valid: True where depth is known.
        focal_px: Focal length in pixels along x and along y.
        centre_px: Where the optical axis meets the picture, x and y in continuous pixels.
        radius_px: Half the side of the square around each pixel.

    Returns:
        Normals of one frame; valid where depth is known in the whole square and one plane explains
        it to 2 %.
    """
    inverse = np.divide(1.0, metres, out=np.zeros_like(metres), where=valid)
    offsets = np.arange(-radius_px, radius_px + 1, dtype=np.float64)
    flat = np.ones_like(offsets)
    count = len(offsets) ** 2
    spread = (offsets**2).sum() * len(offsets)
    mean = _along(_along(inverse, flat, axis=0), flat, axis=1) / count
    slope_x = _along(_along(inverse, flat, axis=0), offsets, axis=1) / spread
    slope_y = _along(_along(inverse, offsets, axis=0), flat, axis=1) / spread
    square = _along(_along(inverse**2, flat, axis=0), flat, axis=1) / count
    known = _along(_along(valid.astype(np.float64), flat, axis=0), flat, axis=1) > count - 0.5
    explained = mean**2 + (slope_x**2 + slope_y**2) * spread / count
    one_plane = np.sqrt(np.clip(square - explained, 0, None)) <= 0.02 * np.abs(mean)
    # In a camera with y down and z forward the plane is (a, b, c) . point = 1 with these a and b.
    a, b = slope_x * focal_px[0], slope_y * focal_px[1]
    height, width = metres.shape
    right = (np.arange(width) + 0.5 - centre_px[0]) / focal_px[0]
    down = (np.arange(height) + 0.5 - centre_px[1]) / focal_px[1]
    c = mean - a * right[None] - b * down[:, None]
    vectors = np.stack([-a, b, c], axis=-1)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    sure = known & one_plane & (length[..., 0] > 0)
    return Normals(vectors=vectors.astype(np.float32)[None], valid=sure[None])


def _along(
    values: Float64[np.ndarray, "h w"], weights: Float64[np.ndarray, " n"], *, axis: int
) -> Float64[np.ndarray, "h w"]:
    """Weighted sum over the neighbours along an axis; what lies outside counts as 0."""
    radius = len(weights) // 2
    padding = [(radius, radius) if each == axis else (0, 0) for each in range(2)]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(values, padding), len(weights), axis=axis
    )
    return windows @ weights
