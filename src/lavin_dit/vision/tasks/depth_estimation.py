"""Depth estimation: from a photo to its depth, near bright."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.depth import Depth, DepthCodec, DepthKey
from lavin_dit.vision.results.depth import DepthResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, NothingToPaintError, Pair, Ruleless, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthEstimation(Ruleless, ImageTask):
    """Paints the depth of a photo in grey.

    Invariance: without its key, 1 / sqrt(depth) is read up to a scale and a shift (or what the
    codec's curve says).

    Attributes:
        codec: How depth is painted.

    Source:
        Paper, Table 4 and section B.2 (affine-invariant depth). Painting: ours (ADR 10).
    """

    name: ClassVar[str] = "depth_estimation"
    needs: ClassVar[tuple[type[object], ...]] = (Depth,)
    held_out: ClassVar[bool] = False

    codec: DepthCodec = field(default_factory=DepthCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[DepthKey]:
        """The photo, and its depth in grey; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        depth = sample[Depth]
        if not depth.valid.any():
            raise NothingToPaintError(sample.name, "no pixel has a depth")
        picture, key = self.codec.paint(depth)
        return Pair(input=sample.rgb.pixels, target=picture, key=key)

    def read(
        self,
        picture: UInt8[np.ndarray, "t h w 3"],
        *,
        rule: None = None,
        key: DepthKey | None = None,
    ) -> DepthResult:
        """Depth: in metres with a key, else up to the codec's invariance."""
        del rule
        depth = self.codec.read(picture, key=key)
        return DepthResult(annotation=depth, metric=key is not None, curve=self.codec.curve)
