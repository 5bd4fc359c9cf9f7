"""Instances in the colours of a fixed palette on black.

The same instance has the same colour in every frame. Up to 24 instances have a colour each; of
those beyond, each shares the colour of the instances farthest from it, and reading takes apart
what does not touch.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int, Int32, UInt8

from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.codecs.labelling import connected_components, label_boxes, read_labels
from lavin_dit.vision.codecs.palette import INSTANCE_COLOURS, colours_by_place, grid_anchors
from lavin_dit.vision.geometry import (
    ClipShape,
    Size,
    Window,
    clip_shape,
    crop_pixels,
    flip_pixels,
    resize_nearest,
)

# One place in the picture for each of the 24 colours.
INSTANCE_ANCHORS = grid_anchors(rows=4, columns=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """Which pixels belong to which instance.

    Attributes:
        ids: 0 for none, otherwise the number of the instance, the same in every frame. Numbers
            are names: their order means nothing and may have gaps.
    """

    ids: Int32[np.ndarray, "t h w"]

    def __post_init__(self) -> None:
        """Check shape and range, and make the array read-only."""
        ids = sealed(self.ids, name="Instances.ids", shape=("t", "h", "w"), dtype=np.int32)
        if ids.min() < 0:
            raise ValueError(f"Instances.ids must not be negative, got {ids.min()}")
        object.__setattr__(self, "ids", ids)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return clip_shape(self.ids)

    @property
    def names(self) -> tuple[int, ...]:
        """The instances that occur, in ascending order."""
        return tuple(int(name) for name in np.unique(self.ids) if name > 0)

    def crop(self, window: Window) -> "Instances":
        """Cut the same window out of every frame; instances keep their numbers."""
        return replace(self, ids=crop_pixels(self.ids, window))

    def flip(self) -> "Instances":
        """Mirror left to right."""
        return replace(self, ids=flip_pixels(self.ids))

    def resize(self, size: Size) -> "Instances":
        """Take the nearest pixel's instance."""
        return replace(self, ids=resize_nearest(self.ids, size))

    def take_frames(self, start: int, stop: int) -> "Instances":
        """Keep the frames from start up to, not including, stop."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(self, ids=self.ids[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceKey:
    """Which colour stands for which instance.

    Attributes:
        names: The instances' numbers, the larger instance first.
        colours: Index into the palette for each of them.
    """

    names: tuple[int, ...]
    colours: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that both lists belong together."""
        if len(self.names) != len(self.colours):
            raise ValueError(f"{len(self.names)} instances but {len(self.colours)} colours")
        if any(not 0 <= colour < len(INSTANCE_COLOURS) for colour in self.colours):
            raise ValueError(f"colours are 0 to {len(INSTANCE_COLOURS) - 1}, got {self.colours}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceCodec:
    """Paints instances in palette colours and reads them back.

    Invariance: without a key, instances are read up to their numbers. Beyond 24 instances the
    numbers of those that share a colour may be exchanged, and those that touch are read as one.

    Attributes:
        min_area_px: Patches of fewer pixels in a frame are given to their surroundings.
        split: Whether patches of one colour that do not touch are different instances in a
            picture without a key, as far as they are seen in one frame. An object that another
            cuts in two is then read as two.

    Source:
        Ours (ADR 10).
    """

    min_area_px: int = 16
    split: bool = True

    def fit_key(self, instances: Instances) -> InstanceKey:
        """Choose the colours of a clip's instances by where they are.

        Args:
            instances: Any instances.

        Returns:
            A key; colours repeat only beyond 24 instances.
        """
        names = np.array(instances.names, dtype=np.int64)
        dense = np.searchsorted(names, instances.ids) + 1
        boxes = label_boxes(np.where(instances.ids > 0, dense, 0), num_labels=len(names))
        shape = instances.shape
        colours = colours_by_place(
            boxes, anchors=INSTANCE_ANCHORS, width=shape.width, height=shape.height
        )
        areas = np.bincount(instances.ids[instances.ids > 0], minlength=1)
        order = sorted(range(len(names)), key=lambda index: -areas[names[index]])
        return InstanceKey(
            names=tuple(int(names[index]) for index in order),
            colours=tuple(int(colours[index]) for index in order),
        )

    def paint(
        self, annotation: Instances, *, key: InstanceKey | None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], InstanceKey]:
        """Paint every instance in its colour.

        Args:
            annotation: What to paint.
            key: Colours to use; chosen by place where None.

        Returns:
            The picture, black where there is no instance, and its key.

        Raises:
            ValueError: If the key lacks an instance that occurs.
        """
        key = key or self.fit_key(annotation)
        missing = set(annotation.names) - set(key.names)
        if missing:
            raise ValueError(f"the key has no colour for instances {sorted(missing)}")
        order = np.argsort(key.names)
        names = np.array([0, *np.array(key.names, dtype=np.int64)[order]])
        colours = INSTANCE_COLOURS[np.array(key.colours, dtype=np.int64)[order]]
        table = np.concatenate([np.zeros((1, 3), dtype=np.uint8), colours])
        return table[np.searchsorted(names, annotation.ids)], key

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, key: InstanceKey | None = None
    ) -> Instances:
        """Read instances from colours.

        Args:
            picture: A painted clip.
            key: What ``paint`` returned; None for a picture whose colours mean nothing else.

        Returns:
            The instances. With a key they have their numbers again; of several that share a
            colour, the largest patch is taken for the largest instance, and patches beyond
            their number get new numbers. Without a key they are numbered in reading order.
        """
        if key is None:
            labels = read_labels(picture, INSTANCE_COLOURS, min_area_px=self.min_area_px)
            patches = labels
            if self.split:
                patches = _followed(labels, connected_components(labels, across_frames=True))
            return Instances(ids=_renumbered(np.where(labels > 0, patches + 1, 0)))
        used = sorted(set(key.colours))
        labels = read_labels(picture, INSTANCE_COLOURS[used], min_area_px=self.min_area_px)
        ids = np.zeros(labels.shape, dtype=np.int32)
        for label, colour in enumerate(used, start=1):
            holders = [
                name for name, own in zip(key.names, key.colours, strict=True) if own == colour
            ]
            if len(holders) == 1:
                ids[labels == label] = holders[0]
        return Instances(ids=_with_shared(ids, labels, key, used))


