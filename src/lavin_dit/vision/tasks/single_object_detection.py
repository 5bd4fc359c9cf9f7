"""Single object detection: from a photo to the one box of what the context pairs show."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.drawing import draw_box
from lavin_dit.vision.codecs.labelling import connected_components, label_boxes
from lavin_dit.vision.geometry import clip_shape, to_levels
from lavin_dit.vision.results.boxes import BoxesResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, NothingToPaintError, Pair, Ruleless, check_sample

_UNKNOWN_CLASS = -1
_REACH_PX = 3  # as far as a blur spreads a side
_WHITE = np.full(3, 255, dtype=np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleObjectDetection(Ruleless, ImageTask):
    """Paints the box of a single object, filled, white on black. Never trained.

    All samples of an episode must show one object each, of the same class, which is up to the
    evaluation protocol. Invariance: none.

    Source:
        Paper, Table 1 and section B.2 (Pascal-5i); the filled box, and the largest white patch
        as the answer, are the visual-prompting protocol of Bar et al. (2022). The paper's Table 4
        trains on it, its Table 1 calls it unseen: we keep it unseen (ADR 13).
    """

    name: ClassVar[str] = "single_object_detection"
    needs: ClassVar[tuple[type[object], ...]] = (Boxes,)
    held_out: ClassVar[bool] = True

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The photo, and the filled box; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        boxes = sample[Boxes]
        present = np.flatnonzero(boxes.present[0])
        if len(present) != 1:
            raise NothingToPaintError(sample.name, "there is not exactly one object")
        canvas = np.zeros((1, boxes.size.height, boxes.size.width, 3), dtype=np.float32)
        # A line as wide as the frame leaves no hole.
        line_px = float(max(boxes.size.height, boxes.size.width))
        draw_box(canvas[0], boxes.corners_px[0, present[0]], line_px=line_px, colour=_WHITE)
        picture = to_levels(canvas)
        if picture.max() < 128:
            raise NothingToPaintError(sample.name, "box is smaller than a pixel")
        return Pair(input=sample.rgb.pixels, target=picture, key=None)

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, rule: None = None, key: None = None
    ) -> BoxesResult:
        """The box around the white patch that has the largest one, to a fraction of a pixel.

        Args:
            picture: A painted image, or a clip of them.
            rule: There is none.
            key: There is none.

        Returns:
            One box without a class; not present in a frame without white.
        """
        del rule, key
        shape = clip_shape(picture)
        brightness = picture.mean(axis=-1, dtype=np.float32) / np.float32(255)
        corners = np.zeros((shape.num_frames, 1, 4), dtype=np.float32)
        present = np.zeros((shape.num_frames, 1), dtype=np.bool_)
        for frame, own in enumerate(brightness):
            white = own > 0.5
            if white.any():
                corners[frame, 0] = _refined(own, _largest_box(white))
                present[frame, 0] = True
        classes = np.array([_UNKNOWN_CLASS], dtype=np.int32)
        boxes = Boxes(corners_px=corners, present=present, classes=classes, size=shape.size)
        return BoxesResult(annotation=boxes)


def _largest_box(white: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the patch whose box is the largest."""
    patches = connected_components(white[None].astype(np.int32), across_frames=False)
    patches = np.where(white[None], patches + 1, 0)
    boxes = label_boxes(patches, num_labels=int(patches.max()))
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    left, top, right, bottom = boxes[int(np.argmax(areas))].tolist()
    return round(left), round(top), round(right), round(bottom)


def _refined(
    brightness: Float32[np.ndarray, "h w"], box: tuple[int, int, int, int]
) -> Float32[np.ndarray, "4"]:
    """The box, its sides moved to where the mean of its rows and columns say they are."""
    left, top, right, bottom = box
    x = _ends(brightness[_middle(top, bottom)].mean(axis=0), left, right)
    y = _ends(brightness[:, _middle(left, right)].mean(axis=1), top, bottom)
    return np.array([x[0], y[0], x[1], y[1]], dtype=np.float32)


def _middle(start: int, stop: int) -> slice:
    """The inner half of a range, which a blur of its ends does not reach."""
    quarter = (stop - start) // 4
    return slice(start + quarter, stop - quarter)


def _ends(profile: Float32[np.ndarray, " n"], start: int, stop: int) -> tuple[float, float]:
    """Where a profile rises to white and falls again, by how much around there is white."""
    middle = (start + stop) // 2
    inner = min(start + _REACH_PX, middle + 1)
    low = inner - float(profile[max(start - _REACH_PX, 0) : inner].sum())
    inner = max(stop - _REACH_PX, middle)
    high = inner + float(profile[inner : stop + _REACH_PX].sum())
    # A side that is uneven, as in a picture that is no box, stays where it was found.
    low = low if abs(low - start) <= 1 else float(start)
    high = high if abs(high - stop) <= 1 else float(stop)
    low, high = max(low, 0.0), min(high, float(len(profile)))
    return (low, high) if low < high else (float(start), float(stop))
