"""Likeness of pictures, pixel by pixel and by local structure."""

import math

import numpy as np
from jaxtyping import Float64, UInt8

from lavin_dit.evaluation.metrics.state import Quotients, sample_means
from lavin_dit.vision.psnr import psnr_db

_IMAGENET_STD = np.array([0.229, 0.224, 0.225])
_SSIM_SIGMA_PX, _SSIM_RADIUS_PX = 1.5, 5  # a window of 11 x 11, as its authors chose
_SSIM_K1, _SSIM_K2 = 0.01, 0.03


def picture_likeness(
    predicted: UInt8[np.ndarray, "t h w 3"], truth: UInt8[np.ndarray, "t h w 3"]
) -> Quotients:
    """Likeness of a picture or clip to the true one, averaged over samples.

    Args:
        predicted: Levels 0 to 255.
        truth: Levels 0 to 255.

    Returns:
        ``mse``: of levels taken to 0 to 1. ``mse_imagenet``: of levels normalised by ImageNet's
        deviations, about 20 times as much. ``psnr_db``: from the MSE of all frames, at most 100.
        ``ssim``: mean over frames and channels; NaN where a side is shorter than its window of 11.

    Source:
        Paper, section B.2. That its colorization MSE is of normalised levels follows from Bar et
        al. (2022), whose numbers its Table 1 quotes.
    """
    one, other = predicted.astype(np.float64) / 255, truth.astype(np.float64) / 255
    squares = (one - other) ** 2
    mse = float(squares.mean())
    return sample_means(
        mse=mse,
        mse_imagenet=float((squares / _IMAGENET_STD**2).mean()),
        psnr_db=psnr_db(mse),
        ssim=float(np.mean([ssim(*frames) for frames in zip(one, other, strict=True)])),
    )


def ssim(one: Float64[np.ndarray, "h w c"], other: Float64[np.ndarray, "h w c"]) -> float:
    """Structural similarity of two pictures, the mean over channels.

    Args:
        one: Levels from 0 to 1.
        other: Levels from 0 to 1.

    Returns:
        -1 to 1; NaN where a side is shorter than the window of 11 pixels.

    Source:
        Wang et al. (2004): a Gaussian window of deviation 1.5, where it fits into the picture.
    """
    if min(one.shape[:2]) < 2 * _SSIM_RADIUS_PX + 1:
        return math.nan
    mean, other_mean = _smooth(one), _smooth(other)
    variance = _smooth(one * one) - mean**2
    other_variance = _smooth(other * other) - other_mean**2
    covariance = _smooth(one * other) - mean * other_mean
    c1, c2 = _SSIM_K1**2, _SSIM_K2**2
    likeness = (2 * mean * other_mean + c1) * (2 * covariance + c2)
    likeness /= (mean**2 + other_mean**2 + c1) * (variance + other_variance + c2)
    inside = slice(_SSIM_RADIUS_PX, -_SSIM_RADIUS_PX)
    return float(likeness[inside, inside].mean())


def _smooth(picture: Float64[np.ndarray, "h w c"]) -> Float64[np.ndarray, "h w c"]:
    """Weighted mean around each pixel."""
    from scipy.ndimage import correlate1d  # of the extra "eval"; PSNR needs none

    offsets = np.arange(-_SSIM_RADIUS_PX, _SSIM_RADIUS_PX + 1)
    weights = np.exp(-(offsets**2) / (2 * _SSIM_SIGMA_PX**2))
    weights /= weights.sum()
    return correlate1d(correlate1d(picture, weights, axis=0), weights, axis=1)
