"""From renderings to annotations."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int32, UInt8

from lavin_dit.datasets.world.arrays import NO_PART, NOWHERE
from lavin_dit.datasets.world.boxes import full_boxes, seen_things, visible_boxes
from lavin_dit.datasets.world.classes import CLASS_NAMES, STUFF_CLASSES
from lavin_dit.datasets.world.packing import PackedScene
from lavin_dit.datasets.world.physics import Trajectory
from lavin_dit.datasets.world.renderer import Rendering, first_parts
from lavin_dit.datasets.world.spec import SceneSpec
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.coco_joints import NUM_JOINTS
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import HIDDEN, UNLABELLED, VISIBLE, Keypoints
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import ClipShape, clip_shape

FARTHEST_M = 20.0
"""Depths beyond this are not valid, as with a real sensor. The floor of an open scene has no end:
if its horizon counted, painting would leave few grey levels to the things near the camera."""

_PERSON = CLASS_NAMES.index("person")
_SKIN_DEPTHS = 1.6  # a joint is seen if what hides it is no thicker than this many times its limb


@dataclass(frozen=True, slots=True, kw_only=True)
class Cameras:
    """The camera at each frame.

    Attributes:
        rotations: Columns are its axes (x right, y up, z back) in the world's.
        places: Where it is, in metres.
        focal_px: Focal length.
        centre_px: Where its axis meets the picture: (x, y).
    """

    rotations: Float64[np.ndarray, "t 3 3"]
    places: Float64[np.ndarray, "t 3"]
    focal_px: float
    centre_px: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldClip:
    """A rendered clip and all that is known about it.

    Things are numbered from 1 on, in the order of their boxes; those that no frame shows have no
    number.

    Attributes:
        spec: The scene.
        rgb: The pictures.
        depth: Along the optical axis; not valid for the sky and beyond ``FARTHEST_M``.
        normals: In camera space; not valid for the sky.
        forward: Motion to the next frame. That of the last frame leads out of the clip.
        forward_occlusion: Whether the point is seen there: ``arrays.VISIBLE``, ``HIDDEN`` by
            something, ``OUTSIDE`` of the picture, or ``NOWHERE``: behind the camera.
        backward: Motion to the frame before. That of the first frame leads out of the clip.
        backward_occlusion: Whether the point is seen there.
        instances: Number of the thing, 0 for stuff.
        classes: Class number of every pixel, as in ``CLASS_NAMES``.
        panoptic: Things first, then one segment for each class of stuff.
        boxes: Around what is seen of each thing.
        boxes_full: Around all of each thing.
        keypoints: Joints of the people that are seen.
        cameras: The camera.
    """

    spec: SceneSpec
    rgb: Rgb
    depth: Depth
    normals: Normals
    forward: Flow
    forward_occlusion: UInt8[np.ndarray, "t h w"]
    backward: Flow
    backward_occlusion: UInt8[np.ndarray, "t h w"]
    instances: Instances
    classes: Int32[np.ndarray, "t h w"]
    panoptic: Panoptic
    boxes: Boxes
    boxes_full: Boxes
    keypoints: Keypoints
    cameras: Cameras


def label(
    spec: SceneSpec, scene: PackedScene, trajectory: Trajectory, rendering: Rendering
) -> WorldClip:
    """Derive all annotations of a clip.

    Args:
        spec: The scene.
        scene: The same, packed.
        trajectory: Its motion.
        rendering: What the renderer made of it.

    Returns:
        The clip with its annotations.
    """
    buffers = rendering.buffers
    shape = clip_shape(buffers.depth)
    sky = buffers.parts == NO_PART
    raw_ids = np.where(sky, 0, scene.part_instances[buffers.parts]).astype(np.int32)
    classes = np.where(sky, CLASS_NAMES.index("sky"), scene.part_classes[buffers.parts])
    seen, _ = seen_things(raw_ids, count=len(scene.instance_classes))
    number = np.concatenate([[0], np.where(seen, np.cumsum(seen), 0)]).astype(np.int32)
    ids = number[raw_ids]
    thing_classes = scene.instance_classes[seen]
    boxes = visible_boxes(ids, thing_classes)
    whole = full_boxes(scene, shape=shape)
    return WorldClip(
        spec=spec,
        rgb=Rgb(pixels=rendering.rgb),
        depth=Depth(metres=buffers.depth, valid=~sky & (buffers.depth <= FARTHEST_M)),
        normals=Normals(vectors=buffers.normals, valid=~sky),
        forward=Flow(pixels=buffers.flow[0], valid=buffers.occlusion[0] != NOWHERE),
        forward_occlusion=buffers.occlusion[0],
        backward=Flow(pixels=buffers.flow[1], valid=buffers.occlusion[1] != NOWHERE),
        backward_occlusion=buffers.occlusion[1],
        instances=Instances(ids=ids),
        classes=classes.astype(np.int32),
        panoptic=_panoptic(ids, classes.astype(np.int32), thing_classes),
        boxes=boxes,
        boxes_full=replace(
            whole,
            corners_px=whole.corners_px[:, seen],
            present=whole.present[:, seen],
            classes=thing_classes,
        ),
        keypoints=_keypoints(scene, trajectory, boxes, seen=seen, shape=shape),
        cameras=_cameras(scene),
    )


def _panoptic(
    ids: Int32[np.ndarray, "t h w"],
    classes: Int32[np.ndarray, "t h w"],
    thing_classes: Int32[np.ndarray, " n"],
) -> Panoptic:
    """Things, then one segment for each class of stuff that is seen."""
    stuff = [number for number in range(len(STUFF_CLASSES)) if (classes[ids == 0] == number).any()]
    table = np.zeros(len(STUFF_CLASSES), dtype=np.int32)
    table[stuff] = len(thing_classes) + 1 + np.arange(len(stuff))
    segments = np.where(ids > 0, ids, table[np.minimum(classes, len(STUFF_CLASSES) - 1)])
    return Panoptic(
        ids=segments.astype(np.int32),
        classes=np.concatenate([thing_classes, stuff]).astype(np.int32),
    )


def _keypoints(
    scene: PackedScene,
    trajectory: Trajectory,
    boxes: Boxes,
    *,
    seen: Bool[np.ndarray, " things"],
    shape: ClipShape,
) -> Keypoints:
    """Joints of the people of whom any frame shows a pixel; in frames that do not: unlabelled."""
    num_objects = len(seen) - len(trajectory.figures)
    people = [f for i, f in enumerate(trajectory.figures) if seen[num_objects + i]]
    frames = shape.num_frames
    if not people:
        return Keypoints(
            positions_px=np.zeros((frames, 0, NUM_JOINTS, 2), dtype=np.float32),
            visibility=np.zeros((frames, 0, NUM_JOINTS), dtype=np.uint8),
            size=shape.size,
        )
    joints = np.stack([figure.joints[1:-1] for figure in people], axis=1)
    depths = np.stack([figure.joint_radii for figure in people]) * _SKIN_DEPTHS
    numbers = np.flatnonzero(seen[num_objects:]) + num_objects + 1
    places, ahead = _projected(scene, joints)
    limit = np.array([shape.width, shape.height])
    inside = ahead & (places >= 0).all(axis=-1) & (places < limit).all(axis=-1)
    moments = np.broadcast_to(np.arange(1, frames + 1, dtype=np.int32)[:, None, None], inside.shape)
    parts, distances = first_parts(
        scene.arrays,
        moments=moments.ravel(),
        targets=joints.reshape(-1, 3).astype(np.float32),
    )
    eyes = scene.arrays.cameras[1:-1, None, None, 9:12]
    covered = np.linalg.norm(joints - eyes, axis=-1) - distances.reshape(inside.shape)
    own = scene.part_instances[parts].reshape(inside.shape) == numbers[:, None]
    visible = own & (covered <= depths) & (parts.reshape(inside.shape) != NO_PART)
    visibility = np.where(visible, VISIBLE, HIDDEN)
    present = boxes.present[:, boxes.classes == _PERSON]
    visibility = np.where(inside & present[..., None], visibility, UNLABELLED)
    return Keypoints(
        positions_px=np.where(inside[..., None], places, 0).astype(np.float32),
        visibility=visibility.astype(np.uint8),
        size=shape.size,
    )


def _projected(
    scene: PackedScene, points: Float64[np.ndarray, "t n joints 3"]
) -> tuple[Float64[np.ndarray, "t n joints 2"], Bool[np.ndarray, "t n joints"]]:
    """Places in the picture of points of the world, and whether they lie before the camera."""
    cameras = _cameras(scene)
    local = np.einsum("tji,tnkj->tnki", cameras.rotations, points - cameras.places[:, None, None])
    ahead = local[..., 2] < -1e-3
    depth = np.where(ahead, -local[..., 2], 1.0)
    flat = local[..., :2] * np.array([1.0, -1.0]) / depth[..., None]
    return flat * cameras.focal_px + np.array(cameras.centre_px), ahead


def _cameras(scene: PackedScene) -> Cameras:
    """The camera at the frames of the clip."""
    rows = scene.arrays.cameras[1:-1].astype(np.float64)
    return Cameras(
        rotations=rows[:, :9].reshape(-1, 3, 3),
        places=rows[:, 9:12],
        focal_px=float(rows[0, 12]),
        centre_px=(float(rows[0, 13]), float(rows[0, 14])),
    )
