"""Depth after least-squares alignment of scale and shift: one alignment for a whole clip."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from lavin_dit.evaluation.metrics.state import Quotients, sample_means
from lavin_dit.vision.codecs.depth import DepthCurve, along_curve, off_curve

_DELTA = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """What takes a prediction to the truth's units.

    Attributes:
        scale: Factor.
        shift: What is added after.
    """

    scale: float
    shift: float


def fit_scale_shift(
    predicted: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]
) -> Alignment:
    """The scale and shift that make the sum of squared differences least.

    Args:
        predicted: Values up to a scale and a shift.
        truth: What they should be.

    Returns:
        The alignment; a constant prediction has scale 0 and the truth's mean as its shift.

    Raises:
        ValueError: If there are no values, or some are not finite.
    """
    if not len(predicted):
        raise ValueError("nothing to align: there is no valid pixel")
    check_finite(predicted, name="predicted depth")
    one, other = predicted.astype(np.float64), truth.astype(np.float64)
    centred = one - one.mean()
    spread = float(centred @ centred)
    # Below this, what varies is rounding.
    if spread <= 1e-12 * max(1.0, float(one @ one)):
        return Alignment(scale=0.0, shift=float(other.mean()))
    scale = float(centred @ (other - other.mean())) / spread
    return Alignment(scale=scale, shift=float(other.mean() - scale * one.mean()))


def depth_lstsq(
    predicted: Float[np.ndarray, "t h w"],
    truth: Float[np.ndarray, "t h w"],
    valid: Bool[np.ndarray, "t h w"],
    *,
    curve: DepthCurve = "linear",
    range_m: tuple[float, float] = (0.1, 20.0),
) -> Quotients:
    """Depth errors of one image or clip, to be averaged over samples.

    Scale and shift are fitted in the quantity that was painted, where a picture without its key
    has lost them: depth itself for a linear painting, 1 / sqrt(depth) for this project's own.

    Args:
        predicted: Depth whose quantity is known up to a scale and a shift, shared by all frames;
            finite where valid, and above 0 unless the curve is linear.
        truth: Depth in metres, above 0 where valid.
        valid: Where the truth is known.
        curve: The quantity in which scale and shift are fitted.
        range_m: Least and largest depth of the data; what alignment takes beyond is put there.

    Returns:
        ``abs_rel_lstsq``: mean of the error's share of the truth. ``delta1_lstsq``: share of pixels
        that are wrong by a factor below 1.25. ``rmse_lstsq`` in metres and ``mse_lstsq`` in square
        metres. All are NaN, and count for nothing, where no pixel is valid.

    Raises:
        ValueError: If a prediction is not finite where the truth is known.

    Source:
        Paper, section B.2 (after Ranftl et al., 2020), which fits depth itself: the same number of
        degrees of freedom.
    """
    names = ("abs_rel_lstsq", "delta1_lstsq", "rmse_lstsq", "mse_lstsq")
    if not valid.any():
        return sample_means(**dict.fromkeys(names, math.nan))
    known = truth[valid].astype(np.float64)
    check_finite(predicted[valid], name="predicted depth")
    own = along_curve(predicted[valid].astype(np.float64), curve)
    alignment = fit_scale_shift(own, along_curve(known, curve))
    ends = along_curve(np.array(range_m), curve)
    quantity = np.clip(alignment.scale * own + alignment.shift, ends.min(), ends.max())
    errors = _errors(off_curve(quantity, curve), known)
    return sample_means(**dict(zip(names, errors, strict=True)))


def _errors(
    aligned: Float64[np.ndarray, " n"], truth: Float64[np.ndarray, " n"]
) -> tuple[float, float, float, float]:
    """Relative error, share within a factor, root of the mean square, and the mean square."""
    difference = aligned - truth
    factor = np.maximum(aligned / truth, truth / aligned)
    mse = float(np.mean(difference**2))
    return (
        float(np.mean(np.abs(difference) / truth)),
        float(np.mean(factor < _DELTA)),
        math.sqrt(mse),
        mse,
    )


def check_finite(values: Float[np.ndarray, "..."], *, name: str) -> None:
    """Refuse predictions that are not numbers: counting them as anything would hide a bug.

    Args:
        values: What was predicted.
        name: What to call it.

    Raises:
        ValueError: If a value is infinite or NaN.
    """
    wrong = int(np.count_nonzero(~np.isfinite(values)))
    if wrong:
        raise ValueError(f"{name} must be finite, but {wrong} of {values.size} values are not")
