"""Optical flow: end-point error and outliers, as it is and after fitting one scale."""

import math

import numpy as np
from jaxtyping import Bool, Float

from lavin_dit.evaluation.metrics.state import Quotients, sample_means

_OUTLIER_PX, _OUTLIER_SHARE = 3.0, 0.05


def flow_errors(
    predicted: Float[np.ndarray, "t h w 2"],
    truth: Float[np.ndarray, "t h w 2"],
    valid: Bool[np.ndarray, "t h w"],
) -> Quotients:
    """Errors of a clip's flow after fitting one positive scale, averaged over clips.

    Args:
        predicted: Displacement up to a positive scale that all frames share; finite where valid.
        truth: Displacement in pixels.
        valid: Where the truth is known.

    Returns:
        ``epe_scaled_px``: mean length of the difference after fitting. ``outliers_scaled``: share
        of pixels wrong by more than 3 px and more than 5 % of the true motion. ``epe_zero_px``:
        the error of a flow of zero, which is the mean motion. All are NaN where nothing is valid.

    Raises:
        ValueError: If a prediction is not finite where the truth is known.
    """
    names = ("epe_scaled_px", "outliers_scaled", "epe_zero_px")
    if not valid.any():
        return sample_means(**dict.fromkeys(names, math.nan))
    own, known = predicted[valid].astype(np.float64), truth[valid].astype(np.float64)
    if not np.isfinite(own).all():
        raise ValueError("predicted flow must be finite wherever the truth is known")
    squares = float(np.sum(own * own))
    # A direction that is wrong all over is best scaled to nothing: a scale is never negative.
    scale = max(float(np.sum(own * known)) / squares, 0.0) if squares else 0.0
    error = np.linalg.norm(scale * own - known, axis=-1)
    motion = np.linalg.norm(known, axis=-1)
    outliers = (error > _OUTLIER_PX) & (error > _OUTLIER_SHARE * motion)
    values = (float(error.mean()), float(outliers.mean()), float(motion.mean()))
    return sample_means(**dict(zip(names, values, strict=True)))
