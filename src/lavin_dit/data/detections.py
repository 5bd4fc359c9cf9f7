"""Pseudo labels of boxes and poses: from what is found frame by frame to one annotation of a clip.

What a detector finds in one frame is linked to what it finds in the next, since a box or a person
keeps its place in an annotation through a clip.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from lavin_dit.data.pseudo_labels import NoLabelError
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.coco_joints import NUM_JOINTS
from lavin_dit.vision.codecs.keypoints import UNLABELLED, VISIBLE, Keypoints
from lavin_dit.vision.codecs.rgb import Rgb

_LINK_IOU = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameBoxes:
    """What a detector found in one frame.

    Attributes:
        corners_px: Left, top, right and bottom of each box, in continuous pixels.
        classes: Class of each.
    """

    corners_px: Float32[np.ndarray, "n 4"]
    classes: Int32[np.ndarray, " n"]


BoxFunction: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], FrameBoxes]
"""From a frame to its boxes."""
PoseFunction: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], Float32[np.ndarray, "n 17 3"]]
"""From a frame to x and y in continuous pixels, and a score, of each joint of each person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxLabels:
    """Boxes by a function of a frame.

    Attributes:
        name: What the function is.
        function: Gives boxes and their classes.
        class_names: Names of the classes.
    """

    name: str
    function: BoxFunction
    class_names: Mapping[int, str]

    @property
    def kind(self) -> type[Boxes]:
        """What it makes."""
        return Boxes

    def label(self, clip: Rgb) -> Boxes:
        """Detect things.

        Args:
            clip: Any clip.

        Returns:
            Boxes within the frame, linked from frame to frame; those without area are left out.

        Raises:
            NoLabelError: If nothing is found in any frame.
        """
        limit = np.array([clip.shape.width, clip.shape.height] * 2, dtype=np.float32)
        corners: list[Float32[np.ndarray, "_ 4"]] = []
        classes: list[Int32[np.ndarray, " _"]] = []
        for frame in clip.pixels:
            found = self.function(frame)
            inside = np.clip(found.corners_px, np.float32(0), limit)
            kept = (inside[:, 2:] > inside[:, :2]).all(axis=-1)
            corners.append(inside[kept])
            classes.append(found.classes[kept])
        tracks = link(corners, classes)
        num_tracks = _num_tracks(tracks, "nothing was found")
        all_corners = np.zeros((len(tracks), num_tracks, 4), dtype=np.float32)
        present = np.zeros((len(tracks), num_tracks), dtype=np.bool_)
        kinds = np.zeros(num_tracks, dtype=np.int32)
        for frame, own in enumerate(tracks):
            all_corners[frame, own] = corners[frame]
            present[frame, own] = True
            kinds[own] = classes[frame]
        return Boxes(corners_px=all_corners, present=present, classes=kinds, size=clip.shape.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseLabels:
    """Joints of people by a function of a frame.

    Attributes:
        name: What the function is.
        function: Gives positions and scores of joints.
        min_joint_score: Joints below this score are not labelled.
        min_joints: People with fewer labelled joints are left out.
    """

    name: str
    function: PoseFunction
    min_joint_score: float = 0.3
    min_joints: int = 3

    def __post_init__(self) -> None:
        """Refuse people without joints."""
        if not 1 <= self.min_joints <= NUM_JOINTS:
            raise ValueError(f"min_joints is 1 to {NUM_JOINTS}, got {self.min_joints}")

    @property
    def kind(self) -> type[Keypoints]:
        """What it makes."""
        return Keypoints

    def label(self, clip: Rgb) -> Keypoints:
        """Find people.

        Args:
            clip: Any clip.

        Returns:
            Their joints, linked from frame to frame; a joint is visible or not labelled, since
            networks do not tell hidden ones.

        Raises:
            NoLabelError: If nobody is found in any frame.
        """
        people = [self._people(frame) for frame in clip.pixels]
        tracks = link([self._outlines(own) for own in people], None)
        num_tracks = _num_tracks(tracks, "nobody was found")
        positions = np.zeros((len(people), num_tracks, NUM_JOINTS, 2), dtype=np.float32)
        visibility = np.full(positions.shape[:3], UNLABELLED, dtype=np.uint8)
        for frame, (own, joints) in enumerate(zip(tracks, people, strict=True)):
            positions[frame, own] = joints[..., :2]
            visibility[frame, own] = np.where(self._seen(joints), VISIBLE, UNLABELLED)
        return Keypoints(positions_px=positions, visibility=visibility, size=clip.shape.size)

    def _people(self, frame: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "n 17 3"]:
        """The people of one frame that show enough joints."""
        people = self.function(frame)
        return people[self._seen(people).sum(axis=1) >= self.min_joints]

    def _seen(self, people: Float32[np.ndarray, "n 17 3"]) -> np.ndarray:
        """Which joints are labelled, of shape (n, 17)."""
        return people[..., 2] >= self.min_joint_score

    def _outlines(self, people: Float32[np.ndarray, "n 17 3"]) -> Float32[np.ndarray, "n 4"]:
        """Left, top, right and bottom of people's labelled joints."""
        seen = self._seen(people)[..., None]
        low = np.where(seen, people[..., :2], np.float32(np.inf)).min(axis=1)
        high = np.where(seen, people[..., :2], np.float32(-np.inf)).max(axis=1)
        return np.concatenate([low, high], axis=1)


def _num_tracks(tracks: Sequence[Int32[np.ndarray, " _"]], otherwise: str) -> int:
    """How many tracks there are; none is no answer."""
    count = 1 + max((int(own.max()) for own in tracks if own.size), default=-1)
    if not count:
        raise NoLabelError(otherwise)
    return count


def link(
    corners: Sequence[Float32[np.ndarray, "_ 4"]],
    classes: Sequence[Int32[np.ndarray, " _"]] | None,
) -> list[Int32[np.ndarray, " _"]]:
    """Link boxes of frame after frame into tracks, the best overlaps first.

    Args:
        corners: Left, top, right, bottom of the boxes of each frame.
        classes: Class of each; only boxes of one class are linked. None if there are none.

    Returns:
        The number of the track of each box, from 0.
    """
    tracks: list[Int32[np.ndarray, " _"]] = []
    num_tracks = 0
    for frame, own in enumerate(corners):
        numbers = np.full(len(own), -1, dtype=np.int32)
        if frame and len(own) and len(corners[frame - 1]):
            overlap = iou(corners[frame - 1], own)
            if classes is not None:
                overlap = overlap * (classes[frame - 1][:, None] == classes[frame][None])
            while overlap.max() >= _LINK_IOU:
                before, now = np.unravel_index(int(overlap.argmax()), overlap.shape)
                numbers[now] = tracks[-1][before]
                overlap[before], overlap[:, now] = 0, 0
        new = np.flatnonzero(numbers < 0)
        numbers[new] = num_tracks + np.arange(len(new))
        num_tracks += len(new)
        tracks.append(numbers)
    return tracks


def iou(
    first: Float32[np.ndarray, "n 4"], second: Float32[np.ndarray, "m 4"]
) -> Float32[np.ndarray, "n m"]:
    """Intersection over union of every box with every other.

    Args:
        first: Left, top, right, bottom of boxes.
        second: The same of others.

    Returns:
        0 where two do not meet, 1 where they are equal.
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1) for boxes in (first, second)]
    return both / np.maximum(areas[0][:, None] + areas[1][None] - both, np.float32(1e-9))


def best_boxes(
    corners: Float32[np.ndarray, "n 4"],
    classes: Int32[np.ndarray, " n"],
    scores: Float32[np.ndarray, " n"],
    *,
    max_overlap: float,
) -> Sequence[int]:
    """Which boxes stay when each thing is to have one only.

    Args:
        corners: Left, top, right and bottom.
        classes: Class of each; boxes of different classes do not meet.
        scores: Higher is better.
        max_overlap: Intersection over union above which two boxes are of one thing.

    Returns:
        Their places, the highest scores first.
    """
    order = np.argsort(-scores, kind="stable")
    same = classes[order][:, None] == classes[order][None]
    rivals = (iou(corners[order], corners[order]) > max_overlap) & same
    kept: list[int] = []
    for place in range(len(order)):
        if not rivals[place, kept].any():
            kept.append(place)
    return order[kept].tolist()
