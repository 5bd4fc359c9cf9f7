"""Object detection: from a photo to boxes around its objects."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.boxes import BoxCodec, Boxes, BoxKey
from lavin_dit.vision.codecs.palette import CLASS_LINES, LINE_COLOURS
from lavin_dit.vision.results.boxes import BoxesResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, NothingToPaintError, Pair, check_sample

_NUM_COLOURS, _NUM_CLASSES = len(LINE_COLOURS), len(CLASS_LINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRule:
    """What the colours of an episode's boxes mean.

    Attributes:
        classes: Class of the first three colours (``CLASS_LINES``), of the next three, and so on;
            at most 8. Objects of other classes are not painted. None: objects of all classes are
            painted, each in a colour chosen by its place.
    """

    classes: tuple[int, ...] | None

    def __post_init__(self) -> None:
        """Check that every class can have a colour."""
        if self.classes is not None and not 0 < len(set(self.classes)) <= _NUM_CLASSES:
            raise ValueError(f"a rule holds 1 to {_NUM_CLASSES} classes, got {self.classes}")

    def key(self) -> BoxKey | None:
        """What a picture of this episode can be read with; None where colours mean no class."""
        if self.classes is None:
            return None
        return BoxKey(colours=tuple(range(len(self.classes))), classes=self.classes, per_class=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDetection(ImageTask):
    """Paints the outlines of the boxes around objects.

    An episode's colours either name classes, those that occur in its context, or only tell
    boxes apart. Invariance: boxes are read up to their order; without a rule of classes and
    without a key they have no class. Where colours name classes, boxes of one class that meet
    differ in shade; of more than three that all meet, some are read as one. Boxes smaller than a
    few lines cannot be drawn and are left out.

    Attributes:
        by_class: Share of episodes whose colours name classes.
        least_side_px: Boxes with a shorter side are not painted.
        codec: How boxes are painted.

    Source:
        Paper, Table 4 (where it is called single object detection) and Figure 8. Painting: ours
        (ADR 10, ADR 13).
    """

    name: ClassVar[str] = "object_detection"
    needs: ClassVar[tuple[type[object], ...]] = (Boxes,)
    held_out: ClassVar[bool] = False
    rule_type: ClassVar[type[object] | None] = DetectionRule

    by_class: float = 0.5
    least_side_px: float = 8.0
    codec: BoxCodec = field(default_factory=BoxCodec)

    def draw_rule(
        self, context: Sequence[Sample], *, generator: np.random.Generator
    ) -> DetectionRule:
        """Draw what colours mean, and the order of the context's classes.

        Args:
            context: The samples of the context pairs.
            generator: Source of all randomness.

        Returns:
            The rule. Of more than 8 classes, the most frequent are kept.

        Raises:
            NothingToPaintError: If the context shows no box that can be painted.
        """
        shown = [self._paintable(sample[Boxes]).classes for sample in context]
        classes, counts = np.unique(np.concatenate([[], *shown]), return_counts=True)
        if not len(classes):
            raise NothingToPaintError(", ".join(s.name for s in context), "no box is large enough")
        kept = classes[np.argsort(-counts, kind="stable")][:_NUM_CLASSES]
        order = generator.permutation(kept)
        if generator.random() >= self.by_class or (order < 0).any():
            return DetectionRule(classes=None)
        return DetectionRule(classes=tuple(int(number) for number in order))

    def render(
        self, sample: Sample, *, rule: DetectionRule, generator: np.random.Generator
    ) -> Pair[BoxKey]:
        """The photo, and outlines on black; the generator is not drawn from."""
        del generator
        check_sample(sample, self)
        boxes = self._paintable(sample[Boxes])
        if rule.classes is not None:
            boxes = _chosen(boxes, np.flatnonzero(np.isin(boxes.classes, rule.classes)))
        if not len(boxes.classes):
            raise NothingToPaintError(
                sample.name, "no box is large enough and of the episode's classes"
            )
        picture, key = self.codec.paint(boxes, key=rule.key())
        return Pair(input=sample.rgb.pixels, target=picture, key=key)

    def read(
        self,
        picture: UInt8[np.ndarray, "t h w 3"],
        *,
        rule: DetectionRule | None = None,
        key: BoxKey | None = None,
    ) -> BoxesResult:
        """Boxes, with classes where the rule or the key names them."""
        known = key or (rule and rule.key()) or None
        return BoxesResult(annotation=self.codec.read(picture, key=known))

    def _paintable(self, boxes: Boxes) -> Boxes:
        """The boxes that can be painted, the largest if there are more than colours."""
        limit = np.array([boxes.size.width, boxes.size.height] * 2, dtype=np.float32)
        corners = np.clip(boxes.corners_px[0], np.float32(0), limit)
        extent = corners[:, 2:] - corners[:, :2]
        paintable = np.flatnonzero(boxes.present[0] & (extent.min(axis=1) >= self.least_side_px))
        largest = paintable[np.argsort(-extent[paintable].prod(axis=1), kind="stable")]
        return _chosen(boxes, np.sort(largest[:_NUM_COLOURS]))


def _chosen(boxes: Boxes, numbers: np.ndarray) -> Boxes:
    """Some of the boxes, in their order."""
    return replace(
        boxes,
        corners_px=boxes.corners_px[:, numbers],
        present=boxes.present[:, numbers],
        classes=boxes.classes[numbers],
    )
