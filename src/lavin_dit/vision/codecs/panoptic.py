"""Panoptic segments: a hue for the class, a shade of it for the instance, black for neither."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int, Int32, UInt8

from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.codecs.labelling import connected_components, label_boxes, read_labels
from lavin_dit.vision.codecs.palette import class_colours, colours_by_place, grid_anchors
from lavin_dit.vision.geometry import (
    ClipShape,
    Size,
    Window,
    clip_shape,
    crop_pixels,
    flip_pixels,
    resize_nearest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panoptic:
    """A division of every frame into segments, each of one class.

    Attributes:
        ids: 0 where nothing is labelled, otherwise the number of the segment, the same in every
            frame. Numbers are names: their order means nothing.
        classes: Class of segment 1, of segment 2, and so on, in the numbers of the source. A
            class of uncountable stuff has one segment.
    """

    ids: Int32[np.ndarray, "t h w"]
    classes: Int32[np.ndarray, " n"]

    def __post_init__(self) -> None:
        """Check shapes and ranges, and make the arrays read-only."""
        ids = sealed(self.ids, name="Panoptic.ids", shape=("t", "h", "w"), dtype=np.int32)
        classes = sealed(self.classes, name="Panoptic.classes", shape=("n",), dtype=np.int32)
        if ids.min() < 0 or ids.max() > len(classes):
            raise ValueError(
                f"Panoptic.ids must lie in 0 to {len(classes)}, the number of classes given, got "
                f"{ids.min()} to {ids.max()}"
            )
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "classes", classes)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return clip_shape(self.ids)

    def crop(self, window: Window) -> "Panoptic":
        """Cut the same window out of every frame; segments keep their numbers."""
        return replace(self, ids=crop_pixels(self.ids, window))

    def flip(self) -> "Panoptic":
        """Mirror left to right."""
        return replace(self, ids=flip_pixels(self.ids))

    def resize(self, size: Size) -> "Panoptic":
        """Take the nearest pixel's segment."""
        return replace(self, ids=resize_nearest(self.ids, size))

    def take_frames(self, start: int, stop: int) -> "Panoptic":
        """Keep the frames from start up to, not including, stop."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(self, ids=self.ids[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class PanopticKey:
    """Which hue stands for which class.

    Attributes:
        classes: Class of the first hue, of the second, and so on. Sharing one key among the
            pairs of an episode gives a class the same hue in all of them.
        shared: The colours (hue times number of shades plus shade) that stand for several
            segments of their class: patches of them that do not touch are different segments.
    """

    classes: tuple[int, ...]
    shared: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check that no class has two hues."""
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"a class has two hues in {self.classes}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PanopticCodec:
    """Paints panoptic segments by class and instance and reads both back.

    Invariance: segments are read up to their numbers; without a key, classes are numbered by
    their hue. Segments of a class beyond the number of shades share one, and are told apart
    only with a key, and only where they do not touch.

    Attributes:
        num_hues: Number of classes that a picture can hold.
        num_shades: Number of segments of one class that have a colour each.
        min_area_px: Patches of fewer pixels in a frame are given to their surroundings.

    Source:
        Ours (ADR 10).
    """

    num_hues: int = 12
    num_shades: int = 5
    min_area_px: int = 16

    def fit_key(self, panoptic: Panoptic) -> PanopticKey:
        """The classes that occur in a clip, in ascending order.

        Args:
            panoptic: Any segments.

        Returns:
            A key; whether shades are shared is known after painting.
        """
        numbers = np.unique(panoptic.ids[panoptic.ids > 0])
        classes = np.unique(panoptic.classes[numbers - 1])
        return PanopticKey(classes=tuple(int(number) for number in classes))

    def paint(
        self, annotation: Panoptic, *, key: PanopticKey | None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], PanopticKey]:
        """Paint every segment in a shade of its class's hue.

        Args:
            annotation: What to paint.
            key: Hues to use; the classes that occur, in ascending order, where None.

        Returns:
            The picture, black where nothing is labelled, and its key.

        Raises:
            ValueError: If there are more classes than hues, or the key lacks one that occurs.
        """
        key = key or self.fit_key(annotation)
        self._check_hues(key)
        missing = set(self.fit_key(annotation).classes) - set(key.classes)
        if missing:
            raise ValueError(f"the key has no hue for classes {sorted(missing)}")
        colours = np.zeros((len(annotation.classes) + 1, 3), dtype=np.uint8)
        shades = self._shades(annotation)
        table = class_colours(num_hues=self.num_hues, num_shades=self.num_shades)
        taken: set[int] = set()
        shared = set(key.shared)
        for number in np.unique(annotation.ids[annotation.ids > 0]):
            hue = key.classes.index(int(annotation.classes[number - 1]))
            colour = hue * self.num_shades + int(shades[number - 1])
            if colour in taken:
                shared.add(colour)
            taken.add(colour)
            colours[number] = table[colour]
        return colours[annotation.ids], replace(key, shared=tuple(sorted(shared)))

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, key: PanopticKey | None = None
    ) -> Panoptic:
        """Read classes and segments from colours.

        Args:
            picture: A painted clip.
            key: What ``paint`` returned; None for a picture of unknown classes.

        Returns:
            Segments in the order of their colours. Without a key the classes are 0 for the
            first hue, 1 for the second, and so on.

        Raises:
            ValueError: If the key has more classes than there are hues.
        """
        key = key or PanopticKey(classes=tuple(range(self.num_hues)))
        self._check_hues(key)
        table = class_colours(num_hues=self.num_hues, num_shades=self.num_shades)
        known = table[: max(len(key.classes), 1) * self.num_shades]
        labels = read_labels(picture, known, min_area_px=self.min_area_px)
        patches = np.zeros(labels.shape, dtype=np.int64)
        if key.shared:
            split = np.isin(labels - 1, key.shared)
            patches[split] = connected_components(labels, across_frames=True)[split]
        # Number what is not black, by colour and then by patch.
        parts = np.where(labels > 0, labels.astype(np.int64) * (patches.max() + 1) + patches, 0)
        found = np.unique(parts[parts > 0])
        ids = np.where(labels > 0, np.searchsorted(found, parts) + 1, 0)
        hues = (found // (int(patches.max()) + 1) - 1) // self.num_shades
        classes = np.array([key.classes[hue] for hue in hues], dtype=np.int32)
        return Panoptic(ids=ids.astype(np.int32), classes=classes)

    def _check_hues(self, key: PanopticKey) -> None:
        """Refuse keys with more classes than hues."""
        if len(key.classes) > self.num_hues:
            raise ValueError(
                f"{len(key.classes)} classes do not fit into {self.num_hues} hues; set num_hues "
                "higher, or merge the rarest classes"
            )

    def _shades(self, panoptic: Panoptic) -> Int[np.ndarray, " n"]:
        """Shade of each segment: from dark at the left of the picture to pale at the right."""
        boxes = label_boxes(panoptic.ids, num_labels=len(panoptic.classes))
        anchors = grid_anchors(rows=1, columns=self.num_shades)
        shades = np.zeros(len(boxes), dtype=np.int64)
        for number in np.unique(panoptic.classes):
            members = panoptic.classes == number
            shades[members] = colours_by_place(
                boxes[members],
                anchors=anchors,
                width=panoptic.shape.width,
                height=panoptic.shape.height,
            )
        return shades
