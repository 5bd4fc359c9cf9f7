"""Rotations as matrices (columns are the rotated axes) and quaternions (w, x, y, z)."""

import numpy as np
from jaxtyping import Float64

Quaternion = tuple[float, float, float, float]


def matrix_of(quaternion: Quaternion) -> Float64[np.ndarray, "3 3"]:
    """The matrix of a unit quaternion."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def about_axis(axis: str, degrees: float) -> Quaternion:
    """The quaternion of a turn about x, y or z."""
    half = np.radians(degrees) / 2
    sine = float(np.sin(half))
    return (
        float(np.cos(half)),
        sine * (axis == "x"),
        sine * (axis == "y"),
        sine * (axis == "z"),
    )


def quaternion_of(matrix: Float64[np.ndarray, "3 3"]) -> Quaternion:
    """The quaternion of a rotation matrix, with w not negative."""
    m = matrix
    squares = np.array(
        [
            1 + m[0, 0] + m[1, 1] + m[2, 2],
            1 + m[0, 0] - m[1, 1] - m[2, 2],
            1 - m[0, 0] + m[1, 1] - m[2, 2],
            1 - m[0, 0] - m[1, 1] + m[2, 2],
        ]
    )
    products = np.array(
        [
            [squares[0], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], squares[1], m[1, 0] + m[0, 1], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[1, 0] + m[0, 1], squares[2], m[2, 1] + m[1, 2]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[2, 1] + m[1, 2], squares[3]],
        ]
    )
    row = products[int(np.argmax(squares))]
    row = row / np.linalg.norm(row) * (1 if row[0] >= 0 else -1)
    return float(row[0]), float(row[1]), float(row[2]), float(row[3])


def turns(axis: str, radians: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n 3 3"]:
    """Rotation matrices about one axis."""
    cosine, sine = np.cos(radians), np.sin(radians)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrices = np.zeros((*radians.shape, 3, 3))
    matrices[..., :, :] = np.eye(3)
    matrices[..., first, first] = matrices[..., second, second] = cosine
    matrices[..., first, second], matrices[..., second, first] = -sine, sine
    return matrices


def looking_at(
    eye: Float64[np.ndarray, "3"], target: Float64[np.ndarray, "3"], *, roll_rad: float = 0.0
) -> Float64[np.ndarray, "3 3"]:
    """Camera axes (x right, y up, z back) of a camera that looks at a point.

    Args:
        eye: Where the camera is.
        target: What it looks at; not straight above or below.
        roll_rad: How far the camera is tilted about its axis, counterclockwise.

    Returns:
        A matrix whose columns are the axes.
    """
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    up = np.cross(back, right)
    return np.stack([right, up, back], axis=1) @ turns("z", np.array(roll_rad))
