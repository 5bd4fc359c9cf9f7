"""Frame prediction: from the beginning of a clip to the 12 frames that follow."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.results.pictures import PictureResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import (
    Pair,
    PictureTarget,
    Ruleless,
    check_num_frames,
    check_sample,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePrediction(Ruleless, PictureTarget):
    """Paints how a clip goes on.

    The input is the first frame. The target is the whole clip, the given frame first, so that it
    has 1 + 4k frames as the autoencoder takes them, and what follows begins where the input ends.
    Only what follows is read. Invariance: none; several futures may be as likely.

    Attributes:
        num_given: Number of frames that the input shows.
        num_future: Number of frames to predict.

    Source:
        Paper, section 4.1 and Figure 23 (a query frame, 12 frames predicted). That the target
        holds the given frame: ours (ADR 13).
    """

    name: ClassVar[str] = "frame_prediction"
    needs: ClassVar[tuple[type[object], ...]] = ()
    held_out: ClassVar[bool] = False

    num_given: int = 1
    num_future: int = 12

    def __post_init__(self) -> None:
        """Check the lengths."""
        if self.num_given % 4 != 1 or self.num_given < 1:
            raise ValueError(f"an input has 1, 5, 9, ... frames, got {self.num_given}")
        check_num_frames(self.num_frames)

    @property
    def num_frames(self) -> int:
        """Frames of the target: the given and the future ones."""
        return self.num_given + self.num_future

    @property
    def num_input_frames(self) -> int:
        """Frames of the input."""
        return self.num_given

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The first frames, and the whole clip; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        pixels = sample.rgb.pixels
        return Pair(input=pixels[: self.num_given], target=pixels, key=None)

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, rule: object = None, key: None = None
    ) -> PictureResult:
        """The future frames.

        Args:
            picture: A painted clip, the given frames first.
            rule: There is none.
            key: There is none.

        Returns:
            The frames after the given ones.

        Raises:
            ValueError: If nothing follows the given frames.
        """
        del rule, key
        if len(picture) <= self.num_given:
            raise ValueError(
                f"a target holds {self.num_given} given frames and what follows, got "
                f"{len(picture)} frames"
            )
        return PictureResult(annotation=Rgb(pixels=picture[self.num_given :]))
