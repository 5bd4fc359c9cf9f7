"""Angles between surface normals, pooled over the pixels of all samples."""

import numpy as np
from jaxtyping import Bool, Float, Float64

from lavin_dit.evaluation.metrics.state import Quotients, merge_all, quotient

THRESHOLDS_DEG = (11.25, 22.5, 30.0)


def angles_deg(
    predicted: Float[np.ndarray, "*shape 3"], truth: Float[np.ndarray, "*shape 3"]
) -> Float64[np.ndarray, "*shape"]:
    """Angle between vectors of any length, in degrees.

    Args:
        predicted: Vectors; the zero vector says nothing.
        truth: Vectors that are not zero.

    Returns:
        0 to 180; 90 where the prediction says nothing, which is what a random direction has on
        average.
    """
    one, other = predicted.astype(np.float64), truth.astype(np.float64)
    # The arc tangent keeps its precision for small angles, where the arc cosine loses half of it.
    across = np.linalg.norm(np.cross(one, other), axis=-1)
    along = np.sum(one * other, axis=-1)
    silent = ~one.any(axis=-1)
    return np.where(silent, 90.0, np.degrees(np.arctan2(across, along)))


def normal_angles(
    predicted: Float[np.ndarray, "t h w 3"],
    truth: Float[np.ndarray, "t h w 3"],
    valid: Bool[np.ndarray, "t h w"],
) -> Quotients:
    """Angular errors, pooled over pixels.

    Args:
        predicted: Vectors of any length, finite where valid; zero where nothing was said.
        truth: Unit vectors where valid.
        valid: Where the truth is known.

    Returns:
        ``mean_deg``, and the shares of pixels below each threshold: ``below_11.25``,
        ``below_22.5`` and ``below_30``.

    Raises:
        ValueError: If a prediction is not finite where the truth is known.

    Source:
        Paper, section B.2 (after Bae and Davison, 2024, who pool the pixels of all images).
    """
    if not np.isfinite(predicted[valid]).all():
        raise ValueError("predicted normals must be finite wherever the truth is known")
    angles = angles_deg(predicted[valid], truth[valid])
    count = float(angles.size)
    return merge_all(
        [
            quotient("mean_deg", float(angles.sum()), count),
            *(
                quotient(f"below_{limit:g}", float(np.count_nonzero(angles < limit)), count)
                for limit in THRESHOLDS_DEG
            ),
        ]
    )
