"""Arithmetic of (x, y, z) tuples, and rigid poses.

A pose is 12 numbers: a rotation matrix row by row, whose columns are the local axes, and the place
of the local origin.
"""

# Kernels are typed as if they computed with Python's numbers, of which NumPy's are none.
# pyright: reportReturnType=false

import math

import numpy as np
from numpy.typing import NDArray

from lavin_dit.datasets.world.kernels.compilation import kernel

Vector = tuple[float, float, float]


@kernel
def dot(a: Vector, b: Vector) -> float:
    """Inner product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def add(a: Vector, b: Vector) -> Vector:
    """Sum."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


@kernel
def subtract(a: Vector, b: Vector) -> Vector:
    """Difference."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@kernel
def times(a: Vector, b: Vector) -> Vector:
    """Product of each component, as of a light and a colour."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@kernel
def scaled(a: Vector, factor: float) -> Vector:
    """Vector times a number."""
    return a[0] * factor, a[1] * factor, a[2] * factor


@kernel
def along(start: Vector, direction: Vector, distance: float) -> Vector:
    """The point at a distance on a ray."""
    return (
        start[0] + direction[0] * distance,
        start[1] + direction[1] * distance,
        start[2] + direction[2] * distance,
    )


@kernel
def mixed(a: Vector, b: Vector, share: float) -> Vector:
    """From a (share 0) to b (share 1)."""
    return (
        a[0] + (b[0] - a[0]) * share,
        a[1] + (b[1] - a[1]) * share,
        a[2] + (b[2] - a[2]) * share,
    )


@kernel
def unit(a: Vector) -> Vector:
    """Vector of length 1 in the same direction."""
    return scaled(a, 1.0 / math.sqrt(dot(a, a)))


@kernel
def larger(a: float, b: float) -> float:
    """The larger of two numbers; Numba's ``max`` does not compile for CUDA."""
    return a if a > b else b


@kernel
def smaller(a: float, b: float) -> float:
    """The smaller of two numbers."""
    return a if a < b else b


@kernel
def clamped(x: float) -> float:
    """The nearest number in 0 to 1."""
    return smaller(larger(x, 0.0), 1.0)


@kernel
def vector_at(row: NDArray[np.float32], start: int) -> Vector:
    """Three numbers of a row, as a vector."""
    return row[start], row[start + 1], row[start + 2]


@kernel
def single(a: Vector) -> Vector:
    """The vector in single precision."""
    return np.float32(a[0]), np.float32(a[1]), np.float32(a[2])


@kernel
def double(a: Vector) -> Vector:
    """The vector in double precision, in which what is computed from it is then done."""
    return np.float64(a[0]), np.float64(a[1]), np.float64(a[2])


@kernel
def rotate_in(pose: NDArray[np.float32], a: Vector) -> Vector:
    """A world direction in local axes."""
    return (
        pose[0] * a[0] + pose[3] * a[1] + pose[6] * a[2],
        pose[1] * a[0] + pose[4] * a[1] + pose[7] * a[2],
        pose[2] * a[0] + pose[5] * a[1] + pose[8] * a[2],
    )


@kernel
def rotate_out(pose: NDArray[np.float32], a: Vector) -> Vector:
    """A local direction in world axes."""
    return (
        pose[0] * a[0] + pose[1] * a[1] + pose[2] * a[2],
        pose[3] * a[0] + pose[4] * a[1] + pose[5] * a[2],
        pose[6] * a[0] + pose[7] * a[1] + pose[8] * a[2],
    )


@kernel
def place_of(pose: NDArray[np.float32]) -> Vector:
    """Where the local origin lies."""
    return pose[9], pose[10], pose[11]
