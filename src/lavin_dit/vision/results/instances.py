"""Instances: 16-bit PNG of their numbers, COCO json (YouTube-VIS of a clip), a tinted photo."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.palette import INSTANCE_COLOURS
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import to_levels
from lavin_dit.vision.results.files import (
    bounding_box,
    coco_categories,
    coco_images,
    frame_names,
    run_lengths,
    write_json,
    write_png16,
)
from lavin_dit.vision.results.overlay import ground, outline, tint

_CATEGORY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancesResult:
    """Instances that were read from a picture.

    Attributes:
        annotation: The instances.
        photo_name: File of the picture that was annotated, which ``.json`` names; None if it is
            not known.
    """

    annotation: Instances
    photo_name: str | None = None

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """Every instance in a colour, with a white outline.

        Args:
            photo: Drawn underneath.

        Returns:
            The picture.
        """
        ids = self.annotation.ids
        canvas = ground(photo, self.annotation.shape)
        tint(canvas, INSTANCE_COLOURS[(ids - 1) % len(INSTANCE_COLOURS)], ids > 0)
        canvas[outline(ids)] = 255
        return to_levels(canvas)

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write a 16-bit grey PNG of the numbers per frame, and ``.json``.

        Of an image, the ``.json`` is COCO's, of a clip that of YouTube-VIS, with one annotation
        per instance whose id is the instance's number and whose segmentation is uncompressed run
        lengths. Instances have no class: all are of category 1, ``object``.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the files without their ending.

        Returns:
            The files written.

        Raises:
            ValueError: If a number does not fit into 16 bits.
        """
        ids = self.annotation.ids
        if ids.max() > 65535:
            raise ValueError(f"instance {ids.max()} does not fit into a 16-bit PNG")
        names = frame_names(stem, len(ids))
        pictures = tuple(
            write_png16(folder / f"{name}.png", frame.astype(np.uint16))
            for name, frame in zip(names, ids, strict=True)
        )
        content = self._as_coco(stem) if len(ids) == 1 else self._as_youtube_vis(stem)
        return (*pictures, write_json(folder / f"{stem}.json", content))

    def _as_coco(self, stem: str) -> dict[str, Json]:
        """The instances of an image."""
        ids = self.annotation.ids[0]
        annotations: list[Json] = [
            {
                "id": name,
                "image_id": 1,
                "category_id": _CATEGORY,
                "segmentation": run_lengths(ids == name),
                "bbox": bounding_box(ids == name),
                "area": int(np.sum(ids == name)),
                "iscrowd": 0,
                "score": 1.0,
            }
            for name in self.annotation.names
        ]
        shape = self.annotation.shape
        images = coco_images(stem, shape, photo_name=self.photo_name)
        categories = coco_categories({_CATEGORY: "object"})
        return {"images": images, "annotations": annotations, "categories": categories}

    def _as_youtube_vis(self, stem: str) -> dict[str, Json]:
        """The instances of a clip; None in frames where one is not seen."""
        ids, shape = self.annotation.ids, self.annotation.shape
        annotations: list[Json] = []
        for name in self.annotation.names:
            masks = [frame == name for frame in ids]
            seen = [bool(mask.any()) for mask in masks]
            frames = list(zip(masks, seen, strict=True))
            annotations.append(
                {
                    "id": name,
                    "video_id": 1,
                    "category_id": _CATEGORY,
                    "segmentations": [run_lengths(mask) if own else None for mask, own in frames],
                    "bboxes": [bounding_box(mask) if own else None for mask, own in frames],
                    "areas": [int(mask.sum()) if own else None for mask, own in frames],
                    "iscrowd": 0,
                    "score": 1.0,
                    "height": shape.height,
                    "width": shape.width,
                    "length": shape.num_frames,
                }
            )
        files: list[Json] = [f"{name}.png" for name in frame_names(stem, shape.num_frames)]
        video: Json = {
            "id": 1,
            "file_names": files,
            "height": shape.height,
            "width": shape.width,
            "length": shape.num_frames,
        }
        categories = coco_categories({_CATEGORY: "object"})
        return {"videos": [video], "annotations": annotations, "categories": categories}
