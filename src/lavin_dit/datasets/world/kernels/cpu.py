"""The loops over pixels for the CPU."""

import numpy as np
from jaxtyping import Bool, Float32, Int32

from lavin_dit.datasets.world.arrays import Buffers, SceneArrays, Tiles
from lavin_dit.datasets.world.kernels.compilation import kernel
from lavin_dit.datasets.world.kernels.pixels import lies_on_edge, observe_pixel, sampled_colour
from lavin_dit.datasets.world.kernels.tracing import nearest_hit
from lavin_dit.datasets.world.kernels.vectors import Vector


@kernel
def render_frames(
    scene: SceneArrays,
    tiles: Tiles,
    buffers: Buffers,
    edges: Bool[np.ndarray, "h w"],
    num_edge_samples: int,
) -> None:
    """Fill the buffers of a clip.

    Args:
        scene: The scene.
        tiles: What can be seen where.
        buffers: Written to; their shape says how many frames and pixels there are.
        edges: Scratch space.
        num_edge_samples: Rays along each side of a pixel that lies on an edge; 1 for no more than
            the one through its centre.
    """
    num_frames, height, width = buffers.depth.shape
    for frame in range(num_frames):
        for row in range(height):
            for column in range(width):
                observe_pixel(scene, tiles, buffers, frame, row, column)
        if num_edge_samples < 2:
            continue
        for row in range(height):
            for column in range(width):
                edges[row, column] = lies_on_edge(buffers, frame, row, column)
        for row in range(height):
            for column in range(width):
                if edges[row, column]:
                    light = sampled_colour(scene, tiles, frame, row, column, num_edge_samples)
                    for channel in range(3):
                        buffers.radiance[frame, row, column, channel] = light[channel]


@kernel
def _toward(eye: Vector, target: Vector) -> Vector:
    """Direction of length 1 from one point to another."""
    x, y, z = target[0] - eye[0], target[1] - eye[1], target[2] - eye[2]
    inverse = 1.0 / np.sqrt(x * x + y * y + z * z)
    return x * inverse, y * inverse, z * inverse


@kernel
def trace_points(
    scene: SceneArrays,
    moments: Int32[np.ndarray, " n"],
    targets: Float32[np.ndarray, "n 3"],
    parts: Int32[np.ndarray, " n"],
    distances: Float32[np.ndarray, " n"],
) -> None:
    """What the camera sees in the direction of points.

    Args:
        scene: The scene.
        moments: When to look.
        targets: The points, in metres of the world.
        parts: Filled with the part that is seen, or ``NO_PART``.
        distances: Filled with its distance in metres.
    """
    for index in range(targets.shape[0]):
        camera = scene.cameras[moments[index]]
        eye = (camera[9], camera[10], camera[11])
        target = (targets[index, 0], targets[index, 1], targets[index, 2])
        direction = _toward(eye, target)
        part, distance = nearest_hit(scene, moments[index], eye, direction)
        parts[index], distances[index] = part, distance
