"""ADE20K in its scene parsing edition (150 classes): instances and panoptic segments.

Layout of ``ADEChallengeData2016``, with the instance annotations of the Places Challenge 2017
unpacked into it::

    images/training/ADE_train_00000001.jpg, images/validation/ADE_val_00000001.jpg
    annotations/training/ADE_train_00000001.png             0 for other, 1 to 150 for the class
    annotations_instance/training/ADE_train_00000001.png    red: class 1 to 100, green: instance
    objectInfo150.txt

The full edition of ADE20K (3,000 classes, parts, ``index_ade20k.pkl``) is another layout and is
not read.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from lavin_dit.datasets.layout import check_choice, check_kinds, file_names, require
from lavin_dit.datasets.pictures import read_label_channels, read_labels, read_photo
from lavin_dit.datasets.segments import panoptic_from_numbers
from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample

# Class 1 to 150 of scene parsing for each of the 100 classes that have instances.
_THING_CLASSES = (
    8, 9, 11, 13, 15, 16, 19, 20, 21, 23, 24, 25, 28, 31, 32, 33, 34, 36, 37, 38,
    39, 40, 42, 43, 44, 45, 46, 48, 50, 51, 54, 56, 57, 58, 59, 63, 65, 66, 67, 68,
    70, 71, 72, 73, 74, 75, 76, 77, 79, 81, 82, 83, 84, 86, 87, 88, 89, 90, 91, 93,
    94, 96, 98, 99, 103, 104, 105, 108, 109, 111, 112, 113, 116, 117, 119, 120, 121, 122, 124, 125,
    126, 127, 128, 130, 131, 133, 134, 135, 136, 137, 138, 139, 140, 143, 144, 145, 147, 148, 149,
    150,
)  # fmt: skip
_NUM_CLASSES = 150
_FOLDERS = {"train": "training", "val": "validation"}


class Ade20k:
    """ADE20K, scene parsing edition.

    Classes are numbered 1 to 150 as in scene parsing, instances too. A panoptic picture is put
    together as is usual: stuff from the scene parsing picture, then the instances over it; pixels
    of a thing's class that belong to no instance are void.
    """

    name = "ade20k"

    def __init__(
        self,
        root: Path | str,
        *,
        split: str = "train",
        kinds: Sequence[type[object]] = (Instances, Panoptic),
    ) -> None:
        """List the photos.

        Args:
            root: The folder ``ADEChallengeData2016``.
            split: ``train`` or ``val``.
            kinds: What to read of Instances and Panoptic; with none, all photos.

        Raises:
            LayoutError: If a file of the layout is missing.
        """
        root = Path(root)
        self.split = check_choice(split, tuple(_FOLDERS), what="a split of ADE20K")
        self.kinds = check_kinds(kinds, (Instances, Panoptic), dataset="ADE20K")
        folder = _FOLDERS[split]
        self._photos = require(root, f"images/{folder}", dataset="ADE20K")
        self._scenes = root / "annotations" / folder
        self._things = root / "annotations_instance" / folder
        self.class_names = _class_names(require(root, "objectInfo150.txt", dataset="ADE20K"))
        names = sorted(name for name in file_names(self._photos) if name.endswith(".jpg"))
        labelled = {Path(name).stem for name in names}
        if self.kinds:
            require(root, f"annotations_instance/{folder}", dataset="ADE20K")
            labelled &= {Path(name).stem for name in file_names(self._things)}
        if Panoptic in self.kinds:
            require(root, f"annotations/{folder}", dataset="ADE20K")
            labelled &= {Path(name).stem for name in file_names(self._scenes)}
        self._names = [name for name in names if Path(name).stem in labelled]
        self.skipped = Counter({"label picture is missing": len(names) - len(self._names)})

    def __len__(self) -> int:
        """Number of images."""
        return len(self._names)

    def __getitem__(self, index: int) -> Sample:
        """Read one image with its annotations."""
        name = self._names[check_index(index, length=len(self))]
        rgb = read_photo(self._photos / name, name=name)
        size = rgb.shape.size
        labels = Path(name).with_suffix(".png")
        if not self.kinds:
            return Sample(rgb=rgb, name=name)
        channels = read_label_channels(self._things / labels, name=name, size=size)
        annotations: list[Instances | Panoptic] = []
        for kind in self.kinds:
            if kind is Instances:
                annotations.append(_instances(channels, name=name))
            else:
                annotations.append(self._panoptic(channels, self._scenes / labels, name, size))
        return Sample(rgb=rgb, annotations=tuple(annotations), name=name)

    @staticmethod
    def _panoptic(
        channels: Int32[np.ndarray, "h w 3"], scene: Path, name: str, size: Size
    ) -> Panoptic:
        """Stuff by class, and instances over it."""
        numbers = read_labels(scene, name=name, size=size)
        if numbers.max() > _NUM_CLASSES:
            raise UnusableSampleError(name, "label picture holds numbers that have no class")
        classes: dict[int, int | None] = {
            number: None if number == 0 or number in _THING_CLASSES else number
            for number in range(_NUM_CLASSES + 1)
        }
        things = channels[..., 1] > 0
        # Instances are numbered from 1,000 on, clear of the classes.
        numbers[things] = 1000 + channels[..., 1][things]
        for instance in np.unique(channels[..., 1][things]).tolist():
            classes[1000 + instance] = _class_of(instance, channels, name=name)
        return panoptic_from_numbers(numbers, classes=classes, name=name)


def _instances(channels: Int32[np.ndarray, "h w 3"], *, name: str) -> Instances:
    """The instances of the green channel."""
    ids = np.ascontiguousarray(channels[None, ..., 1])
    if not ids.any():
        raise UnusableSampleError(name, "no instance has pixels")
    return Instances(ids=ids)


def _class_of(instance: int, channels: Int32[np.ndarray, "h w 3"], *, name: str) -> int:
    """Class 1 to 150 of an instance."""
    found = np.unique(channels[..., 0][channels[..., 1] == instance])
    if len(found) != 1 or not 1 <= found[0] <= len(_THING_CLASSES):
        raise UnusableSampleError(name, "an instance does not have one class of 1 to 100")
    return _THING_CLASSES[int(found[0]) - 1]


def _class_names(path: Path) -> dict[int, str]:
    """Names of the 150 classes from the table that comes with the data."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {int(row["Idx"]): row["Name"].strip() for row in rows}
