"""Pascal-5i: the 20 classes of Pascal VOC 2012 in four folds, for evaluation on unseen classes.

Layout: VOC 2012 as its archive unpacks, with the masks of the Semantic Boundaries Dataset in
``SegmentationClassAug``, as segmentation papers share them::

    VOCdevkit/VOC2012/JPEGImages/2007_000033.jpg        (or the root is VOC2012 itself)
    VOCdevkit/VOC2012/SegmentationClassAug/2007_000033.png    0, class 1 to 20, 255 for borders
    VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt
    VOCdevkit/VOC2012/Annotations/2007_000033.xml

Fold ``i`` tests classes ``5 i + 1`` to ``5 i + 5`` and trains on the other 15. A sample is a pair
of an image and a class: its mask is the class against all the rest.

Source:
    Shaban et al. (2017) for the folds; Bar et al. (2022), Visual Prompting, for the protocols.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32

from lavin_dit.datasets.layout import check_choice, check_kinds, file_names, require
from lavin_dit.datasets.pictures import read_labels, read_photo
from lavin_dit.datasets.segments import image_boxes
from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample

CLASS_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip
_CLASSES_PER_FOLD = 5
_BORDER = 255
# A class that covers less of an image does not count as being there, as in the lists that
# few-shot papers share.
_LEAST_AREA_PX = 2 * 32 * 32
# Bar et al. detect single objects whose box covers less than this share of the image.
_LARGEST_SHARE = 0.2

Pair = tuple[str, int]


class Pascal5i:
    """One fold of Pascal-5i.

    Which pairs of image and class there are is no part of what the publishers ship. They are found
    by looking at all masks, which takes some seconds when constructed, or read from a list as
    few-shot papers share it.
    """

    name = "pascal5i"

    def __init__(
        self,
        root: Path | str,
        *,
        split: str = "val",
        fold: int = 0,
        kinds: Sequence[type[object]] = (Mask,),
        pairs: Path | str | None = None,
    ) -> None:
        """Find the pairs of image and class.

        Args:
            root: Folder that holds ``VOCdevkit``, or ``VOC2012`` itself.
            split: ``val`` for the fold's own five classes on the 1,449 images of VOC's val,
                ``train`` for the other fifteen on the rest.
            fold: 0 to 3.
            kinds: What to read of Mask and Boxes. With Boxes, only images are left that show a
                single object, whose box covers less than a fifth of them.
            pairs: A list with lines such as ``2007_000033__01``; the masks decide where None.

        Raises:
            LayoutError: If a file of the layout is missing.
            ValueError: If there is no such fold, or the list holds classes that are not its own.
        """
        self.split = check_choice(split, ("train", "val"), what="a split of Pascal-5i")
        if not 0 <= fold < len(CLASS_NAMES) // _CLASSES_PER_FOLD:
            raise ValueError(f"Pascal-5i has folds 0 to 3, got {fold}")
        self.fold = fold
        self.kinds = check_kinds(kinds, (Mask, Boxes), dataset="Pascal-5i")
        self.class_names = dict(enumerate(CLASS_NAMES, start=1))
        base = require(Path(root), "VOCdevkit/VOC2012", "JPEGImages", dataset="Pascal VOC 2012")
        self._base = base if base.name == "VOC2012" else base.parent
        require(self._base, "JPEGImages", dataset="Pascal VOC 2012")
        # The masks of val are VOC's own, in both folders.
        folders = ("SegmentationClassAug", "SegmentationClass")[: 1 + (split == "val")]
        self._masks = require(self._base, *folders, dataset="Pascal-5i")
        self.skipped: Counter[str] = Counter()
        self._pairs = self._find_pairs() if pairs is None else _read_pairs(Path(pairs))
        foreign = {number for _, number in self._pairs} - set(self.classes)
        if foreign:
            raise ValueError(f"classes {sorted(foreign)} do not belong to {split} of fold {fold}")
        if Boxes in self.kinds:
            self._keep_single_objects()

    @property
    def classes(self) -> tuple[int, ...]:
        """Numbers of the classes of this fold and split."""
        first = self.fold * _CLASSES_PER_FOLD + 1
        own = range(first, first + _CLASSES_PER_FOLD)
        return tuple(
            number for number in self.class_names if (number in own) == (self.split == "val")
        )

    def class_of(self, index: int) -> int:
        """Number of the class of a sample, 1 to 20."""
        return self._pairs[check_index(index, length=len(self))][1]

    def __len__(self) -> int:
        """Number of pairs of image and class."""
        return len(self._pairs)

    def __getitem__(self, index: int) -> Sample:
        """Read one image with its annotations of one class."""
        image, number = self._pairs[check_index(index, length=len(self))]
        name = f"{image}__{number:02d}"
        rgb = read_photo(self._base / "JPEGImages" / f"{image}.jpg", name=name)
        size = rgb.shape.size
        annotations: list[Annotation] = []
        for kind in self.kinds:
            if kind is Mask:
                labels = read_labels(self._masks / f"{image}.png", name=name, size=size)
                if not (labels == number).any():
                    raise UnusableSampleError(name, "mask has no pixel of the class")
                annotations.append(Mask(foreground=(labels == number)[None]))
            else:
                corners, classes, _ = self._objects(image)
                chosen = classes == number
                annotations.append(image_boxes(corners[chosen], classes=classes[chosen], size=size))
        return Sample(rgb=rgb, annotations=tuple(annotations), name=name)

    def border(self, index: int) -> Mask:
        """The pixels along objects' borders that VOC leaves to neither side.

        They count as background in a sample's mask; some protocols leave them out.
        """
        image, number = self._pairs[check_index(index, length=len(self))]
        name = f"{image}__{number:02d}"
        size = read_photo(self._base / "JPEGImages" / f"{image}.jpg", name=name).shape.size
        labels = read_labels(self._masks / f"{image}.png", name=name, size=size)
        return Mask(foreground=(labels == _BORDER)[None])

    def _find_pairs(self) -> list[Pair]:
        """Look at all masks."""
        path = require(self._base, "ImageSets/Segmentation/val.txt", dataset="Pascal VOC 2012")
        images = path.read_text(encoding="ascii").split()
        if self.split == "train":
            masks = {Path(name).stem for name in file_names(self._masks) if name.endswith(".png")}
            images = sorted(masks - set(images))
        pairs: list[Pair] = []
        for image in images:
            try:
                labels = self._labels(image)
            except UnusableSampleError as error:
                self.skipped[error.reason] += 1
                continue
            areas = np.bincount(labels.ravel(), minlength=_BORDER + 1)
            found = [number for number in self.classes if areas[number] >= _LEAST_AREA_PX]
            small = [number for number in self.classes if 0 < areas[number] < _LEAST_AREA_PX]
            self.skipped["class that covers less than 2,048 pixels"] += len(small)
            pairs += [(image, number) for number in found]
        return pairs

    def _labels(self, image: str) -> Int32[np.ndarray, "h w"]:
        """Labels of an image whose photo is not opened."""
        return read_labels(self._masks / f"{image}.png", name=image)

    def _keep_single_objects(self) -> None:
        """Keep the pairs whose image shows one object, not too large."""
        require(self._base, "Annotations", dataset="Pascal VOC 2012")
        kept: list[Pair] = []
        for image, number in self._pairs:
            try:
                corners, classes, size = self._objects(image)
            except UnusableSampleError as error:
                self.skipped[error.reason] += 1
                continue
            extent = corners[:, 2:] - corners[:, :2]
            share = float(extent.prod(axis=1).sum()) / (size.height * size.width)
            if classes.tolist() != [number]:
                self.skipped["image with several objects"] += 1
            elif share >= _LARGEST_SHARE:
                self.skipped["object that fills a fifth of its image"] += 1
            else:
                kept.append((image, number))
        self._pairs = kept

    def _objects(
        self, image: str
    ) -> tuple[Float32[np.ndarray, "n 4"], Int32[np.ndarray, " n"], Size]:
        """Boxes and classes of all objects in an image, and its size.

        VOC counts pixels from 1 and includes the last, so only left and top move by one.
        """
        try:
            root = ET.parse(self._base / "Annotations" / f"{image}.xml").getroot()
            size = Size(height=_number(root, "size/height"), width=_number(root, "size/width"))
            objects = root.findall("object")
            corners = np.array(
                [[_number(each, f"bndbox/{side}") for side in _SIDES] for each in objects],
                dtype=np.float32,
            ).reshape(-1, 4)
            names = [each.findtext("name", "") for each in objects]
            classes = np.array([CLASS_NAMES.index(name) + 1 for name in names], dtype=np.int32)
        except (OSError, ET.ParseError, ValueError) as error:
            raise UnusableSampleError(image, "box annotation cannot be read") from error
        corners -= np.array([1, 1, 0, 0], dtype=np.float32)
        if not (corners[:, 2:] > corners[:, :2]).all():
            raise UnusableSampleError(image, "box without area")
        return corners, classes, size


_SIDES = ("xmin", "ymin", "xmax", "ymax")


def _number(element: ET.Element, path: str) -> int:
    """A whole number, which a few files write with a fraction."""
    return round(float(element.findtext(path, "nan")))


def _read_pairs(path: Path) -> list[Pair]:
    """Pairs of image and class from a list."""
    pairs: list[Pair] = []
    for line in path.read_text(encoding="ascii").split():
        image, _, number = line.rpartition("__")
        pairs.append((image, int(number)))
    return pairs
