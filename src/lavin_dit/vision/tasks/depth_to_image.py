"""Depth-to-image: from a depth map to a photo that could have it."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lavin_dit.vision.codecs.depth import Depth, DepthCodec
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import (
    ImageTask,
    NothingToPaintError,
    Pair,
    PictureTarget,
    Ruleless,
    check_sample,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthToImage(Ruleless, PictureTarget, ImageTask):
    """Paints a photo of a given depth.

    Invariance: none; any photo of that depth is right, so it is judged by its likeness.

    Attributes:
        codec: How depth is painted.

    Source:
        Paper, Table 4 and section B.2.
    """

    name: ClassVar[str] = "depth_to_image"
    needs: ClassVar[tuple[type[object], ...]] = (Depth,)
    held_out: ClassVar[bool] = False

    codec: DepthCodec = field(default_factory=DepthCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The depth in grey, and the photo; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        depth = sample[Depth]
        if not depth.valid.any():
            raise NothingToPaintError(sample.name, "no pixel has a depth")
        picture, _ = self.codec.paint(depth)
        return Pair(input=picture, target=sample.rgb.pixels, key=None)
