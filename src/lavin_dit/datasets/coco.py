"""COCO 2017: boxes, instances, panoptic segments and people's joints on photos of daily life.

Layout, as the archives unpack::

    train2017/000000000009.jpg, val2017/
    annotations/instances_train2017.json, person_keypoints_train2017.json, panoptic_train2017.json
    annotations/panoptic_train2017/000000000009.png

Category numbers are COCO's: 1 to 90 with gaps for things, up to 200 for stuff.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from lavin_dit.datasets.coco_format import (
    CocoIndex,
    Verdict,
    every_verdict,
    index_coco_json,
    object_verdict,
)
from lavin_dit.datasets.coco_masks import decode_segmentation
from lavin_dit.datasets.json_stream import JsonObject
from lavin_dit.datasets.layout import check_choice, check_kinds, file_names, require
from lavin_dit.datasets.pictures import read_label_channels, read_photo
from lavin_dit.datasets.segments import image_boxes, instances_from_masks, panoptic_from_numbers
from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.coco_joints import NUM_JOINTS
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample

# Which file each kind of annotation is read from.
_FILES: dict[type[object], str] = {
    Boxes: "instances",
    Instances: "instances",
    Keypoints: "person_keypoints",
    Panoptic: "panoptic",
}


def _person_verdict(annotation: Mapping[str, object]) -> str | None:
    """Leave out crowds, and people none of whose joints is labelled."""
    if annotation.get("num_keypoints", 0) == 0 and not annotation.get("iscrowd", 0):
        return "person without labelled joints"
    return object_verdict(annotation)


_VERDICTS: dict[str, Verdict] = {
    "instances": object_verdict,
    "person_keypoints": _person_verdict,
    "panoptic": every_verdict,
}


class Coco:
    """COCO 2017.

    A sample has all kinds of annotation asked for; images that lack one of them are left out.
    Crowds are void: they are in no box, no instance, and no panoptic segment. Where instances
    overlap, the smaller lies on top. COCO counts joints by pixel; half a pixel is added, so that
    they lie at the pixel's centre.
    """

    name = "coco"

    def __init__(
        self,
        root: Path | str,
        *,
        split: str = "train",
        kinds: Sequence[type[object]] = (Boxes, Instances),
        cache: Path | str | None = None,
    ) -> None:
        """Read the index.

        Args:
            root: Folder that holds ``train2017`` and ``annotations``.
            split: ``train`` or ``val``.
            kinds: What to read of Boxes, Instances, Keypoints and Panoptic; with none, all photos.
            cache: Folder that keeps the index for the next time; building it takes ten seconds.

        Raises:
            LayoutError: If a file of the layout is missing.
        """
        root = Path(root)
        self.split = check_choice(split, ("train", "val"), what="a split of COCO")
        self.kinds = check_kinds(kinds, tuple(_FILES), dataset="COCO")
        self.skipped: Counter[str] = Counter()
        self._places: dict[str, Int64[np.ndarray, " n"]] = {}
        self._photos = require(root, f"{split}2017", dataset="COCO")
        self._paths: dict[str, Path] = {}
        self._indices: dict[str, CocoIndex] = {}
        for part in dict.fromkeys(_FILES[kind] for kind in self.kinds):
            self._paths[part] = require(
                root, f"annotations/{part}_{split}2017.json", dataset="COCO"
            )
            self._indices[part] = index_coco_json(
                self._paths[part],
                verdict=_VERDICTS[part],
                purpose=part,
                needs_box=part == "instances",
                cache=None if cache is None else Path(cache),
            )
            self.skipped.update(self._indices[part].skipped)
        if Panoptic in self.kinds:
            folder = f"panoptic_{split}2017"
            self._segments = require(root, f"annotations/{folder}", folder, dataset="COCO")
        present = file_names(self._photos)
        self._names = self._select(present) if self._indices else sorted(present)

    @property
    def class_names(self) -> dict[int, str]:
        """Name of each category."""
        names: dict[int, str] = {}
        for index in self._indices.values():
            names |= index.class_names
        return names

    def __len__(self) -> int:
        """Number of images."""
        return len(self._names)

    def __getitem__(self, index: int) -> Sample:
        """Read one image with its annotations."""
        index = check_index(index, length=len(self))
        name = self._names[index]
        places = {part: int(rows[index]) for part, rows in self._places.items()}
        size = next((self._indices[part].size(place) for part, place in places.items()), None)
        rgb = read_photo(self._photos / name, name=name, size=size)
        annotations = tuple(
            self._annotation(kind, places[_FILES[kind]], name=name, size=rgb.shape.size)
            for kind in self.kinds
        )
        return Sample(rgb=rgb, annotations=annotations, name=name)

    def _select(self, present: set[str]) -> list[str]:
        """Keep the images that have a photo and each kind of annotation; remember their places."""
        indices = self._indices
        listed = set.intersection(*(set(index.image_ids.tolist()) for index in indices.values()))
        annotated = set.intersection(
            *(set(index.image_ids[index.annotated].tolist()) for index in indices.values())
        )
        self.skipped["image without the annotations asked for"] += len(listed - annotated)
        first = next(iter(indices.values()))
        names = {
            number: first.file_name(place)
            for place, number in enumerate(first.image_ids.tolist())
            if number in annotated
        }
        chosen = [number for number, name in names.items() if name in present]
        self.skipped["photo is missing"] += len(names) - len(chosen)
        self._places = {
            part: np.searchsorted(index.image_ids, np.array(chosen, dtype=np.int64))
            for part, index in indices.items()
        }
        return [names[number] for number in chosen]

    def _annotation(self, kind: type[object], place: int, *, name: str, size: Size) -> Annotation:
        """Read one kind of annotation of one image."""
        index = self._indices[_FILES[kind]]
        if kind is Boxes:
            rows = index.rows(place)
            return image_boxes(index.boxes_px[rows], classes=index.category_ids[rows], size=size)
        entries = index.annotations(self._paths[_FILES[kind]], place)
        if kind is Instances:
            return _instances(entries, size=size, name=name)
        if kind is Keypoints:
            return _keypoints(entries, size=size, name=name)
        return self._panoptic(entries[0], size=size, name=name)

    def _panoptic(self, entry: JsonObject, *, size: Size, name: str) -> Panoptic:
        """Read the panoptic picture of one image; a segment's number is R + 256 G + 65536 B."""
        channels = read_label_channels(self._segments / entry["file_name"], name=name, size=size)
        classes: dict[int, int | None] = {0: None}
        for segment in entry["segments_info"]:
            crowd = segment.get("iscrowd", 0)
            classes[segment["id"]] = None if crowd else segment["category_id"]
        numbers = channels @ np.array([1, 1 << 8, 1 << 16], dtype=np.int32)
        return panoptic_from_numbers(numbers, classes=classes, name=name)


def _instances(entries: Sequence[JsonObject], *, size: Size, name: str) -> Instances:
    """Pixels of all instances."""
    try:
        masks = [decode_segmentation(entry["segmentation"], size=size) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableSampleError(name, "segmentation cannot be decoded") from error
    return instances_from_masks(masks, size=size, name=name)


def _keypoints(entries: Sequence[JsonObject], *, size: Size, name: str) -> Keypoints:
    """Joints of all people."""
    numbers = [entry.get("keypoints", ()) for entry in entries]
    if any(len(joints) != 3 * NUM_JOINTS for joints in numbers):
        raise UnusableSampleError(name, "a person does not have 17 joints")
    joints = np.array(numbers, dtype=np.float32).reshape(1, len(entries), NUM_JOINTS, 3)
    return Keypoints(
        positions_px=joints[..., :2] + np.float32(0.5),
        visibility=joints[..., 2].astype(np.uint8),
        size=size,
    )
