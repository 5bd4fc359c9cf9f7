"""Where rays meet primitives, in the primitive's own frame."""

# Kernels are typed as if they computed with Python's numbers, of which NumPy's are none.
# pyright: reportArgumentType=false, reportReturnType=false

import math

import numpy as np
from numpy.typing import NDArray

from lavin_dit.datasets.world.kernels.compilation import kernel
from lavin_dit.datasets.world.kernels.vectors import Vector, dot, larger, smaller
from lavin_dit.datasets.world.primitives import (
    BOX,
    CAPSULE,
    CONE,
    CYLINDER,
    ELLIPSOID,
    PLANE,
    SPHERE,
    SUPERBALL,
    TORUS,
)

MISS = np.float32(1e9)  # fast arithmetic knows no infinity

_NUM_TORUS_STEPS = 96
_NUM_NEWTON_STEPS = 32


@kernel
def _first_root(a: float, b: float, c: float, start: float) -> float:
    """The first root above start of ``a t^2 + 2 b t + c``, a above 0."""
    h = b * b - a * c
    if h < 0.0:
        return MISS
    root = math.sqrt(h)
    t = (-b - root) / a
    if t > start:
        return t
    t = (-b + root) / a
    return t if t > start else MISS


@kernel
def _hit_box(o: Vector, d: Vector, size: Vector, start: float) -> float:
    """Slab by slab."""
    near, far = -MISS, MISS
    for axis in range(3):
        speed = d[axis]
        if abs(speed) < 1e-9:
            speed = 1e-9
        inverse = 1.0 / speed
        middle, reach = -inverse * o[axis], abs(inverse) * size[axis]
        near, far = larger(near, middle - reach), smaller(far, middle + reach)
    if near > far or far < start:
        return MISS
    return near if near > start else far


@kernel
def _hit_disc(o: Vector, d: Vector, z: float, radius: float, start: float) -> float:
    """A flat cap at height z."""
    if abs(d[2]) < 1e-9:
        return MISS
    t = (z - o[2]) / d[2]
    x, y = o[0] + t * d[0], o[1] + t * d[1]
    return t if t > start and x * x + y * y <= radius * radius else MISS


@kernel
def _hit_cone(o: Vector, d: Vector, size: Vector, start: float) -> float:
    """A cone cut off at both ends; a cylinder has no slope."""
    below, above, half = size
    slope = (above - below) / (2.0 * half)
    radius = (below + above) * 0.5 + slope * o[2]
    a = d[0] * d[0] + d[1] * d[1] - slope * slope * d[2] * d[2]
    b = o[0] * d[0] + o[1] * d[1] - slope * d[2] * radius
    c = o[0] * o[0] + o[1] * o[1] - radius * radius
    best = MISS
    h = b * b - a * c
    if h >= 0.0 and abs(a) > 1e-9:
        root = math.sqrt(h)
        for sign in range(2):
            t = (-b - root) / a if sign == 0 else (-b + root) / a
            inside = abs(o[2] + t * d[2]) <= half and radius + slope * d[2] * t >= 0.0
            if start < t < best and inside:
                best = t
    best = smaller(best, _hit_disc(o, d, -half, below, start))
    return smaller(best, _hit_disc(o, d, half, above, start))


@kernel
def _hit_capsule(o: Vector, d: Vector, size: Vector, start: float) -> float:
    """A cylinder with a half sphere at each end; the ray starts outside."""
    radius, half = size[0], size[2]
    a = d[0] * d[0] + d[1] * d[1]
    end = -half if d[2] > 0.0 else half
    if a > 1e-9:
        b = o[0] * d[0] + o[1] * d[1]
        h = b * b - a * (o[0] * o[0] + o[1] * o[1] - radius * radius)
        if h < 0.0:
            return MISS
        t = (-b - math.sqrt(h)) / a
        z = o[2] + t * d[2]
        if abs(z) <= half:
            return t if t > start else MISS
        end = half if z > 0.0 else -half
    to_end = (o[0], o[1], o[2] - end)
    b = dot(to_end, d)
    h = b * b - dot(to_end, to_end) + radius * radius
    if h < 0.0:
        return MISS
    t = -b - math.sqrt(h)
    return t if t > start else MISS


@kernel
def _hit_torus(o: Vector, d: Vector, size: Vector, start: float) -> float:
    """March by the distance to the surface, which cannot jump over it."""
    ring, tube = size[0], size[1]
    reach = ring + tube
    b = dot(o, d)
    h = b * b - dot(o, o) + reach * reach
    if h < 0.0:
        return MISS
    root = math.sqrt(h)
    t, end = larger(-b - root, start), -b + root
    for _ in range(_NUM_TORUS_STEPS):
        x, y, z = o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2]
        q = math.sqrt(x * x + y * y) - ring
        gap = math.sqrt(q * q + z * z) - tube
        if gap < 5e-7:
            return t if t > start else MISS
        t += gap
        if t > end:
            return MISS
    return MISS


@kernel
def _power(x: float, exponent: float) -> float:
    """Power of a number that is not negative."""
    return math.pow(larger(x, 1e-12), exponent)


@kernel
def _superball(p: Vector, d: Vector, shape: NDArray[np.float32]) -> tuple[float, Vector, float]:
    """The norm whose unit ball the superball is: its value, gradient, and slope along d."""
    x, y, z = p[0] / shape[0], p[1] / shape[1], p[2] / shape[2]
    round_xy, round_z = shape[3], shape[4]
    ax, ay, az = _power(abs(x), round_xy - 1.0), _power(abs(y), round_xy - 1.0), 0.0
    az = _power(abs(z), round_z - 1.0)
    level = ax * abs(x) + ay * abs(y) + 1e-20
    flat = _power(level, round_z / round_xy)
    total = flat + az * abs(z)
    value = _power(total, 1.0 / round_z)
    outer = value / total
    inner = outer * flat / level
    gradient = (
        math.copysign(inner * ax, x) / shape[0],
        math.copysign(inner * ay, y) / shape[1],
        math.copysign(outer * az, z) / shape[2],
    )
    return value, gradient, dot(gradient, d)


