"""Panoptic segmentation: from a photo to segments of classes and of instances."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.panoptic import Panoptic, PanopticCodec, PanopticKey
from lavin_dit.vision.results.panoptic import PanopticResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, NothingToPaintError, Pair, check_sample


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

    Source:
        Paper, Table 4. Painting and rule: ours (ADR 10, ADR 13).
    """

    name: ClassVar[str] = "panoptic_segmentation"
    needs: ClassVar[tuple[type[object], ...]] = (Panoptic,)
    held_out: ClassVar[bool] = False
    rule_type: ClassVar[type[object] | None] = PanopticRule

    shuffle: bool = True
    codec: PanopticCodec = field(default_factory=PanopticCodec)

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
            NothingToPaintError: If the context shows no segment.
        """
        areas: dict[int, float] = {}
        for sample in context:
            panoptic = sample[Panoptic]
            counts = np.bincount(panoptic.ids.ravel(), minlength=len(panoptic.classes) + 1)[1:]
            for number, count in zip(panoptic.classes.tolist(), counts.tolist(), strict=True):
                if count:
                    areas[number] = areas.get(number, 0) + count / panoptic.ids.size
        if not areas:
            raise NothingToPaintError(", ".join(s.name for s in context), "nothing is labelled")
        kept = sorted(sorted(areas), key=lambda number: -areas[number])[: self.codec.num_hues]
        if not self.shuffle:
            return PanopticRule(classes=tuple(sorted(kept)))
        return PanopticRule(classes=tuple(generator.permutation(sorted(kept)).tolist()))

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
