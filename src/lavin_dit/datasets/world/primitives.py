"""The primitive solids that everything is made of, in their own frames.

Sizes are three numbers in metres, whose meaning depends on the kind:

========== ==================================================================================
sphere     radius
ellipsoid  half axes
box        half extents
cylinder   radius, unused, half height along z
capsule    radius, unused, half length along z without the caps
cone       radius below, radius above, half height along z
torus      radius of the ring (around z), radius of its tube
superball  half extents; the exponents say how round it is
plane      unused; the plane z = 0, seen from above
========== ==================================================================================

A superball (superquadric) is ``(|x/a|^p + |y/b|^p)^(q/p) + |z/c|^q = 1``. Exponents from 1 up keep
it convex: 1 gives an octahedron, 2 an ellipsoid, 8 almost a box.
"""

import math
from typing import Literal

import numpy as np
from jaxtyping import Float64

PrimitiveKind = Literal[
    "sphere", "ellipsoid", "box", "cylinder", "capsule", "cone", "torus", "superball", "plane"
]
SPHERE, ELLIPSOID, BOX, CYLINDER, CAPSULE, CONE, TORUS, SUPERBALL, PLANE = range(9)
PRIMITIVE_NUMBERS: dict[PrimitiveKind, int] = {
    "sphere": SPHERE,
    "ellipsoid": ELLIPSOID,
    "box": BOX,
    "cylinder": CYLINDER,
    "capsule": CAPSULE,
    "cone": CONE,
    "torus": TORUS,
    "superball": SUPERBALL,
    "plane": PLANE,
}

Triple = tuple[float | int, float | int, float | int]


def bounding_radius(kind: PrimitiveKind, size: Triple) -> float:
    """Radius of the smallest sphere around the local origin that holds a primitive.

    Args:
        kind: Which primitive.
        size: Its size, in metres.

    Returns:
        The radius in metres.

    Raises:
        ValueError: If the primitive is a plane, which has none.
    """
    a, b, c = size
    if kind in ("sphere", "torus"):
        return a if kind == "sphere" else a + b
    if kind == "ellipsoid":
        return max(size)
    if kind in ("box", "superball"):
        return math.sqrt(a * a + b * b + c * c)
    if kind == "cylinder":
        return math.hypot(a, c)
    if kind == "capsule":
        return a + c
    if kind == "cone":
        return math.hypot(max(a, b), c)
    raise ValueError("a plane has no bounding sphere")


def _norm(
    x: Float64[np.ndarray, "*n"], y: Float64[np.ndarray, "*n"], power: float
) -> Float64[np.ndarray, "*n"]:
    """The p-norm of two numbers; the maximum for an infinite power."""
    x, y = np.abs(x), np.abs(y)
    largest = np.maximum(x, y)
    if math.isinf(power):
        return largest
    ratio = np.divide(np.minimum(x, y), largest, out=np.zeros_like(largest), where=largest > 0)
    return largest * (1 + ratio**power) ** (1 / power)


def support(
    kind: PrimitiveKind,
    size: Triple,
    direction: Float64[np.ndarray, "*n 3"],
    *,
    powers: tuple[float, float] = (2.0, 2.0),
) -> Float64[np.ndarray, "*n"]:
    """How far a primitive reaches in a direction: the largest product of its points with it.

    Args:
        kind: Which primitive, not a plane.
        size: Its size, in metres.
        direction: Any vectors in the primitive's frame.
        powers: The exponents p and q of a superball.

    Returns:
        The reach in metres times the length of the direction; exact.

    Raises:
        ValueError: If the primitive is a plane, which reaches without end.
    """
    x, y, z = np.moveaxis(direction, -1, 0)
    a, b, c = size
    radial, length = np.hypot(x, y), np.linalg.norm(direction, axis=-1)
    if kind == "sphere":
        return a * length
    if kind == "ellipsoid":
        return np.linalg.norm(direction * np.array(size), axis=-1)
    if kind == "box":
        return np.abs(direction) @ np.array(size)
    if kind == "cylinder":
        return a * radial + c * np.abs(z)
    if kind == "capsule":
        return a * length + c * np.abs(z)
    if kind == "cone":
        return np.maximum(a * radial - c * z, b * radial + c * z)
    if kind == "torus":
        return a * radial + b * length
    if kind == "superball":
        dual = [power / (power - 1) if power > 1 else math.inf for power in powers]
        return _norm(_norm(a * x, b * y, dual[0]), c * z, dual[1])
    raise ValueError("a plane reaches without end")
