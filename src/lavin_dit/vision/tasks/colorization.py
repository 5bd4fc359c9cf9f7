"""Colorization: from a grey photo to its colours."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lavin_dit.vision.geometry import to_levels
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import (
    ImageTask,
    NothingToPaintError,
    Pair,
    PictureTarget,
    Ruleless,
    check_sample,
)

# Brightness as in ITU-R BT.601, which OpenCV's grey conversion computes.
_BRIGHTNESS = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Colorization(Ruleless, PictureTarget, ImageTask):
    """Paints the colours of a grey photo.

    Invariance: none; other colours may be as likely, so it is judged by its likeness as well.

    Attributes:
        least_colour: Levels by which two channels of some pixel must differ; a photo of less
            is grey itself.

    Source:
        Paper, Table 4 (OpenCV's grey) and section B.2.
    """

    name: ClassVar[str] = "colorization"
    needs: ClassVar[tuple[type[object], ...]] = ()
    held_out: ClassVar[bool] = False

    least_colour: int = 4

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The photo in grey, and the photo; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        pixels = sample.rgb.pixels
        red, green, blue = np.moveaxis(pixels, -1, 0)  # a reduction over 3 elements is slow
        lightest = np.maximum(np.maximum(red, green), blue)
        if (lightest - np.minimum(np.minimum(red, green), blue)).max() < self.least_colour:
            raise NothingToPaintError(sample.name, "photo has no colour")
        grey = to_levels(pixels.astype(np.float32) @ _BRIGHTNESS)
        return Pair(input=np.repeat(grey[..., None], 3, axis=-1), target=pixels, key=None)
