"""Boxes around things in the picture: around what is seen of them, and around all of them."""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from lavin_dit.datasets.world.packing import PackedScene
from lavin_dit.datasets.world.primitives import support
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.labelling import label_boxes
from lavin_dit.vision.geometry import ClipShape, Size

_NEAREST_M = 0.02  # what comes closer to the camera's plane than this has no box
_NUM_PIECES, _NUM_DIVISIONS = 24, 6
_STEEPEST = 30.0  # tangent of the largest angle from the optical axis that is looked at


def visible_boxes(ids: Int32[np.ndarray, "t h w"], classes: Int32[np.ndarray, " n"]) -> Boxes:
    """The smallest boxes around the pixels of each thing.

    Args:
        ids: Number of the thing that each pixel shows, from 1 on; 0 for none.
        classes: Class of each thing.

    Returns:
        The boxes; a thing without pixels is not present.
    """
    corners = np.stack([label_boxes(frame[None], num_labels=len(classes)) for frame in ids])
    height, width = ids.shape[1:]
    return Boxes(
        corners_px=corners.astype(np.float32),
        present=corners[..., 2] > 0,
        classes=classes,
        size=Size(height=height, width=width),
    )


def full_boxes(scene: PackedScene, *, shape: ClipShape) -> Boxes:
    """The smallest boxes around the outlines of all things, seen or not.

    Args:
        scene: The scene.
        shape: Of the clip.

    Returns:
        The boxes; they may reach out of the frame. A thing that comes too close to the plane of
        the camera, or lies behind it, is not present.
    """
    count = len(scene.instance_classes)
    sides, near = _part_sides(scene)
    owners = scene.part_instances[scene.num_planes :]
    corners = np.zeros((shape.num_frames, count, 4))
    present = np.zeros((shape.num_frames, count), dtype=np.bool_)
    for thing in range(count):
        own = sides[1:-1, owners == thing + 1]
        corners[:, thing, :2] = own[..., :2].min(axis=1)
        corners[:, thing, 2:] = own[..., 2:].max(axis=1)
        present[:, thing] = near[1:-1, owners == thing + 1].min(axis=1) > _NEAREST_M
    present &= (corners[..., 2:] > corners[..., :2]).all(axis=-1)
    return Boxes(
        corners_px=corners.astype(np.float32),
        present=present,
        classes=scene.instance_classes,
        size=shape.size,
    )


def _part_sides(
    scene: PackedScene,
) -> tuple[Float64[np.ndarray, "moments parts 4"], Float64[np.ndarray, "moments parts"]]:
    """Left, top, right and bottom of each part in pixels, and the depth of its nearest point."""
    cameras = scene.arrays.cameras.astype(np.float64)
    poses = scene.arrays.poses[:, scene.num_planes :].astype(np.float64)
    to_camera = np.swapaxes(cameras[:, :9].reshape(-1, 3, 3), 1, 2)
    turns = to_camera[:, None] @ poses[..., :9].reshape(*poses.shape[:2], 3, 3)
    places = np.einsum("mij,mpj->mpi", to_camera, poses[..., 9:] - cameras[:, None, 9:12])
    toward = np.broadcast_to([0.0, 0.0, 1.0], places.shape)
    near = -_reach(scene, turns, places, toward)
    focal, centre_x, centre_y = cameras[0, 12:]
    tangents = _steepest_tangents(scene, turns, places)
    across = centre_x + focal * np.stack([-tangents[0], tangents[2]])
    down = centre_y + focal * np.stack([-tangents[1], tangents[3]])
    return np.stack([across[0], down[0], across[1], down[1]], axis=-1), near


def _steepest_tangents(
    scene: PackedScene,
    turns: Float64[np.ndarray, "moments parts 3 3"],
    places: Float64[np.ndarray, "moments parts 3"],
) -> Float64[np.ndarray, "4 moments parts"]:
    """Largest quotient of a coordinate and the depth over the points of each part.

    It is the slope of a plane through the camera that touches the part: of all points, the one
    farthest out along the plane's normal lies on it. Found by dividing an interval again and
    again.

    Returns:
        For the coordinate to the left, up, to the right and down.
    """
    sides = np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, -1.0]])
    low = np.full((len(sides), *places.shape[:2]), -_STEEPEST)
    width = np.full(low.shape, 2 * _STEEPEST / _NUM_PIECES)
    for _ in range(_NUM_DIVISIONS):
        inner = low + width * np.arange(1, _NUM_PIECES)[:, None, None, None]
        normals = np.empty((*inner.shape, 3))
        normals[..., :2] = sides[:, None, None]
        normals[..., 2] = inner
        num_outside = (_reach(scene, turns, places, normals) > 0).sum(axis=0)
        low, width = low + width * num_outside, width / _NUM_PIECES
    return low


def _reach(
    scene: PackedScene,
    turns: Float64[np.ndarray, "moments parts 3 3"],
    places: Float64[np.ndarray, "moments parts 3"],
    normals: Float64[np.ndarray, "*n moments parts 3"],
) -> Float64[np.ndarray, "*n moments parts"]:
    """Largest product of the points of each part with vectors, in camera axes."""
    local = (normals[..., None, :] @ turns)[..., 0, :]
    result = (normals * places).sum(axis=-1)
    for index, part in enumerate(scene.parts):
        own = local[..., index, :]
        result[..., index] += support(part.kind, part.size, own, powers=part.powers)
    return result


def seen_things(
    ids: Int32[np.ndarray, "t h w"], *, count: int
) -> tuple[Bool[np.ndarray, " things"], Float32[np.ndarray, "t things"]]:
    """Which things are seen at all, and how much of each frame they cover.

    Args:
        ids: Number of the thing that each pixel shows, from 1 on; 0 for none.
        count: Number of things.

    Returns:
        True for things with a pixel in any frame, and the share of each frame's pixels.
    """
    areas = np.stack([np.bincount(frame.ravel(), minlength=count + 1)[1:] for frame in ids])
    return np.asarray(areas.any(axis=0)), (areas / ids[0].size).astype(np.float32)
