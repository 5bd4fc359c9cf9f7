"""Motion deblurring: from a photo that the camera's motion smeared to a sharp one."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lavin_dit.vision.degradations.motion import Motion, blur_by_motion
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, Pair, PictureTarget, Ruleless, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionDeblurring(Ruleless, PictureTarget, ImageTask):
    """Takes the camera's motion out of a photo.

    Every pair has its own line of motion.
    Invariance: none.

    Attributes:
        motion: Ranges that each pair's own degradation is drawn from.

    Source:
        Paper, Table 4 and section B.2. Motion: ours (ADR 13).
    """

    name: ClassVar[str] = "motion_deblurring"
    needs: ClassVar[tuple[type[object], ...]] = ()
    held_out: ClassVar[bool] = False

    motion: Motion = field(default_factory=Motion)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The photo smeared along a line, drawn from the generator, and the photo."""
        del rule
        check_sample(sample, self)
        clean = sample.rgb.pixels
        spoilt = blur_by_motion(clean, motion=self.motion, generator=generator)
        return Pair(input=spoilt, target=clean, key=None)
