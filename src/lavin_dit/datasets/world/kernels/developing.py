"""From radiance to the levels of a picture: lens, sensor and development."""

import math

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.datasets.world.kernels.compilation import kernel
from lavin_dit.datasets.world.kernels.noise import random_at
from lavin_dit.datasets.world.kernels.vectors import Vector


@kernel
def _toned(x: float) -> float:
    """A film-like curve: linear in the dark, bending toward white (Narkowicz's fit of ACES)."""
    x = max(x, 0.0)
    x = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    x = min(x, 1.0)
    return 12.92 * x if x < 0.0031308 else 1.055 * math.pow(x, 0.41666) - 0.055


@kernel
def _noise(row: int, column: int, seed: int) -> float:
    """A number of mean 0 and standard deviation 1, almost normally distributed."""
    total = 0.0
    for draw in range(4):
        total += random_at(column, row, draw, seed)
    return (total - 2.0) * 1.7320508


@kernel
def _blur_line(
    source: Float32[np.ndarray, "h w 3"],
    result: Float32[np.ndarray, "h w 3"],
    place: tuple[int, int],
    step: tuple[int, int],
    sigma_px: float,
) -> Vector:
    """One pixel of a Gaussian blur along one axis; the border repeats."""
    height, width = source.shape[0], source.shape[1]
    reach = np.int32(2.5 * sigma_px + 1.0)
    red, green, blue, total = 0.0, 0.0, 0.0, 0.0
    for shift in range(-reach, reach + 1):
        distance = np.float32(shift) / sigma_px
        weight = math.exp(-0.5 * distance * distance)
        row = min(max(place[0] + shift * step[0], 0), height - 1)
        column = min(max(place[1] + shift * step[1], 0), width - 1)
        red += weight * source[row, column, 0]
        green += weight * source[row, column, 1]
        blue += weight * source[row, column, 2]
        total += weight
    result[place[0], place[1], 0] = red / total
    result[place[0], place[1], 1] = green / total
    result[place[0], place[1], 2] = blue / total
    return red, green, blue


@kernel
def develop_frame(
    radiance: Float32[np.ndarray, "h w 3"],
    scratch: Float32[np.ndarray, "h w 3"],
    lens: Float32[np.ndarray, "8"],
    seed: int,
    picture: UInt8[np.ndarray, "h w 3"],
) -> None:
    """Develop one frame.

    Args:
        radiance: Linear colours; overwritten.
        scratch: Scratch space.
        lens: Exposure (3, one per channel), saturation, vignette, blur in pixels, noise, unused.
        seed: Which noise.
        picture: Filled with sRGB levels.
    """
    height, width = radiance.shape[0], radiance.shape[1]
    if lens[5] > 0.2:
        for row in range(height):
            for column in range(width):
                _blur_line(radiance, scratch, (row, column), (0, 1), lens[5])
        for row in range(height):
            for column in range(width):
                _blur_line(scratch, radiance, (row, column), (1, 0), lens[5])
    diagonal = np.float32(height * height + width * width) * 0.25
    for row in range(height):
        for column in range(width):
            y = np.float32(row) + 0.5 - np.float32(height) * 0.5
            x = np.float32(column) + 0.5 - np.float32(width) * 0.5
            shade = 1.0 - lens[4] * (x * x + y * y) / diagonal
            red = radiance[row, column, 0] * lens[0] * shade
            green = radiance[row, column, 1] * lens[1] * shade
            blue = radiance[row, column, 2] * lens[2] * shade
            grey = 0.2126 * red + 0.7152 * green + 0.0722 * blue
            colours = (
                grey + (red - grey) * lens[3],
                grey + (green - grey) * lens[3],
                grey + (blue - grey) * lens[3],
            )
            for channel in range(3):
                value = colours[channel]
                if lens[6] > 0.0:
                    spread = lens[6] * math.sqrt(max(value, 0.0) + 0.05)
                    value += spread * _noise(row, column, seed + 7 * channel)
                level = _toned(value) * 255.0 + 0.5
                picture[row, column, channel] = np.uint8(level)
