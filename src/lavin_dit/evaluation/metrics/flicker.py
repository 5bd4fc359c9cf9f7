"""Flicker of painted clips: how much pixels go back and forth from frame to frame."""

import numpy as np
from jaxtyping import UInt8

from lavin_dit.evaluation.metrics.state import Quotients, merge_all, quotient


def flicker(
    predicted: UInt8[np.ndarray, "t h w 3"], truth: UInt8[np.ndarray, "t h w 3"]
) -> Quotients:
    """Second differences in time of a painted clip, beside those of the true painting.

    What moves steadily has small second differences, what flickers large ones.

    Args:
        predicted: The painted clip.
        truth: The true one.

    Returns:
        ``flicker``: mean absolute second difference, in levels, pooled over pixels;
        ``flicker_ratio``: that over the truth's, 1 for no more flicker than the truth. Both are NaN
        for clips of fewer than three frames; the ratio also where the truth stands still.
    """
    own, true = _second_differences(predicted), _second_differences(truth)
    return merge_all(
        [
            quotient("flicker", float(own.sum()), float(own.size)),
            quotient("flicker_ratio", float(own.sum()), float(true.sum())),
        ]
    )


def _second_differences(clip: UInt8[np.ndarray, "t h w 3"]) -> np.ndarray:
    """Absolute second differences in time, in levels."""
    return np.abs(np.diff(clip.astype(np.float64), n=2, axis=0))
