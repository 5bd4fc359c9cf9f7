"""What an autoencoder does to the colours of a painting, as one reproducible stand-in."""

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.vision.geometry import to_levels


def _blurred(
    values: Float32[np.ndarray, "t h w 3"], axis: int, sigma_px: float
) -> Float32[np.ndarray, "t h w 3"]:
    """Gaussian blur along one axis; the border repeats."""
    reach = int(np.ceil(4 * sigma_px))
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma_px) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    length = values.shape[axis]
    padding = [(reach, reach) if i == axis else (0, 0) for i in range(values.ndim)]
    padded = np.pad(values, padding, mode="edge")
    blurred = np.zeros_like(values)
    for shift, weight in enumerate(weights):
        blurred += weight * np.take(padded, np.arange(length) + shift, axis=axis)
    return blurred


def degrade(
    picture: UInt8[np.ndarray, "t h w 3"],
    *,
    generator: np.random.Generator,
    noise_levels: float = 6.0,
    blur_px: float = 0.7,
) -> UInt8[np.ndarray, "t h w 3"]:
    """Blur a painting, add noise and round to 8 bits: what reading must survive.

    Args:
        picture: Any painted clip.
        generator: Source of the noise.
        noise_levels: Standard deviation of the noise of each channel, in levels of 255.
        blur_px: Standard deviation of the Gaussian blur within a frame, in pixels; 0 for none.

    Returns:
        The degraded clip. The noise comes after the blur, the harder order of the two.

    Source:
        Ours (ADR 10).
    """
    values = picture.astype(np.float32)
    if blur_px > 0:
        values = _blurred(_blurred(values, 1, blur_px), 2, blur_px)
    noise = generator.normal(0.0, noise_levels, picture.shape).astype(np.float32)
    return to_levels(values + noise)
