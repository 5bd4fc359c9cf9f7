"""A framing for benchmarks that are evaluated whole: nothing is cut off."""

from dataclasses import dataclass

import numpy as np

from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchedFraming:
    """The whole picture, stretched to the size, as the authors' script does.

    Attributes:
        size: Size of what comes out.
    """

    size: Size

    def __call__(self, sample: Sample, *, generator: np.random.Generator) -> Sample:
        """Resize; nothing is drawn."""
        del generator
        return sample.resize(self.size)
