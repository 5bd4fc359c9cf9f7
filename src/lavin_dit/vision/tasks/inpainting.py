"""Inpainting: from a photo with a hole to the whole photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lavin_dit.vision.degradations.holes import HOLE_KINDS, HoleKind, draw_hole
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, Pair, PictureTarget, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class InpaintingRule:
    """What the holes of an episode look like.

    Attributes:
        kind: Shape of the holes.
        level: Grey level that the holes are filled with.
    """

    kind: HoleKind
    level: int

    def __post_init__(self) -> None:
        """Check both."""
        if self.kind not in HOLE_KINDS or not 0 <= self.level <= 255:
            raise ValueError(f"a hole is one of {HOLE_KINDS} of level 0 to 255, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inpainting(PictureTarget, ImageTask):
    """Fills the hole of a photo.

    All holes of an episode are of one kind and filled with one level; each pair's hole has a
    place and a shape of its own. Invariance: none; the whole picture is painted anew, also what
    the input shows of it.

    Attributes:
        kinds: Kinds of holes to draw from.
        levels: Grey levels to draw from.

    Source:
        Paper, Table 4 and section B.2: a square of 128 x 128 of 256 x 256 pixels, which is
        ``InpaintingRule(kind="square", level=0)``. The other kinds and levels: ours (ADR 13).
    """

    name: ClassVar[str] = "inpainting"
    needs: ClassVar[tuple[type[object], ...]] = ()
    held_out: ClassVar[bool] = False
    rule_type: ClassVar[type[object] | None] = InpaintingRule

    kinds: tuple[HoleKind, ...] = HOLE_KINDS
    levels: tuple[int, ...] = (0, 128, 255)

    def draw_rule(
        self, context: Sequence[Sample], *, generator: np.random.Generator
    ) -> InpaintingRule:
        """Draw kind and level, whatever the context shows."""
        del context
        kind = self.kinds[int(generator.integers(len(self.kinds)))]
        return InpaintingRule(kind=kind, level=self.levels[generator.integers(len(self.levels))])

    def render(
        self, sample: Sample, *, rule: InpaintingRule, generator: np.random.Generator
    ) -> Pair[None]:
        """The photo with a hole, drawn from the generator, and the photo."""
        check_sample(sample, self)
        whole = sample.rgb.pixels
        hole = draw_hole(sample.shape.size, kind=rule.kind, generator=generator)
        torn = np.where(hole[None, ..., None], np.uint8(rule.level), whole)
        return Pair(input=torn, target=whole, key=None)
