"""Edges: F1 where an edge may be a pixel away."""

import math

import numpy as np
from jaxtyping import Bool

from lavin_dit.evaluation.metrics.state import Quotients, sample_means


def edge_f1(
    predicted: Bool[np.ndarray, "t h w"],
    truth: Bool[np.ndarray, "t h w"],
    *,
    tolerance_px: int = 1,
) -> Quotients:
    """F1 of edge pixels, with a tolerance in rows and columns.

    Args:
        predicted: True on edges.
        truth: True on edges.
        tolerance_px: Predicted and true edges so near each other count as the same.

    Returns:
        Named by the tolerance: ``f1_1px``, 1 where both are empty and 0 where one is;
        ``precision_1px``, the share of predicted pixels with a true one near, NaN if none are
        predicted; ``recall_1px``, the share of true ones with a predicted one near, NaN if there
        are none. All are averaged over samples.
    """
    found = np.count_nonzero(predicted & _widened(truth, tolerance_px))
    covered = np.count_nonzero(truth & _widened(predicted, tolerance_px))
    num_predicted, num_true = np.count_nonzero(predicted), np.count_nonzero(truth)
    precision = found / num_predicted if num_predicted else math.nan
    recall = covered / num_true if num_true else math.nan
    if not num_predicted and not num_true:
        f1 = 1.0
    elif not found or not covered:
        f1 = 0.0
    else:
        f1 = 2 * precision * recall / (precision + recall)
    ending = f"{tolerance_px}px"
    return sample_means(
        **{f"f1_{ending}": f1, f"precision_{ending}": precision, f"recall_{ending}": recall}
    )


def _widened(edges: Bool[np.ndarray, "t h w"], by_px: int) -> Bool[np.ndarray, "t h w"]:
    """Where an edge of the same frame is near; plain NumPy, so that edges are scored anywhere."""
    padded = np.pad(edges, ((0, 0), (by_px, by_px), (by_px, by_px)))
    side = 2 * by_px + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    return np.asarray(windows.any(axis=(-2, -1)))
