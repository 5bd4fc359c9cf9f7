"""Boxes: COCO json, and outlines with classes over the photo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.codecs.drawing import draw_box
from lavin_dit.vision.codecs.palette import INSTANCE_COLOURS
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import to_levels
from lavin_dit.vision.results.files import coco_categories, coco_images, write_json
from lavin_dit.vision.results.overlay import ground, write_label

_UNKNOWN_CLASS = -1


def _no_names() -> Mapping[int, str]:
    """No class has a name."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxesResult:
    """Boxes that were read from a picture.

    Attributes:
        annotation: The boxes.
        class_names: Names of classes, where known; a class without one is named by its number,
            and the unknown class -1 is ``object``.
        photo_name: File of the picture that was annotated, which ``.json`` names; None if it is
            not known.
    """

    annotation: Boxes
    class_names: Mapping[int, str] = field(default_factory=_no_names)
    photo_name: str | None = None

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """Outlines, each with the name of its class, where that is known.

        Args:
            photo: Drawn underneath.

        Returns:
            The picture.
        """
        boxes = self.annotation
        canvas = ground(photo, boxes.shape)
        for frame, number in zip(*np.nonzero(boxes.present), strict=True):
            draw_box(
                canvas[frame],
                boxes.corners_px[frame, number],
                line_px=2.0,
                colour=INSTANCE_COLOURS[number % len(INSTANCE_COLOURS)],
            )
        picture = to_levels(canvas)
        for frame, number in zip(*np.nonzero(boxes.present), strict=True):
            own = int(boxes.classes[number])
            if own != _UNKNOWN_CLASS:
                left, top = boxes.corners_px[frame, number, :2].tolist()
                write_label(picture[frame], self._name(own), place=(left + 3, top + 3))
        return picture

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write ``.json`` as COCO does, with one image per frame.

        ``bbox`` is left, top, width and height in continuous pixels; ``track_id`` is the same
        number for a thing in every frame. A reading has no confidence: ``score`` is 1.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the file without its ending.

        Returns:
            The file written.
        """
        boxes, shape = self.annotation, self.annotation.shape
        annotations: list[Json] = []
        for frame, number in zip(*np.nonzero(boxes.present), strict=True):
            left, top, right, bottom = boxes.corners_px[frame, number].tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": int(frame) + 1,
                    "category_id": int(boxes.classes[number]),
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": 0,
                    "score": 1.0,
                    "track_id": int(number) + 1,
                }
            )
        present = np.unique(boxes.classes).tolist()
        content: dict[str, Json] = {
            "images": coco_images(stem, shape, photo_name=self.photo_name),
            "annotations": annotations,
            "categories": coco_categories({number: self._name(number) for number in present}),
        }
        return (write_json(folder / f"{stem}.json", content),)

    def _name(self, number: int) -> str:
        """Name of a class."""
        unnamed = "object" if number == _UNKNOWN_CLASS else str(number)
        return self.class_names.get(number, unnamed)
