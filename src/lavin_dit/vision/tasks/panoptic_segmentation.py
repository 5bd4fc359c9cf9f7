"""Panoptic segmentation: from a photo to segments of classes and of instances."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.panoptic import Panoptic, PanopticCodec, PanopticKey
from lavin_dit.vision.results.panoptic import PanopticResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, NothingToPaintError, Pair, check_sample

_FEWEST, _FEW = 2, 4  # classes of an episode that is about few
_IN_SIGHT = 0.01  # of the picture, that a class of such an episode covers in the first pair


@dataclass(frozen=True, slots=True, kw_only=True)
class PanopticRule:
    """Which hue stands for which class in an episode.

    Attributes:
        classes: Class of the first hue, of the second, and so on; other classes are black.
    """

    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanopticSegmentation(ImageTask):
    """Paints a hue for the class, a shade of it for the instance.

    An episode is about the classes that occur in its context, in hues drawn anew for each
    episode; what a query shows of other classes stays black, since nothing says what their hue
    would be. Invariance: segments are read up to their numbers; without a rule, classes are
    numbered by their hue.

    Attributes:
        shuffle: Whether hues are drawn; otherwise classes take them in ascending order.
        codec: How segments are painted; its number of hues is the number of classes that an
            episode can have.
        few_classes: Share of the episodes that are about two to four classes alone, so that the
            pairs have to be looked at for what is to be painted and what is not. These classes
            are in sight in the first pair, where another one covers more. Never a single class:
            that would be foreground segmentation, which is not trained.

    Raises:
        ValueError: If the share is not in [0, 1].

    Source:
        Paper, Table 4. Painting and rule: ours (ADR 10, ADR 13); few classes: ours (ADR 25).
    """

    name: ClassVar[str] = "panoptic_segmentation"
    needs: ClassVar[tuple[type[object], ...]] = (Panoptic,)
    held_out: ClassVar[bool] = False
    rule_type: ClassVar[type[object] | None] = PanopticRule

    shuffle: bool = True
    codec: PanopticCodec = field(default_factory=PanopticCodec)
    few_classes: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        """Check the share."""
        if not 0 <= self.few_classes <= 1:
            raise ValueError(f"few_classes must lie in [0, 1], got {self.few_classes}")

    def draw_rule(
        self, context: Sequence[Sample], *, generator: np.random.Generator
    ) -> PanopticRule:
        """Draw the hues of the context's classes.

        Args:
            context: The samples of the context pairs.
            generator: Source of all randomness.

        Returns:
            The rule. Of more classes than there are hues, those that cover most are kept.

        Raises:
            NothingToPaintError: If the context shows no segment, or its first sample too few
                classes for an episode that is about few.
        """
        areas = _areas(context)
        if not areas:
            raise NothingToPaintError(", ".join(s.name for s in context), "nothing is labelled")
        kept = sorted(sorted(areas), key=lambda number: -areas[number])[: self.codec.num_hues]
        if self.few_classes:
            kept = self._few_of(context[0]) or kept
        if not self.shuffle:
            return PanopticRule(classes=tuple(sorted(kept)))
        return PanopticRule(classes=tuple(generator.permutation(sorted(kept)).tolist()))

    def _few_of(self, first: Sample) -> list[int]:
        """The classes of an episode about few; none where it is about all.

        Its name decides, so that they stay the same while other samples, in which none of them
        is in sight, are replaced.
        """
        digest = hashlib.sha256(first.name.encode()).digest()
        generator = np.random.default_rng(list(digest))
        if generator.random() >= self.few_classes:
            return []
        areas = _areas([first])
        inside = sorted(number for number, area in areas.items() if area >= _IN_SIGHT)
        inside = [number for number in inside if number != max(inside, key=lambda n: areas[n])]
        if len(inside) < _FEWEST:
            raise NothingToPaintError(first.name, "too few classes are in sight")
        most = int(generator.integers(_FEWEST, _FEW, endpoint=True))
        return generator.permutation(inside)[:most].tolist()

    def render(
        self, sample: Sample, *, rule: PanopticRule, generator: np.random.Generator
    ) -> Pair[PanopticKey]:
        """The photo, and its segments; the generator is not drawn from."""
        del generator
        check_sample(sample, self)
        panoptic = sample[Panoptic]
        known = np.concatenate([[False], np.isin(panoptic.classes, rule.classes)])
        ids = np.where(known[panoptic.ids], panoptic.ids, np.int32(0))
        if not ids.any():
            raise NothingToPaintError(sample.name, "nothing is of the episode's classes")
        key = PanopticKey(classes=rule.classes)
        picture, key = self.codec.paint(replace(panoptic, ids=ids), key=key)
        return Pair(input=sample.rgb.pixels, target=picture, key=key)

    def read(
        self,
        picture: UInt8[np.ndarray, "t h w 3"],
        *,
        rule: PanopticRule | None = None,
        key: PanopticKey | None = None,
    ) -> PanopticResult:
        """Segments, with the classes that the key or the rule names."""
        if key is None and rule is not None:
            key = PanopticKey(classes=rule.classes)
        return PanopticResult(annotation=self.codec.read(picture, key=key))


def _areas(samples: Sequence[Sample]) -> dict[int, float]:
    """What each class covers of the samples, in pictures."""
    areas: dict[int, float] = {}
    for sample in samples:
        panoptic = sample[Panoptic]
        counts = np.bincount(panoptic.ids.ravel(), minlength=len(panoptic.classes) + 1)[1:]
        for number, count in zip(panoptic.classes.tolist(), counts.tolist(), strict=True):
            if count:
                areas[number] = areas.get(number, 0) + count / panoptic.ids.size
    return areas
