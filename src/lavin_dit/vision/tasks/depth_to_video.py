"""Depth-to-video: from a depth video to a clip that could have it."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lavin_dit.vision.codecs.depth import Depth, DepthCodec
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import (
    NothingToPaintError,
    Pair,
    PictureTarget,
    Ruleless,
    VideoTask,
    check_sample,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthToVideo(Ruleless, PictureTarget, VideoTask):
    """Paints a clip of a given depth.

    Invariance: none; any clip of that depth is right, so it is judged by its likeness.

    Attributes:
        num_frames: Number of frames of a clip, 1 + 4k.
        codec: How depth is painted.

    Source:
        Paper, Table 4.
    """

    name: ClassVar[str] = "depth_to_video"
    needs: ClassVar[tuple[type[object], ...]] = (Depth,)
    held_out: ClassVar[bool] = False

    codec: DepthCodec = field(default_factory=DepthCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The depth in grey, and the clip; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        depth = sample[Depth]
        if not depth.valid.any():
            raise NothingToPaintError(sample.name, "no pixel has a depth")
        picture, _ = self.codec.paint(depth)
        return Pair(input=picture, target=sample.rgb.pixels, key=None)
