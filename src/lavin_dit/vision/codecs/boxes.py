"""Boxes as outlines on black, read back to a fraction of a pixel.

Lines lie inside their box, so boxes that touch do not hide each other, and a box at the border of
the picture shows all four sides. Smaller boxes are drawn over larger ones.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32, UInt8

from lavin_dit.vision.codecs.box_shades import shaded_colours
from lavin_dit.vision.codecs.box_tracing import trace_boxes
from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.codecs.drawing import draw_box
from lavin_dit.vision.codecs.labelling import read_labels
from lavin_dit.vision.codecs.palette import (
    CLASS_LINES,
    LINE_COLOURS,
    colours_by_place,
    grid_anchors,
)
from lavin_dit.vision.geometry import ClipShape, Size, Window, clip_shape, to_levels

_BOX_ANCHORS = grid_anchors(rows=4, columns=6)
_DIMMEST = 0.6  # of a line's brightness that a blur leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """Axis-parallel boxes around things, followed through a clip.

    Attributes:
        corners_px: Left, top, right and bottom of box n in frame t, in continuous pixels.
        present: Whether the thing is in the frame; its corners are ignored elsewhere.
        classes: Class of each thing in the numbers of the source; -1 for unknown.
        size: Height and width of the frames.
    """

    corners_px: Float32[np.ndarray, "t n 4"]
    present: Bool[np.ndarray, "t n"]
    classes: Int32[np.ndarray, " n"]
    size: Size

    def __post_init__(self) -> None:
        """Check shapes and corners, and make the arrays read-only."""
        corners = sealed(
            self.corners_px, name="Boxes.corners_px", shape=("t", "n", 4), dtype=np.float32
        )
        present = sealed(
            self.present, name="Boxes.present", shape=corners.shape[:2], dtype=np.bool_
        )
        classes = sealed(
            self.classes, name="Boxes.classes", shape=corners.shape[1:2], dtype=np.int32
        )
        extent = corners[..., 2:] - corners[..., :2]
        if not (extent[present] > 0).all():
            raise ValueError("Boxes.corners_px: right and bottom must exceed left and top")
        object.__setattr__(self, "corners_px", corners)
        object.__setattr__(self, "present", present)
        object.__setattr__(self, "classes", classes)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return ClipShape(
            num_frames=len(self.corners_px), height=self.size.height, width=self.size.width
        )

    def crop(self, window: Window) -> "Boxes":
        """Cut the boxes at the window's border; those outside are no longer present."""
        window.check_inside(self.size)
        offset = np.array([window.left, window.top] * 2, dtype=np.float32)
        limit = np.array([window.width, window.height] * 2, dtype=np.float32)
        corners = np.clip(self.corners_px - offset, np.float32(0), limit)
        inside = (corners[..., 2:] > corners[..., :2]).all(axis=-1)
        return replace(self, corners_px=corners, present=self.present & inside, size=window.size)

    def flip(self) -> "Boxes":
        """Mirror left to right."""
        left, top, right, bottom = np.moveaxis(self.corners_px, -1, 0)
        width = np.float32(self.size.width)
        corners = np.stack([width - right, top, width - left, bottom], axis=-1)
        return replace(self, corners_px=corners)

    def resize(self, size: Size) -> "Boxes":
        """Scale the corners with the frame."""
        scale = [size.width / self.size.width, size.height / self.size.height] * 2
        corners = self.corners_px * np.array(scale, dtype=np.float32)
        return replace(self, corners_px=corners, size=size)

    def take_frames(self, start: int, stop: int) -> "Boxes":
        """Keep the frames from start up to, not including, stop."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(self, corners_px=self.corners_px[frames], present=self.present[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxKey:
    """Which colour stands for which box, or for which class of boxes.

    Attributes:
        colours: Index into the palette for each box, or for each class the row of ``CLASS_LINES``
            that holds its three colours.
        classes: Class of each box, or the classes.
        per_class: Whether each entry is a class with any number of boxes. Boxes of one class that
            meet then differ in shade, and a picture that a network painted can be read with the
            key of its context.
    """

    colours: tuple[int, ...]
    classes: tuple[int, ...]
    per_class: bool = False

    def __post_init__(self) -> None:
        """Check that both lists belong together."""
        if len(self.colours) != len(self.classes):
            raise ValueError(f"{len(self.colours)} colours but {len(self.classes)} classes")
        count = len(CLASS_LINES if self.per_class else LINE_COLOURS)
        if any(not 0 <= colour < count for colour in self.colours):
            raise ValueError(f"colours are 0 to {count - 1}, got {self.colours}")
        if self.per_class and not (
            len(set(self.colours)) == len(set(self.classes)) == len(self.classes)
        ):
            raise ValueError("with a colour per class, neither colours nor classes may repeat")

    def colours_of(self, boxes: Boxes, *, line_px: int) -> tuple[int, ...]:
        """Index into the palette for each of some boxes.

        Args:
            boxes: What is to be painted.
            line_px: Width of the lines in pixels.

        Returns:
            One index per box.

        Raises:
            ValueError: If the key is for another number of boxes, or lacks a class.
        """
        if not self.per_class:
            if len(self.colours) != len(boxes.classes):
                raise ValueError(
                    f"a key for {len(self.colours)} boxes cannot paint {len(boxes.classes)}"
                )
            return self.colours
        table = dict(zip(self.classes, self.colours, strict=True))
        missing = set(_integers(boxes.classes)) - set(self.classes)
        if missing:
            raise ValueError(f"the key has no colour for classes {sorted(missing)}")
        return shaded_colours(
            [table[number] for number in _integers(boxes.classes)],
            corners=boxes.corners_px,
            present=boxes.present,
            line_px=line_px,
        )

    def classes_by_colour(self) -> dict[int, int]:
        """The class that each colour of the palette stands for, with a key per class."""
        return {
            int(colour): number
            for group, number in zip(self.colours, self.classes, strict=True)
            for colour in CLASS_LINES[group]
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxCodec:
    """Paints boxes as outlines in palette colours and reads them back.

    Invariance: without a key, boxes are read up to their order and without their class. A side
    that lies under another box's line for its whole length is lost.

    Attributes:
        line_px: Width of the lines in pixels; below 3 they do not survive an autoencoder.
        min_area_px: Patches of fewer pixels in a frame are given to their surroundings.

    Source:
        Ours (ADR 10).
    """

    line_px: int = 3
    min_area_px: int = 8

    def __post_init__(self) -> None:
        """Refuse lines without width."""
        if self.line_px < 1:
            raise ValueError(f"line_px must be at least 1, got {self.line_px}")

    def fit_key(self, boxes: Boxes) -> BoxKey:
        """Choose the colours of a clip's boxes by where they are.

        Args:
            boxes: Any boxes.

        Returns:
            A key; colours repeat only beyond 24 boxes.
        """
        seen = boxes.present[..., None]
        low = np.where(seen, boxes.corners_px, np.inf)[..., :2].min(axis=0)
        high = np.where(seen, boxes.corners_px, -np.inf)[..., 2:].max(axis=0)
        around = np.nan_to_num(np.concatenate([low, high], axis=-1), posinf=0, neginf=0)
        colours = colours_by_place(
            around, anchors=_BOX_ANCHORS, width=boxes.size.width, height=boxes.size.height
        )
        return BoxKey(colours=_integers(colours), classes=_integers(boxes.classes))

    def paint(
        self, annotation: Boxes, *, key: BoxKey | None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], BoxKey]:
        """Draw every box that is present, the largest first.

        Args:
            annotation: What to paint; parts outside the frame are cut off.
            key: Colours to use; chosen by place where None.

        Returns:
            The picture and its key.

        Raises:
            ValueError: If the key is for another number of boxes, or lacks a class.
        """
        key = key or self.fit_key(annotation)
        colours = key.colours_of(annotation, line_px=self.line_px)
        shape = annotation.shape
        canvas = np.zeros((shape.num_frames, shape.height, shape.width, 3), dtype=np.float32)
        limit = np.array([shape.width, shape.height] * 2, dtype=np.float32)
        corners = np.clip(annotation.corners_px, np.float32(0), limit)
        areas = np.prod(corners[..., 2:] - corners[..., :2], axis=-1)
        for frame in range(shape.num_frames):
            for box in np.argsort(-areas[frame], kind="stable"):
                if annotation.present[frame, box]:
                    draw_box(
                        canvas[frame],
                        corners[frame, box],
                        line_px=float(self.line_px),
                        colour=LINE_COLOURS[colours[box]],
                    )
        return to_levels(canvas), key

    def read(self, picture: UInt8[np.ndarray, "t h w 3"], *, key: BoxKey | None = None) -> Boxes:
        """Read boxes from their outlines.

        Args:
            picture: A painted clip.
            key: What ``paint`` returned; None for a picture whose colours mean nothing else.

        Returns:
            The boxes. With a key they stand in its order, and one that is not found is not
            present. Of boxes that share a colour, the left one comes first in every frame.
            Without a key, or with one per class, outlines of one colour that do not touch are
            different boxes.
        """
        named = key.classes_by_colour() if key is not None and key.per_class else None
        used = sorted(named or set(range(len(LINE_COLOURS)) if key is None else key.colours))
        labels = read_labels(
            picture, LINE_COLOURS[used], min_area_px=self.min_area_px, dimmest=_DIMMEST
        )
        tracks: list[_Track] = []
        for label, colour in enumerate(used, start=1):
            holders = _holders(key, colour)
            found = trace_boxes(
                picture,
                labels == label,
                labels > 0,
                line_px=self.line_px,
                split=len(holders) != 1,
            )
            if key is None or named is not None:
                number = -1 if named is None else named[colour]
                holders = [(len(tracks), number)] * max(map(len, found))
            for slot, (place, number) in enumerate(holders):
                boxes = {t: own[slot] for t, own in enumerate(found) if slot < len(own)}
                tracks.append(_Track(place=place, number=number, boxes=boxes))
        tracks.sort(key=lambda track: track.place)
        return _as_boxes(tracks, clip_shape(picture))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Track:
    """One box through a clip: its place among the boxes, its class, its corners by frame."""

    place: int
    number: int
    boxes: dict[int, Float32[np.ndarray, "4"]]


def _holders(key: BoxKey | None, colour: int) -> list[tuple[int, int]]:
    """Place and class of the boxes that a key paints in a colour; none if it names no boxes."""
    if key is None or key.per_class:
        return []
    entries = zip(key.colours, key.classes, strict=True)
    return [(place, number) for place, (own, number) in enumerate(entries) if own == colour]


def _as_boxes(tracks: list[_Track], shape: ClipShape) -> Boxes:
    """The record of the boxes that were found."""
    corners = np.zeros((shape.num_frames, len(tracks), 4), dtype=np.float32)
    present = np.zeros(corners.shape[:2], dtype=np.bool_)
    for index, track in enumerate(tracks):
        for frame, box in track.boxes.items():
            corners[frame, index], present[frame, index] = box, True
    classes = np.array([track.number for track in tracks], dtype=np.int32)
    return Boxes(corners_px=corners, present=present, classes=classes, size=shape.size)


def _integers(values: Int[np.ndarray, " n"]) -> tuple[int, ...]:
    """Plain numbers, as a key holds them."""
    return tuple(int(value) for value in values)
