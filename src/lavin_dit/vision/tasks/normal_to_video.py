"""Normal-to-video: from surface normals to a clip that could have them."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lavin_dit.vision.codecs.normals import NormalCodec, Normals
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
class NormalToVideo(Ruleless, PictureTarget, VideoTask):
    """Paints a clip of given surface normals.

    Invariance: none; any clip of those normals is right, so it is judged by its likeness.

    Attributes:
        num_frames: Number of frames of a clip, 1 + 4k.
        codec: How normals are painted.

    Source:
        Paper, Table 4.
    """

    name: ClassVar[str] = "normal_to_video"
    needs: ClassVar[tuple[type[object], ...]] = (Normals,)
    held_out: ClassVar[bool] = False

    codec: NormalCodec = field(default_factory=NormalCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The normals in colour, and the clip; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        normals = sample[Normals]
        if not normals.valid.any():
            raise NothingToPaintError(sample.name, "no pixel has a surface normal")
        picture, _ = self.codec.paint(normals)
        return Pair(input=picture, target=sample.rgb.pixels, key=None)
