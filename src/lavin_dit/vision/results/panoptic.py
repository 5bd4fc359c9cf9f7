"""Panoptic segments: COCO's panoptic PNG and json, and a tinted photo with classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.codecs.palette import class_colours
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import to_levels
from lavin_dit.vision.results.files import (
    bounding_box,
    coco_categories,
    coco_images,
    frame_names,
    write_json,
    write_png,
)
from lavin_dit.vision.results.overlay import ground, outline, tint, write_label

_NUM_HUES, _NUM_SHADES = 12, 5
_LEAST_LABELLED_PX = 400


def _no_names() -> Mapping[int, str]:
    """No class has a name."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PanopticResult:
    """Panoptic segments that were read from a picture.

    Attributes:
        annotation: The segments.
        class_names: Names of classes, where known; a class without one is named by its number.
        photo_name: File of the picture that was annotated, which ``.json`` names; None if it is
            not known.
    """

    annotation: Panoptic
    class_names: Mapping[int, str] = field(default_factory=_no_names)
    photo_name: str | None = None

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """Every class in a hue, every segment in a shade of it, with its name.

        Args:
            photo: Drawn underneath.

        Returns:
            The picture.
        """
        ids, classes = self.annotation.ids, self.annotation.classes
        present = np.unique(classes).tolist()
        table = class_colours(num_hues=_NUM_HUES, num_shades=_NUM_SHADES)
        colours = np.zeros((len(classes) + 1, 3), dtype=np.uint8)
        for number, own in enumerate(classes.tolist(), start=1):
            hue = present.index(own) % _NUM_HUES
            before = int(np.sum(classes[: number - 1] == own))
            shade = (_NUM_SHADES // 2 + before) % _NUM_SHADES
            colours[number] = table[hue * _NUM_SHADES + shade]
        canvas = ground(photo, self.annotation.shape)
        tint(canvas, colours[ids], ids > 0)
        canvas[outline(ids)] = 255
        picture = to_levels(canvas)
        for frame, own in zip(picture, ids, strict=True):
            for number in np.unique(own[own > 0]).tolist():
                rows, columns = np.nonzero(own == number)
                if len(rows) >= _LEAST_LABELLED_PX:
                    # The pixel in the middle of the list lies inside, whatever the shape.
                    middle = len(rows) // 2
                    place = (float(columns[middle]), float(rows[middle]) - 5)
                    write_label(frame, self._name(int(classes[number - 1])), place=place)
        return picture

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write COCO's panoptic format: a colour PNG per frame and one ``.json``.

        A pixel's segment is ``R + 256 G + 65536 B``, 0 for none. Segments of a clip keep their id
        in every frame.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the files without their ending.

        Returns:
            The files written.
        """
        ids, shape = self.annotation.ids, self.annotation.shape
        names = frame_names(stem, shape.num_frames)
        digits = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
        pictures = tuple(
            write_png(folder / f"{name}.png", frame)
            for name, frame in zip(names, digits, strict=True)
        )
        annotations: list[Json] = []
        for image, name in enumerate(names, start=1):
            own = ids[image - 1]
            segments: list[Json] = [
                {
                    "id": number,
                    "category_id": int(self.annotation.classes[number - 1]),
                    "area": int(np.sum(own == number)),
                    "bbox": bounding_box(own == number),
                    "iscrowd": 0,
                }
                for number in np.unique(own[own > 0]).tolist()
            ]
            annotations.append(
                {"image_id": image, "file_name": f"{name}.png", "segments_info": segments}
            )
        present = np.unique(self.annotation.classes).tolist()
        content: dict[str, Json] = {
            "images": coco_images(stem, shape, photo_name=self.photo_name),
            "annotations": annotations,
            "categories": coco_categories({number: self._name(number) for number in present}),
        }
        return (*pictures, write_json(folder / f"{stem}.json", content))

    def _name(self, number: int) -> str:
        """Name of a class."""
        return self.class_names.get(number, str(number))
