"""Poses: COCO's keypoint json, and skeletons over the photo."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.vision.codecs.coco_joints import JOINT_NAMES, SKELETON
from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.codecs.drawing import draw_limb
from lavin_dit.vision.codecs.keypoints import VISIBLE, Keypoints
from lavin_dit.vision.codecs.palette import INSTANCE_COLOURS
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import to_levels
from lavin_dit.vision.results.files import coco_images, write_json
from lavin_dit.vision.results.overlay import ground

_SEEN = np.array([255, 255, 255], dtype=np.uint8)
_HIDDEN = np.array([130, 130, 130], dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointsResult:
    """Poses that were read from a picture.

    Attributes:
        annotation: The joints.
        photo_name: File of the picture that was annotated, which ``.json`` names; None if it is
            not known.
    """

    annotation: Keypoints
    photo_name: str | None = None

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """A coloured skeleton per person; white joints are seen, grey ones hidden.

        Args:
            photo: Drawn underneath, dimmed.

        Returns:
            The picture.
        """
        poses = self.annotation
        canvas = ground(photo, poses.shape, dimmed=True)
        for frame, own in enumerate(canvas):
            for person, visibility in enumerate(poses.visibility[frame]):
                joints = poses.positions_px[frame, person]
                colour = INSTANCE_COLOURS[person % len(INSTANCE_COLOURS)]
                for start, stop in SKELETON:
                    if visibility[start] and visibility[stop]:
                        draw_limb(own, joints[start], joints[stop], radius_px=1.5, colour=colour)
                for joint in np.nonzero(visibility)[0]:
                    level = _SEEN if visibility[joint] == VISIBLE else _HIDDEN
                    draw_limb(own, joints[joint], joints[joint], radius_px=2.0, colour=level)
        return to_levels(canvas)

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write ``.json`` as COCO does, with one image per frame.

        ``keypoints`` holds x, y and visibility of 17 joints. COCO counts the centre of the first
        pixel as 0, we count it as 0.5: positions are written in COCO's count, and as zeros where
        a joint is not labelled. ``bbox`` and ``area`` are those of the labelled joints. People
        without any joint in a frame are left out of it; ``track_id`` is the same number for a
        person in every frame. A reading has no confidence: ``score`` is 1.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the file without its ending.

        Returns:
            The file written.
        """
        poses, shape = self.annotation, self.annotation.shape
        annotations: list[Json] = []
        for frame, person in zip(*np.nonzero(poses.visibility.any(axis=-1)), strict=True):
            entry = _as_coco(poses.positions_px[frame, person], poses.visibility[frame, person])
            entry |= {
                "id": len(annotations) + 1,
                "image_id": int(frame) + 1,
                "track_id": int(person) + 1,
            }
            annotations.append(entry)
        skeleton: list[Json] = [[start + 1, stop + 1] for start, stop in SKELETON]
        category: Json = {
            "id": 1,
            "name": "person",
            "supercategory": "person",
            "keypoints": list(JOINT_NAMES),
            "skeleton": skeleton,
        }
        content: dict[str, Json] = {
            "images": coco_images(stem, shape, photo_name=self.photo_name),
            "annotations": annotations,
            "categories": [category],
        }
        return (write_json(folder / f"{stem}.json", content),)


def _as_coco(
    positions: Float32[np.ndarray, "17 2"], visibility: UInt8[np.ndarray, "17"]
) -> dict[str, Json]:
    """One person in one frame."""
    labelled = visibility > 0
    places = np.where(labelled[:, None], positions - np.float32(0.5), np.float32(0))
    numbers: list[Json] = []
    for (x, y), own in zip(places.tolist(), visibility.tolist(), strict=True):
        numbers += [x, y, own]
    left, top = positions[labelled].min(axis=0).tolist()
    right, bottom = positions[labelled].max(axis=0).tolist()
    return {
        "category_id": 1,
        "keypoints": numbers,
        "num_keypoints": int(labelled.sum()),
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "iscrowd": 0,
        "score": 1.0,
    }
