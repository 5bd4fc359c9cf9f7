"""Surface normal estimation: from a photo to the directions of its surfaces."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.normals import NormalCodec, Normals
from lavin_dit.vision.results.normals import NormalsResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, NothingToPaintError, Pair, Ruleless, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceNormalEstimation(Ruleless, ImageTask):
    """Paints the surface normals of a photo.

    Invariance: none; camera space, x right, y up, z toward the camera.

    Attributes:
        codec: How normals are painted.

    Source:
        Paper, Table 4 and section B.2. Painting: ours (ADR 10).
    """

    name: ClassVar[str] = "surface_normal_estimation"
    needs: ClassVar[tuple[type[object], ...]] = (Normals,)
    held_out: ClassVar[bool] = False

    codec: NormalCodec = field(default_factory=NormalCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The photo, and its normals in colour; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        normals = sample[Normals]
        if not normals.valid.any():
            raise NothingToPaintError(sample.name, "no pixel has a surface normal")
        picture, _ = self.codec.paint(normals)
        return Pair(input=sample.rgb.pixels, target=picture, key=None)

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, rule: None = None, key: None = None
    ) -> NormalsResult:
        """Unit vectors, not valid where the picture is grey."""
        del rule, key
        return NormalsResult(annotation=self.codec.read(picture))
