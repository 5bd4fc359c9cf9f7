"""Video depth estimation: from a clip to its depth, without flicker."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.depth import Depth, DepthCodec, DepthKey
from lavin_dit.vision.results.depth import DepthResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import NothingToPaintError, Pair, Ruleless, VideoTask, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoDepth(Ruleless, VideoTask):
    """Paints the depth of a clip in grey.

    One range of depth serves all frames. Invariance: without its key, 1 / sqrt(depth) is read
    up to one scale and one shift for the whole clip (or what the codec's curve says).

    Attributes:
        num_frames: Number of frames of a clip, 1 + 4k.
        codec: How depth is painted.

    Source:
        Paper, Table 4. Painting: ours (ADR 10).
    """

    name: ClassVar[str] = "video_depth"
    needs: ClassVar[tuple[type[object], ...]] = (Depth,)
    held_out: ClassVar[bool] = False

    codec: DepthCodec = field(default_factory=DepthCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[DepthKey]:
        """The clip, and its depth in grey; the generator is not drawn from."""
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
