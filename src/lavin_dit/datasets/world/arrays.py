"""What the renderer reads and writes: flat single-precision arrays, as Numba and CUDA want them.

A clip of T frames is rendered from T + 2 *moments*: one before its first frame and one after its
last, so that every frame has motion in both directions. Frame ``t`` is moment ``t + 1``.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int16, Int32, UInt8

TILE_PX = 16
"""Height and width of the squares for which the objects in sight are listed."""

NO_PART = -1
"""In place of the number of a part where only the sky is seen."""

VISIBLE, HIDDEN, OUTSIDE, NOWHERE = 0, 1, 2, 3
"""Whether the point that a pixel shows is seen in the other frame: yes, behind something, out of
the picture, or behind the camera, where it has no place in the plane of the picture."""


class MaterialLayout:
    """Columns of ``SceneArrays.materials``; colours are linear."""

    PATTERN = 0
    FREQUENCY = 1
    SEED = 2
    FIRST = 3
    SECOND = 6
    THIRD = 9
    ROUGHNESS = 12
    SHINE = 13
    MIRROR = 14
    BUMP = 15
    PHOTO = 16
    WIDTH = 17


class EnvironmentLayout:
    """Entries of ``SceneArrays.environment``; colours are linear radiance."""

    SUN_DIRECTION = 0
    SUN_COLOUR = 3
    SUN_SOFTNESS = 6
    ZENITH = 7
    HORIZON = 10
    GROUND = 13
    AMBIENT = 16
    CLOUDS = 17
    CLOUD_FREQUENCY = 18
    SKY_SEED = 19
    FOG_PER_M = 20
    FOG = 21
    STARS = 24
    WIDTH = 25


class CameraLayout:
    """Columns of ``SceneArrays.cameras``: a pose (x right, y up, z back) and three numbers."""

    FOCAL_PX = 12
    CENTRE_X_PX = 13
    CENTRE_Y_PX = 14
    WIDTH = 15


class SceneArrays(NamedTuple):
    """A clip as the renderer sees it.

    Attributes:
        kinds: Primitive of each part.
        geometry: Size (3), exponents (2) and bounding radius of each part; metres.
        part_materials: Row of ``materials`` for each part.
        starts: First part of each object, and the number of parts. Planes are objects of their
            own and come first.
        poses: Rotation, row by row, and place of each part at each moment.
        bounds: Centre and radius of a sphere around each object at each moment; a plane's radius
            is negative.
        materials: As :class:`MaterialLayout` says.
        photos: Linear colours of the pictures that materials show.
        environment: As :class:`EnvironmentLayout` says.
        lights: Place (3), colour (3) and radius of each lamp.
        cameras: As :class:`CameraLayout` says, at each moment.
    """

    kinds: Int32[np.ndarray, " parts"]
    geometry: Float32[np.ndarray, "parts 6"]
    part_materials: Int32[np.ndarray, " parts"]
    starts: Int32[np.ndarray, " objects_and_1"]
    poses: Float32[np.ndarray, "moments parts 12"]
    bounds: Float32[np.ndarray, "moments objects 4"]
    materials: Float32[np.ndarray, "materials 17"]
    photos: Float32[np.ndarray, "photos side side 3"]
    environment: Float32[np.ndarray, " 25"]
    lights: Float32[np.ndarray, "lamps 7"]
    cameras: Float32[np.ndarray, "moments 15"]


class Tiles(NamedTuple):
    """Which objects can be seen through each square of the picture at each moment.

    Attributes:
        objects: Their numbers, the nearest first.
        counts: How many they are.
    """

    objects: UInt8[np.ndarray, "moments rows columns objects"]
    counts: UInt8[np.ndarray, "moments rows columns"]


class Buffers(NamedTuple):
    """What is known about each pixel of a clip; one ray through its centre, colour excepted.

    Attributes:
        radiance: Linear colour without exposure.
        depth: Along the optical axis in metres; 0 for the sky.
        normals: In camera axes (x right, y up, z toward the camera); 0 for the sky.
        parts: Number of the part that is seen, or ``NO_PART``.
        flow: Motion in pixels (x right, y down) to the next frame (0) and to the one before (1).
        occlusion: ``VISIBLE``, ``HIDDEN``, ``OUTSIDE`` or ``NOWHERE`` there.
    """

    radiance: Float32[np.ndarray, "t h w 3"]
    depth: Float32[np.ndarray, "t h w"]
    normals: Float32[np.ndarray, "t h w 3"]
    parts: Int16[np.ndarray, "t h w"]
    flow: Float32[np.ndarray, "2 t h w 2"]
    occlusion: UInt8[np.ndarray, "2 t h w"]


def empty_buffers(num_frames: int, height: int, width: int) -> Buffers:
    """Buffers for a clip, filled with zeros.

    Args:
        num_frames: Number of frames.
        height: Height of a frame in pixels.
        width: Width of a frame in pixels.

    Returns:
        The buffers.
    """
    shape = (num_frames, height, width)
    return Buffers(
        radiance=np.zeros((*shape, 3), dtype=np.float32),
        depth=np.zeros(shape, dtype=np.float32),
        normals=np.zeros((*shape, 3), dtype=np.float32),
        parts=np.zeros(shape, dtype=np.int16),
        flow=np.zeros((2, *shape, 2), dtype=np.float32),
        occlusion=np.zeros((2, *shape), dtype=np.uint8),
    )
