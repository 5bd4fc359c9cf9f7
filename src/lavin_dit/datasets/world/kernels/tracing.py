"""Which part of a scene a ray meets first, and whether it meets any."""

# Kernels are typed as if they computed with Python's numbers, of which NumPy's are none.
# pyright: reportArgumentType=false, reportReturnType=false

import math

import numpy as np

from lavin_dit.datasets.world.arrays import TILE_PX, CameraLayout, SceneArrays, Tiles
from lavin_dit.datasets.world.kernels.compilation import inlined_kernel, kernel
from lavin_dit.datasets.world.kernels.intersection import MISS, hit_primitive
from lavin_dit.datasets.world.kernels.vectors import (
    Vector,
    along,
    dot,
    double,
    place_of,
    rotate_in,
    rotate_out,
    subtract,
)
from lavin_dit.datasets.world.primitives import PLANE, SUPERBALL, TORUS

_FOCAL, _X, _Y = CameraLayout.FOCAL_PX, CameraLayout.CENTRE_X_PX, CameraLayout.CENTRE_Y_PX


@inlined_kernel
def hit_part(
    scene: SceneArrays, moment: int, part: int, origin: Vector, direction: Vector, limit: float
) -> float:
    """Distance at which a ray meets one part, or a number that is not below the limit.

    The ray is first moved to where it passes the part closest: single precision would not do for
    a small thing far away.
    """
    kind = scene.kinds[part]
    poses = scene.poses
    x = origin[0] - poses[moment, part, 9]
    y = origin[1] - poses[moment, part, 10]
    z = origin[2] - poses[moment, part, 11]
    shift = 0.0
    if kind != PLANE:
        b = x * direction[0] + y * direction[1] + z * direction[2]
        radius = scene.geometry[part, 5]
        outside = x * x + y * y + z * z - radius * radius
        if outside > 0.0 and (b > 0.0 or b * b < outside * 0.9999 or -b - radius > limit):
            return limit
        shift = -b
        x, y, z = x + shift * direction[0], y + shift * direction[1], z + shift * direction[2]
    a0, a1, a2 = poses[moment, part, 0], poses[moment, part, 1], poses[moment, part, 2]
    a3, a4, a5 = poses[moment, part, 3], poses[moment, part, 4], poses[moment, part, 5]
    a6, a7, a8 = poses[moment, part, 6], poses[moment, part, 7], poses[moment, part, 8]
    local = (a0 * x + a3 * y + a6 * z, a1 * x + a4 * y + a7 * z, a2 * x + a5 * y + a8 * z)
    x, y, z = direction
    turned = (a0 * x + a3 * y + a6 * z, a1 * x + a4 * y + a7 * z, a2 * x + a5 * y + a8 * z)
    return shift + hit_primitive(kind, scene.geometry[part], local, turned, 1e-4 - shift)


@inlined_kernel
def _passes_by(
    scene: SceneArrays, moment: int, thing: int, origin: Vector, direction: Vector, limit: float
) -> bool:
    """Whether a ray misses the sphere around an object, or meets it beyond the limit."""
    radius = scene.bounds[moment, thing, 3]
    if radius < 0.0:
        return False
    x = origin[0] - scene.bounds[moment, thing, 0]
    y = origin[1] - scene.bounds[moment, thing, 1]
    z = origin[2] - scene.bounds[moment, thing, 2]
    b = x * direction[0] + y * direction[1] + z * direction[2]
    outside = x * x + y * y + z * z - radius * radius
    return outside > 0.0 and (b > 0.0 or b * b < outside or -b - radius > limit)


@inlined_kernel
def _hit_object(
    scene: SceneArrays,
    moment: int,
    thing: int,
    origin: Vector,
    direction: Vector,
    best: tuple[int, float],
) -> tuple[int, float]:
    """The nearer of the best hit so far and the first hit of an object."""
    part, distance = best
    if _passes_by(scene, moment, thing, origin, direction, distance):
        return part, distance
    for other in range(scene.starts[thing], scene.starts[thing + 1]):
        t = hit_part(scene, moment, other, origin, direction, distance)
        if t < distance:
            part, distance = np.int32(other), t
    return part, distance


@kernel
def nearest_hit(
    scene: SceneArrays, moment: int, origin: Vector, direction: Vector
) -> tuple[int, float]:
    """The part that a ray meets first.

    Returns:
        Its number and the distance, or ``NO_PART`` and ``MISS``.
    """
    best = (np.int32(-1), MISS)
    for thing in range(scene.starts.shape[0] - 1):
        best = _hit_object(scene, moment, thing, origin, direction, best)
    return best


