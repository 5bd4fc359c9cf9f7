"""Random numbers that are functions of a place: the same on every machine and in every frame.

Numba widens the result of 32-bit integer arithmetic to 64 bits, so every step is cast back.
"""

# Kernels are typed as if they computed with Python's numbers, of which NumPy's are none.
# pyright: reportArgumentType=false, reportReturnType=false

import math

import numpy as np

from lavin_dit.datasets.world.kernels.compilation import kernel
from lavin_dit.datasets.world.kernels.vectors import Vector

_X, _Y = np.uint32(0x8DA6B343), np.uint32(0xD8163841)
_Z, _SEED = np.uint32(0xCB1AB31F), np.uint32(0x9E3779B9)
_MIX_1, _MIX_2 = np.uint32(0x2C1B3C6D), np.uint32(0x297A2D39)
_8, _12, _15 = np.uint32(8), np.uint32(12), np.uint32(15)


@kernel
def floor_of(x: float) -> int:
    """The largest whole number that is not above x."""
    whole = np.int32(x)
    return np.int32(whole - np.int32(1)) if x < np.float32(whole) else whole


@kernel
def fraction_of(x: float) -> float:
    """What is left of x above a whole number."""
    return x - np.float32(floor_of(x))


@kernel
def random_at(x: int, y: int, z: int, seed: int) -> float:
    """A number in 0 to 1 that belongs to a cell of a lattice."""
    a, b, c = np.uint32(np.int32(x)), np.uint32(np.int32(y)), np.uint32(np.int32(z))
    h = np.uint32(a * _X) ^ np.uint32(b * _Y) ^ np.uint32(c * _Z)
    h = np.uint32(h ^ np.uint32(np.uint32(np.int32(seed)) * _SEED))
    h = np.uint32(np.uint32(h ^ np.uint32(h >> _15)) * _MIX_1)
    h = np.uint32(np.uint32(h ^ np.uint32(h >> _12)) * _MIX_2)
    h = np.uint32(h ^ np.uint32(h >> _15))
    return np.float32(np.uint32(h >> _8)) * 5.9604645e-8


@kernel
def value_noise(point: Vector, seed: int) -> float:
    """Smooth noise in 0 to 1 with one independent value per unit cube."""
    x, y, z = floor_of(point[0]), floor_of(point[1]), floor_of(point[2])
    u, v, w = point[0] - np.float32(x), point[1] - np.float32(y), point[2] - np.float32(z)
    u, v, w = u * u * (3.0 - 2.0 * u), v * v * (3.0 - 2.0 * v), w * w * (3.0 - 2.0 * w)
    a, b = random_at(x, y, z, seed), random_at(x + 1, y, z, seed)
    c, d = random_at(x, y + 1, z, seed), random_at(x + 1, y + 1, z, seed)
    e, f = random_at(x, y, z + 1, seed), random_at(x + 1, y, z + 1, seed)
    g, h = random_at(x, y + 1, z + 1, seed), random_at(x + 1, y + 1, z + 1, seed)
    low = (a + (b - a) * u) * (1.0 - v) + (c + (d - c) * u) * v
    high = (e + (f - e) * u) * (1.0 - v) + (g + (h - g) * u) * v
    return low + (high - low) * w


@kernel
def fractal_noise(point: Vector, seed: int, num_octaves: int) -> float:
    """Sum of value noise at doubling frequencies and halving strengths, in 0 to 1."""
    x, y, z = point
    strength, total, reach = 0.5, 0.0, 0.0
    for octave in range(num_octaves):
        total += strength * value_noise((x, y, z), seed + octave)
        reach += strength
        x, y, z = x * 2.03 + 1.7, y * 2.03 + 9.2, z * 2.03 + 3.1
        strength *= 0.5
    return total / reach


@kernel
def cell_noise(point: Vector, seed: int) -> tuple[float, float]:
    """Voronoi cells of one random point per unit cube.

    Returns:
        A random number of the cell, and how far the point is from the cell's border.
    """
    x, y, z = floor_of(point[0]), floor_of(point[1]), floor_of(point[2])
    nearest, second, cell = 9.0, 9.0, 0.0
    for k in range(z - 1, z + 2):
        for j in range(y - 1, y + 2):
            for i in range(x - 1, x + 2):
                a = np.float32(i) + random_at(i, j, k, seed) - point[0]
                b = np.float32(j) + random_at(i, j, k, seed + 1) - point[1]
                c = np.float32(k) + random_at(i, j, k, seed + 2) - point[2]
                distance = a * a + b * b + c * c
                if distance < nearest:
                    nearest, second = distance, nearest
                    cell = random_at(i, j, k, seed + 3)
                elif distance < second:
                    second = distance
    return cell, math.sqrt(second) - math.sqrt(nearest)