def _followed(
    labels: Int[np.ndarray, "t h w"], patches: Int[np.ndarray, "t h w"]
) -> Int[np.ndarray, "t h w"]:
    """Join patches of one colour that share no frame: a fast object, or one hidden for a while.

    The largest patch of a colour is followed first; each further one goes to the first object of
    its colour that isn't seen in its frames, or is another object.
    """
    num_frames = len(patches)
    if num_frames == 1:
        return patches
    numbers, first, areas = np.unique(patches, return_index=True, return_counts=True)
    seen = np.zeros((len(numbers), num_frames), dtype=np.bool_)
    for frame in range(num_frames):
        seen[np.unique(patches[frame]), frame] = True
    colours = labels.ravel()[first]
    joined = numbers.copy()
    objects: dict[int, list[int]] = {}
    for number in np.argsort(-areas, kind="stable"):
        own = objects.setdefault(int(colours[number]), [])
        free = [other for other in own if not (seen[other] & seen[number]).any()]
        if free:
            joined[number] = free[0]
            seen[free[0]] |= seen[number]
        else:
            own.append(int(number))
    return joined[patches]


def _renumbered(numbers: Int[np.ndarray, "t h w"]) -> Int32[np.ndarray, "t h w"]:
    """Close the gaps in a numbering whose 0 is the background."""
    _, dense = np.unique(numbers, return_inverse=True)
    offset = 0 if numbers.min() == 0 else 1
    return (dense.reshape(numbers.shape) + offset).astype(np.int32)


def _with_shared(
    ids: Int32[np.ndarray, "t h w"],
    labels: Int32[np.ndarray, "t h w"],
    key: InstanceKey,
    used: list[int],
) -> Int32[np.ndarray, "t h w"]:
    """Add the instances that share a colour: patch by patch, the largest first."""
    spare = max(key.names, default=0) + 1
    shared = [colour for colour in used if key.colours.count(colour) > 1]
    if not shared:
        return ids
    patches = connected_components(labels, across_frames=True)
    for colour in shared:
        inside = labels == used.index(colour) + 1
        numbers, areas = np.unique(patches[inside], return_counts=True)
        holders = [name for name, own in zip(key.names, key.colours, strict=True) if own == colour]
        for number in numbers[np.argsort(-areas, kind="stable")]:
            if not holders:
                holders.append(spare)
                spare += 1
            ids[patches == number] = holders.pop(0)
    return ids
