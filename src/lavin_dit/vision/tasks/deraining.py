"""Deraining: from a photo in the rain to the photo without."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lavin_dit.vision.degradations.rain import Rain, add_rain
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, Pair, PictureTarget, Ruleless, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Deraining(Ruleless, PictureTarget, ImageTask):
    """Takes the rain out of a photo.

    Every pair has its own rain, light to heavy.
    Invariance: none.

    Attributes:
        rain: Ranges that each pair's own degradation is drawn from.

    Source:
        Paper, Table 4 and section B.2. Rain: ours (ADR 13).
    """

    name: ClassVar[str] = "deraining"
    needs: ClassVar[tuple[type[object], ...]] = ()
    held_out: ClassVar[bool] = False

    rain: Rain = field(default_factory=Rain)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The photo in the rain, drawn from the generator, and the photo."""
        del rule
        check_sample(sample, self)
        clean = sample.rgb.pixels
        spoilt = add_rain(clean, rain=self.rain, generator=generator)
        return Pair(input=spoilt, target=clean, key=None)
