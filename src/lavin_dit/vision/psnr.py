"""Peak signal-to-noise ratio, the same for scores, training and the demo."""

import math

MAX_PSNR_DB = 100.0
"""PSNR of pictures that are equal, so that means stay finite; 8 bits never come near otherwise."""


def psnr_db(mse: float) -> float:
    """Peak signal-to-noise ratio of levels from 0 to 1.

    Args:
        mse: Mean squared error.

    Returns:
        Decibels, at most ``MAX_PSNR_DB``.
    """
    return MAX_PSNR_DB if mse <= 10 ** (-MAX_PSNR_DB / 10) else -10 * math.log10(mse)
