"""Foreground segmentation: from a photo to the mask of what the context pairs mask."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.masks import Mask, MaskCodec
from lavin_dit.vision.results.masks import MaskResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, NothingToPaintError, Pair, Ruleless, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class ForegroundSegmentation(Ruleless, ImageTask):
    """Paints a mask white on black. Never trained.

    What the foreground is, is told by the context alone: all samples of an episode must show the
    same class, which is up to the evaluation protocol. Invariance: none.

    Attributes:
        codec: How masks are painted.

    Source:
        Paper, Table 1 and section B.2 (Pascal-5i, following Bar et al., 2022).
    """

    name: ClassVar[str] = "foreground_segmentation"
    needs: ClassVar[tuple[type[object], ...]] = (Mask,)
    held_out: ClassVar[bool] = True

    codec: MaskCodec = field(default_factory=MaskCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The photo, and its mask; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        mask = sample[Mask]
        if not mask.foreground.any():
            raise NothingToPaintError(sample.name, "mask is empty")
        picture, _ = self.codec.paint(mask)
        return Pair(input=sample.rgb.pixels, target=picture, key=None)

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, rule: None = None, key: None = None
    ) -> MaskResult:
        """The mask."""
        del rule, key
        return MaskResult(annotation=self.codec.read(picture))
