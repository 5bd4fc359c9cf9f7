"""Optical flow: from a clip to the motion of its pixels from each frame to the next."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.flow import Flow, FlowCodec, FlowKey
from lavin_dit.vision.results.flow import FlowResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import NothingToPaintError, Pair, Ruleless, VideoTask, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticalFlow(Ruleless, VideoTask):
    """Paints the motion of a clip's pixels on a colour wheel.

    One scale serves all frames. The last frame is always black: what comes after it cannot be
    seen, even where the sample's clip was cut from a longer one. Invariance: without its key,
    flow is read up to one positive scale for the whole clip.

    Attributes:
        num_frames: Number of frames of a clip, 1 + 4k.
        codec: How flow is painted.

    Source:
        Paper, Table 4. Painting: ours (ADR 10); the last frame: ours (ADR 13).
    """

    name: ClassVar[str] = "optical_flow"
    needs: ClassVar[tuple[type[object], ...]] = (Flow,)
    held_out: ClassVar[bool] = False

    codec: FlowCodec = field(default_factory=FlowCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[FlowKey]:
        """The clip, and its motion in colour; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        valid = sample[Flow].valid.copy()
        valid[-1] = False
        if not valid.any():
            raise NothingToPaintError(sample.name, "no pixel's motion is known")
        picture, key = self.codec.paint(replace(sample[Flow], valid=valid))
        return Pair(input=sample.rgb.pixels, target=picture, key=key)

    def read(
        self,
        picture: UInt8[np.ndarray, "t h w 3"],
        *,
        rule: None = None,
        key: FlowKey | None = None,
    ) -> FlowResult:
        """Flow: in pixels with a key, else up to a scale; never valid in the last frame."""
        del rule
        flow = self.codec.read(picture, key=key)
        valid = flow.valid.copy()
        valid[-1] = False
        return FlowResult(annotation=replace(flow, valid=valid), in_pixels=key is not None)