@kernel
def _hit_superball(o: Vector, d: Vector, shape: NDArray[np.float32], start: float) -> float:
    """Newton's method from outside: it cannot overshoot, for a norm is convex along a ray."""
    radius = shape[5]
    b = dot(o, d)
    h = b * b - dot(o, o) + radius * radius
    if h < 0.0:
        return MISS
    t = larger(-b - math.sqrt(h), start)
    end = -b + math.sqrt(h)
    for _ in range(_NUM_NEWTON_STEPS):
        point = (o[0] + t * d[0], o[1] + t * d[1], o[2] + t * d[2])
        value, _, slope = _superball(point, d, shape)
        if value - 1.0 < 1e-6:
            return t if t > start else MISS
        if slope > -1e-6:
            return MISS
        step = (1.0 - value) / slope
        t += step
        if t > end:
            return MISS
        if step < 2e-7:
            return t
    return MISS


@kernel
def hit_primitive(
    kind: int, shape: NDArray[np.float32], o: Vector, d: Vector, start: float
) -> float:
    """Distance along a ray to the first point of a primitive that lies beyond start.

    Args:
        kind: Number of the primitive.
        shape: Its row of the geometry: size (3), exponents (2), bounding radius.
        o: Origin in the primitive's frame. Near the primitive, for the sake of precision.
        d: Direction of length 1.
        start: Hits at this distance or before do not count.

    Returns:
        The distance, or ``MISS``.
    """
    size = (shape[0], shape[1], shape[2])
    if kind == CAPSULE:
        return _hit_capsule(o, d, size, start)
    if kind == SPHERE:
        return _first_root(dot(d, d), dot(o, d), dot(o, o) - size[0] * size[0], start)
    if kind == ELLIPSOID:
        p = (o[0] / size[0], o[1] / size[1], o[2] / size[2])
        q = (d[0] / size[0], d[1] / size[1], d[2] / size[2])
        return _first_root(dot(q, q), dot(p, q), dot(p, p) - 1.0, start)
    if kind == BOX:
        return _hit_box(o, d, size, start)
    if kind == CYLINDER:
        return _hit_cone(o, d, (size[0], size[0], size[2]), start)
    if kind == CONE:
        return _hit_cone(o, d, size, start)
    if kind == SUPERBALL:
        return _hit_superball(o, d, shape, start)
    if kind == TORUS:
        return _hit_torus(o, d, size, start)
    t = -o[2] / d[2] if d[2] < -1e-9 else MISS
    return t if t > start else MISS


@kernel
def _cone_normal(p: Vector, size: Vector) -> Vector:
    """Normal of a cone cut off at both ends."""
    below, above, half = size
    slope = (above - below) / (2.0 * half)
    radius = larger(math.sqrt(p[0] * p[0] + p[1] * p[1]), 1e-9)
    if abs(p[2]) - half > radius - (below + above) * 0.5 - slope * p[2]:
        return 0.0, 0.0, math.copysign(1.0, p[2])
    length = 1.0 / math.sqrt(1.0 + slope * slope)
    return p[0] / radius * length, p[1] / radius * length, -slope * length


@kernel
def _box_normal(p: Vector, size: Vector) -> Vector:
    """Normal of the side that the point lies on."""
    x, y, z = abs(p[0]) - size[0], abs(p[1]) - size[1], abs(p[2]) - size[2]
    if x >= y and x >= z:
        return math.copysign(1.0, p[0]), 0.0, 0.0
    if y >= z:
        return 0.0, math.copysign(1.0, p[1]), 0.0
    return 0.0, 0.0, math.copysign(1.0, p[2])


@kernel
def normal_of(kind: int, shape: NDArray[np.float32], p: Vector) -> Vector:
    """Outward normal of a primitive at a point of its surface, in its frame.

    Args:
        kind: Number of the primitive.
        shape: Its row of the geometry.
        p: The point.

    Returns:
        A vector of length 1.
    """
    size = (shape[0], shape[1], shape[2])
    direction = (0.0, 0.0, 1.0)
    if kind == CAPSULE:
        direction = (p[0], p[1], p[2] - smaller(larger(p[2], -size[2]), size[2]))
    elif kind == SPHERE:
        direction = p
    elif kind == ELLIPSOID:
        direction = (
            p[0] / (size[0] * size[0]),
            p[1] / (size[1] * size[1]),
            p[2] / (size[2] * size[2]),
        )
    elif kind == BOX:
        direction = _box_normal(p, size)
    elif kind == CYLINDER:
        direction = _cone_normal(p, (size[0], size[0], size[2]))
    elif kind == CONE:
        direction = _cone_normal(p, size)
    elif kind == SUPERBALL:
        direction = _superball(p, p, shape)[1]
    elif kind == TORUS:
        radius = larger(math.sqrt(p[0] * p[0] + p[1] * p[1]), 1e-9)
        pull = (radius - size[0]) / radius
        direction = (p[0] * pull, p[1] * pull, p[2])
    length = 1.0 / math.sqrt(larger(dot(direction, direction), 1e-20))
    return direction[0] * length, direction[1] * length, direction[2] * length


assert PLANE == 8  # what hit_primitive and normal_of take anything else for
