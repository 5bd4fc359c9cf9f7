"""Cityscapes with fine annotations: street scenes with instances and panoptic segments.

Layout of the archives ``leftImg8bit_trainvaltest`` and ``gtFine_trainvaltest``::

    leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png, val/
    gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png

A pixel of ``instanceIds`` holds 1000 times the label plus the number of the instance, or the label
alone for stuff and for groups of things that cannot be told apart. Classes are numbered 0 to 18 as
the publisher's *train ids*; all other labels are void, as in its evaluation.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from lavin_dit.datasets.layout import LayoutError, check_choice, check_kinds, require
from lavin_dit.datasets.pictures import read_labels, read_photo
from lavin_dit.datasets.segments import panoptic_from_numbers
from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.sample import Sample

# Label number of each train id in ascending order, and its name.
_STUFF = {
    7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole",
    19: "traffic light", 20: "traffic sign", 21: "vegetation", 22: "terrain", 23: "sky",
}  # fmt: skip
_THINGS = {
    24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train", 32: "motorcycle",
    33: "bicycle",
}  # fmt: skip
_TRAIN_IDS = {label: index for index, label in enumerate([*_STUFF, *_THINGS])}
_INSTANCE = 1000


class Cityscapes:
    """Cityscapes, fine annotations.

    Instances are those of the eight classes that the publisher evaluates. Groups of things, and
    labels without a train id, are void.
    """

    name = "cityscapes"

    def __init__(
        self,
        root: Path | str,
        *,
        split: str = "train",
        kinds: Sequence[type[object]] = (Instances, Panoptic),
    ) -> None:
        """List the photos.

        Args:
            root: Folder that holds ``leftImg8bit`` and ``gtFine``.
            split: ``train`` or ``val``; the annotations of ``test`` are not public.
            kinds: What to read of Instances and Panoptic; with none, all photos.

        Raises:
            LayoutError: If a folder of the layout is missing or holds no photos.
        """
        root = Path(root)
        self.split = check_choice(split, ("train", "val"), what="a split of Cityscapes")
        self.kinds = check_kinds(kinds, (Instances, Panoptic), dataset="Cityscapes")
        self.class_names = dict(enumerate([*_STUFF.values(), *_THINGS.values()]))
        self._photos = require(root, f"leftImg8bit/{split}", dataset="Cityscapes")
        self._labels = root / "gtFine" / split
        suffix = "_leftImg8bit.png"
        found = sorted(path for path in self._photos.glob(f"*/*{suffix}"))
        names = [f"{path.parent.name}/{path.name.removesuffix(suffix)}" for path in found]
        if not names:
            raise LayoutError(f"Cityscapes: no city with *{suffix} in {self._photos}")
        self._names = names
        if self.kinds:
            require(root, f"gtFine/{split}", dataset="Cityscapes")
            self._names = [name for name in names if self._labels_of(name).exists()]
        self.skipped = Counter({"label picture is missing": len(names) - len(self._names)})

    def __len__(self) -> int:
        """Number of images."""
        return len(self._names)

    def __getitem__(self, index: int) -> Sample:
        """Read one image with its annotations."""
        name = self._names[check_index(index, length=len(self))]
        rgb = read_photo(self._photos / f"{name}_leftImg8bit.png", name=name)
        if not self.kinds:
            return Sample(rgb=rgb, name=name)
        numbers = read_labels(self._labels_of(name), name=name, size=rgb.shape.size)
        annotations = tuple(_READERS[kind](numbers, name=name) for kind in self.kinds)
        return Sample(rgb=rgb, annotations=annotations, name=name)

    def _labels_of(self, name: str) -> Path:
        """Path of the picture of labels and instances."""
        return self._labels / f"{name}_gtFine_instanceIds.png"


def _instances(numbers: Int32[np.ndarray, "h w"], *, name: str) -> Instances:
    """The things that are told apart, by the publisher's numbers."""
    things = (numbers >= _INSTANCE) & np.isin(numbers // _INSTANCE, list(_THINGS))
    if not things.any():
        raise UnusableSampleError(name, "no instance has pixels")
    return Instances(ids=np.where(things, numbers, 0).astype(np.int32)[None])


def _panoptic(numbers: Int32[np.ndarray, "h w"], *, name: str) -> Panoptic:
    """Stuff and the things that are told apart."""
    classes: dict[int, int | None] = {}
    for number in np.unique(numbers).tolist():
        is_thing = number >= _INSTANCE
        label = number // _INSTANCE if is_thing else number
        kept = label in (_THINGS if is_thing else _STUFF)
        classes[number] = _TRAIN_IDS[label] if kept else None
    return panoptic_from_numbers(numbers, classes=classes, name=name)


_READERS: dict[type[object], Callable[..., Instances | Panoptic]] = {
    Instances: _instances,
    Panoptic: _panoptic,
}
