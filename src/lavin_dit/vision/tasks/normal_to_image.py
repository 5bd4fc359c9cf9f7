"""Normal-to-image: from surface normals to a photo that could have them."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lavin_dit.vision.codecs.normals import NormalCodec, Normals
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
class NormalToImage(Ruleless, PictureTarget, ImageTask):
    """Paints a photo of given surface normals.

    Invariance: none; any photo of those normals is right, so it is judged by its likeness.

    Attributes:
        codec: How normals are painted.

    Source:
        Paper, Table 4 and section B.2.
    """

    name: ClassVar[str] = "normal_to_image"
    needs: ClassVar[tuple[type[object], ...]] = (Normals,)
    held_out: ClassVar[bool] = False

    codec: NormalCodec = field(default_factory=NormalCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The normals in colour, and the photo; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        normals = sample[Normals]
        if not normals.valid.any():
            raise NothingToPaintError(sample.name, "no pixel has a surface normal")
        picture, _ = self.codec.paint(normals)
        return Pair(input=picture, target=sample.rgb.pixels, key=None)
