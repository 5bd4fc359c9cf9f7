"""All that is known about one pixel, and its colour."""

# Kernels are typed as if they computed with Python's numbers, of which NumPy's are none.
# pyright: reportArgumentType=false, reportReturnType=false

import math

import numpy as np

from lavin_dit.datasets.world.arrays import (
    HIDDEN,
    NOWHERE,
    OUTSIDE,
    VISIBLE,
    Buffers,
    CameraLayout,
    SceneArrays,
    Tiles,
)
from lavin_dit.datasets.world.kernels.compilation import inlined_kernel, kernel
from lavin_dit.datasets.world.kernels.intersection import normal_of
from lavin_dit.datasets.world.kernels.lighting import radiance
from lavin_dit.datasets.world.kernels.noise import random_at
from lavin_dit.datasets.world.kernels.tracing import (
    camera_ray,
    is_blocked_in_tile,
    nearest_hit_in_tile,
    refined_point,
)
from lavin_dit.datasets.world.kernels.vectors import (
    Vector,
    add,
    along,
    dot,
    double,
    larger,
    place_of,
    rotate_in,
    rotate_out,
    single,
    subtract,
)

_FOCAL, _X, _Y = CameraLayout.FOCAL_PX, CameraLayout.CENTRE_X_PX, CameraLayout.CENTRE_Y_PX
_SAME_DIRECTION = np.float32(0.85)  # cosine below which neighbours lie on different faces


@inlined_kernel
def _write_motion(
    scene: SceneArrays,
    tiles: Tiles,
    buffers: Buffers,
    place: tuple[int, int, int, int],
    part: int,
    local: Vector,
) -> None:
    """Write where the point of a pixel is in a neighbouring frame.

    Args:
        scene: The scene.
        tiles: What can be seen where.
        buffers: Written to.
        place: 0 for the next frame or 1 for the one before; frame, row and column.
        part: What is seen, or ``NO_PART``.
        local: The point in the part's frame; a direction if it is the sky. Double precision.
    """
    way, frame, row, column = place
    moment = frame + 2 - 2 * way
    camera = scene.cameras[moment]
    if part < 0:
        target = local
        seen = rotate_in(camera, local)
    else:
        pose = scene.poses[moment, part]
        target = add(rotate_out(pose, local), place_of(pose))
        seen = rotate_in(camera, subtract(target, place_of(camera)))
    code = NOWHERE
    if seen[2] < -1e-4:
        code = OUTSIDE
        magnification = camera[_FOCAL] / seen[2]
        x = camera[_X] - magnification * seen[0]
        y = camera[_Y] + magnification * seen[1]
        buffers.flow[way, frame, row, column, 0] = x - np.float32(column) - 0.5
        buffers.flow[way, frame, row, column, 1] = y - np.float32(row) - 0.5
        height, width = buffers.depth.shape[1], buffers.depth.shape[2]
        if 0.0 <= x < np.float32(width) and 0.0 <= y < np.float32(height):
            there = (moment, np.int32(y), np.int32(x))
            hidden = is_blocked_in_tile(scene, tiles, there, single(target), part < 0)
            code = HIDDEN if hidden else VISIBLE
    buffers.occlusion[way, frame, row, column] = np.uint8(code)


@kernel
def observe_pixel(
    scene: SceneArrays,
    tiles: Tiles,
    buffers: Buffers,
    frame: int,
    row: int,
    column: int,
) -> None:
    """Write what a ray through the centre of a pixel finds, colour included.

    Args:
        scene: The scene.
        tiles: What can be seen where.
        buffers: Written to.
        frame: Frame of the clip.
        row: Row of the pixel.
        column: Column of the pixel.
    """
    moment = frame + 1
    camera = scene.cameras[moment]
    eye = place_of(camera)
    x, y = np.float32(column) + 0.5, np.float32(row) + 0.5
    direction, _ = camera_ray(scene, moment, x, y)
    hit = nearest_hit_in_tile(scene, tiles, (moment, row, column), eye, direction)
    part, distance = hit
    local, depth, facing = double(direction), np.float64(0.0), (0.0, 0.0, 0.0)
    if part >= 0:
        local, depth = refined_point(scene, moment, part, x, y, distance)
        normal = normal_of(scene.kinds[part], scene.geometry[part], single(local))
        facing = rotate_in(camera, rotate_out(scene.poses[moment, part], normal))
    buffers.parts[frame, row, column] = np.int16(part)
    buffers.depth[frame, row, column] = depth
    for axis in range(3):
        buffers.normals[frame, row, column, axis] = facing[axis]
    for way in range(2):
        _write_motion(scene, tiles, buffers, (way, frame, row, column), part, local)
    jitter = (random_at(column, row, frame, 1), random_at(column, row, frame, 2))
    light = radiance(scene, moment, hit, eye, direction, jitter)
    for channel in range(3):
        buffers.radiance[frame, row, column, channel] = light[channel]


@kernel
def sampled_colour(
    scene: SceneArrays, tiles: Tiles, frame: int, row: int, column: int, num_per_side: int
) -> Vector:
    """Mean radiance over a pixel, on a grid of rays.

    Args:
        scene: The scene.
        tiles: What can be seen where.
        frame: Frame of the clip.
        row: Row of the pixel.
        column: Column of the pixel.
        num_per_side: Rays along each side of the pixel.

    Returns:
        Linear red, green and blue. Each ray counts less the brighter it is, so that a glint does
        not leave steps in an edge.
    """
    moment = frame + 1
    eye = place_of(scene.cameras[moment])
    total, weights = (0.0, 0.0, 0.0), 0.0
    step = 1.0 / np.float32(num_per_side)
    for i in range(num_per_side):
        for j in range(num_per_side):
            index = i * num_per_side + j
            a = (random_at(column, row, frame, 3 + 2 * index) + np.float32(i)) * step
            b = (random_at(column, row, frame, 4 + 2 * index) + np.float32(j)) * step
            x = np.float32(column) + (np.float32(j) + 0.5) * step
            y = np.float32(row) + (np.float32(i) + 0.5) * step
            direction, _ = camera_ray(scene, moment, x, y)
            hit = nearest_hit_in_tile(scene, tiles, (moment, row, column), eye, direction)
            light = radiance(scene, moment, hit, eye, direction, (a, b))
            weight = 1.0 / (1.0 + larger(larger(light[0], light[1]), light[2]))
            total = along(total, light, weight)
            weights += weight
    return total[0] / weights, total[1] / weights, total[2] / weights


@inlined_kernel
def lies_on_edge(buffers: Buffers, frame: int, row: int, column: int) -> bool:
    """Whether a pixel differs so much from a neighbour that one ray is not enough for it."""
    height, width = buffers.depth.shape[1], buffers.depth.shape[2]
    part = buffers.parts[frame, row, column]
    here = buffers.radiance[frame, row, column]
    for side in range(4):
        y = row + (side == 0) - (side == 1)
        x = column + (side == 2) - (side == 3)
        if y < 0 or x < 0 or y >= height or x >= width:
            continue
        if buffers.parts[frame, y, x] != part:
            return True
        there = buffers.radiance[frame, y, x]
        for channel in range(2):
            difference = abs(math.sqrt(here[channel]) - math.sqrt(there[channel]))
            if difference > 0.03 + 0.18 * math.sqrt(here[channel] + there[channel]):
                return True
        if part >= 0:
            a, b = buffers.normals[frame, row, column], buffers.normals[frame, y, x]
            if dot((a[0], a[1], a[2]), (b[0], b[1], b[2])) < _SAME_DIRECTION:
                return True
    return False