@kernel
def nearest_hit_in_tile(
    scene: SceneArrays, tiles: Tiles, place: tuple[int, int, int], origin: Vector, direction: Vector
) -> tuple[int, float]:
    """The part that a ray from the camera meets first, if it goes through a certain tile.

    Args:
        scene: The scene.
        tiles: What can be seen where.
        place: Moment, row and column of a pixel of the tile.
        origin: Where the camera is.
        direction: A direction of length 1 through the tile.

    Returns:
        As :func:`nearest_hit`.
    """
    best = (np.int32(-1), MISS)
    moment, row, column = place[0], place[1] // TILE_PX, place[2] // TILE_PX
    for index in range(tiles.counts[moment, row, column]):
        thing = tiles.objects[moment, row, column, index]
        best = _hit_object(scene, moment, thing, origin, direction, best)
    return best


@inlined_kernel
def _blocks(
    scene: SceneArrays, moment: int, thing: int, origin: Vector, direction: Vector, limit: float
) -> bool:
    """Whether an object stands on a ray before the limit; planes never do."""
    if scene.bounds[moment, thing, 3] < 0.0:
        return False
    if _passes_by(scene, moment, thing, origin, direction, limit):
        return False
    for part in range(scene.starts[thing], scene.starts[thing + 1]):
        if hit_part(scene, moment, part, origin, direction, limit) < limit:
            return True
    return False


@kernel
def is_blocked(
    scene: SceneArrays, moment: int, origin: Vector, direction: Vector, limit: float
) -> bool:
    """Whether anything stands on a ray before the limit.

    Planes do not count: floor and walls enclose all that is in a scene.
    """
    for thing in range(scene.starts.shape[0] - 1):
        if _blocks(scene, moment, thing, origin, direction, limit):
            return True
    return False


@inlined_kernel
def is_blocked_in_tile(
    scene: SceneArrays, tiles: Tiles, place: tuple[int, int, int], target: Vector, far: bool
) -> bool:
    """Whether anything stands between the camera and a point.

    Args:
        scene: The scene.
        tiles: What can be seen where.
        place: Moment, row and column of the pixel that the point falls on.
        target: The point, or a direction of length 1 if it is infinitely far.
        far: Whether it is.

    Returns:
        True if so.
    """
    camera = scene.cameras[place[0]]
    eye = (camera[9], camera[10], camera[11])
    direction, limit = target, MISS * 0.5
    if not far:
        ray = subtract(target, eye)
        length = math.sqrt(dot(ray, ray))
        direction = (ray[0] / length, ray[1] / length, ray[2] / length)
        limit = length * 0.999 - 2e-3
    moment, row, column = place[0], place[1] // TILE_PX, place[2] // TILE_PX
    for index in range(tiles.counts[moment, row, column]):
        thing = tiles.objects[moment, row, column, index]
        if _blocks(scene, moment, thing, eye, direction, limit):
            return True
    return False


@kernel
def refined_point(
    scene: SceneArrays, moment: int, part: int, x: float, y: float, distance: float
) -> tuple[Vector, float]:
    """Where the ray through a place in the picture meets a part, in double precision.

    At an outline that a ray grazes, rounding the ray to single precision moves the point by a
    hundred times as much. The march onto tori and superballs stops sooner than that would matter.

    Args:
        scene: The scene.
        moment: When.
        part: The part that the ray was found to meet.
        x: Place in continuous pixels to the right.
        y: Place in continuous pixels downwards.
        distance: Where it was found to meet it.

    Returns:
        The point in the part's frame, and its depth.
    """
    camera, pose, kind = scene.cameras[moment], scene.poses[moment, part], scene.kinds[part]
    per_px = 1.0 / np.float64(camera[_FOCAL])
    u, v = (np.float64(x) - camera[_X]) * per_px, (camera[_Y] - np.float64(y)) * per_px
    inverse = 1.0 / math.sqrt(u * u + v * v + 1.0)
    direction = rotate_out(camera, (u * inverse, v * inverse, -inverse))
    origin = subtract(double(place_of(camera)), place_of(pose))
    shift = -dot(origin, direction) if kind != PLANE else 0.0
    local = rotate_in(pose, along(origin, direction, shift))
    turned = rotate_in(pose, direction)
    t = np.float64(distance) - shift
    if kind != TORUS and kind != SUPERBALL:
        refined = hit_primitive(kind, scene.geometry[part], local, turned, 1e-4 - shift)
        if abs(refined - t) < 1e-3 * distance:
            t = refined
    return along(local, turned, t), (t + shift) * inverse


@inlined_kernel
def camera_ray(scene: SceneArrays, moment: int, x: float, y: float) -> tuple[Vector, float]:
    """The ray through a place in the picture.

    Args:
        scene: The scene.
        moment: When.
        x: Place in continuous pixels to the right.
        y: Place in continuous pixels downwards.

    Returns:
        Its direction of length 1, and the depth of the point at distance 1.
    """
    camera = scene.cameras[moment]
    u, v = (x - camera[_X]) / camera[_FOCAL], (camera[_Y] - y) / camera[_FOCAL]
    inverse = 1.0 / math.sqrt(u * u + v * v + 1.0)
    return rotate_out(camera, (u * inverse, v * inverse, -inverse)), inverse
