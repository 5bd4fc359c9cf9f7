"""Scenes of the synthetic world seen as being about one class: its mask, or its single box."""

from collections.abc import Mapping, Sequence

import numpy as np

from lavin_dit.datasets.source import Source, UnusableSampleError, check_index
from lavin_dit.datasets.world import World
from lavin_dit.datasets.world.classes import CLASS_NAMES, OBJECT_CLASSES, SPLITS, Split
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.sample import Sample

_LEAST_SHARE, _MOST_SHARE = 0.01, 0.6  # of the picture, that the class covers
_MAX_SCENES = 1500  # descriptions looked at; a few hundred of them show each class


class OneClass:
    """Samples of a source that show one class, with what belongs to that class alone.

    A sample is refused where the class covers less than a hundredth of the picture, or more than
    0.6 of it, or where a single object is asked for and there are several.
    """

    def __init__(
        self, source: Source, *, number: int, indices: Sequence[int], single: bool
    ) -> None:
        """Choose the class.

        Args:
            source: Its samples have Panoptic.
            number: The class, in the source's numbers.
            indices: Samples that may show it.
            single: Whether exactly one object of the class may be in sight; boxes then go around
                what is visible of it.
        """
        self._source = source
        self._number = number
        self._indices = tuple(indices)
        self._single = single
        self.name, self.split = source.name, source.split
        self.kinds: tuple[type[object], ...] = (Mask, Boxes)

    @property
    def skipped(self) -> Mapping[str, int]:
        """What the source left out."""
        return self._source.skipped

    def __len__(self) -> int:
        """Number of samples that may show the class."""
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        """Read a sample.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            The picture with the mask and the boxes of the class.

        Raises:
            IndexError: If there is no such sample.
            UnusableSampleError: If it does not show the class as it should.
        """
        sample = self._source[self._indices[check_index(index, length=len(self))]]
        panoptic = sample[Panoptic]
        own = np.flatnonzero(panoptic.classes == self._number) + 1
        seen = [number for number in own.tolist() if (panoptic.ids == number).any()]
        inside = np.isin(panoptic.ids, seen)
        if not _LEAST_SHARE <= inside.mean() <= _MOST_SHARE:
            raise UnusableSampleError(sample.name, "class is hardly in sight, or fills the picture")
        if self._single and len(seen) != 1:
            raise UnusableSampleError(sample.name, "there is not exactly one object of the class")
        boxes = _visible_boxes(panoptic, seen)
        return Sample(
            rgb=sample.rgb, annotations=(Mask(foreground=inside), boxes), name=sample.name
        )


def unseen_classes(world: World, source: Source, *, single: bool) -> Mapping[str, Source]:
    """The world's objects of classes that training never showed, class by class.

    Args:
        world: The world, whose split is not "train".
        source: The same samples, perhaps remembered.
        single: See :class:`OneClass`.

    Returns:
        A source for each class of the split, by the class's name.
    """
    found: dict[str, list[int]] = {name: [] for name in OBJECT_CLASSES[_split_of(world)]}
    for index in range(min(_MAX_SCENES, len(world))):
        shown = [thing.class_name for thing in world.draw(index).objects]
        for name, own in found.items():
            if shown.count(name) == 1 or (shown.count(name) > 1 and not single):
                own.append(index)
    return {
        name: OneClass(source, number=CLASS_NAMES.index(name), indices=own, single=single)
        for name, own in found.items()
    }


def _split_of(world: World) -> Split:
    """The world's split, as its classes are told apart."""
    return next(split for split in SPLITS if split == world.split)


def _visible_boxes(panoptic: Panoptic, seen: Sequence[int]) -> Boxes:
    """Boxes around the visible pixels of some segments, in every frame."""
    corners = np.zeros((len(panoptic.ids), len(seen), 4), dtype=np.float32)
    present = np.zeros(corners.shape[:2], dtype=np.bool_)
    for place, number in enumerate(seen):
        for frame, ids in enumerate(panoptic.ids):
            rows, columns = np.nonzero(ids == number)
            if len(rows):
                corners[frame, place] = (
                    columns.min(), rows.min(), columns.max() + 1, rows.max() + 1,
                )  # fmt: skip
                present[frame, place] = True
    return Boxes(
        corners_px=corners,
        present=present,
        classes=panoptic.classes[np.array(seen, dtype=np.intp) - 1],
        size=panoptic.shape.size,
    )
