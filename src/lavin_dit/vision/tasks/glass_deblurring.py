"""Glass deblurring: from a photo behind frosted glass to the photo itself."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lavin_dit.vision.degradations.glass import Glass, blur_by_glass
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, Pair, PictureTarget, Ruleless, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassDeblurring(Ruleless, PictureTarget, ImageTask):
    """Takes the frosted glass from before a photo.

    Every pair has its own glass.
    Invariance: none.

    Attributes:
        glass: Ranges that each pair's own degradation is drawn from.

    Source:
        Paper, Table 4. Glass: ours (ADR 13).
    """

    name: ClassVar[str] = "glass_deblurring"
    needs: ClassVar[tuple[type[object], ...]] = ()
    held_out: ClassVar[bool] = False

    glass: Glass = field(default_factory=Glass)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The photo behind glass, drawn from the generator, and the photo."""
        del rule
        check_sample(sample, self)
        clean = sample.rgb.pixels
        spoilt = blur_by_glass(clean, glass=self.glass, generator=generator)
        return Pair(input=spoilt, target=clean, key=None)
