"""Edge detection: from a photo to the edges that Canny's detector finds in it."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.edges import EdgeCodec, Edges
from lavin_dit.vision.degradations.ranges import load_opencv
from lavin_dit.vision.results.edges import EdgesResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import ImageTask, NothingToPaintError, Pair, Ruleless, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeDetection(Ruleless, ImageTask):
    """Paints the edges of a photo white on black.

    Edges are computed from the photo at the size at which it is rendered, never read from a
    sample, so that edges mean the same everywhere. Invariance: none.

    Attributes:
        low: Gradient from which an edge that has begun goes on, in levels, summed over x and y
            after a Sobel filter of 3 x 3.
        high: Gradient at which an edge begins.
        codec: How edges are painted.

    Source:
        Paper, Table 4 (Canny, OpenCV), without its thresholds: ours (ADR 13), those of OpenCV's
        own examples.
    """

    name: ClassVar[str] = "edge_detection"
    needs: ClassVar[tuple[type[object], ...]] = ()
    held_out: ClassVar[bool] = False

    low: int = 100
    high: int = 200
    codec: EdgeCodec = field(default_factory=EdgeCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The photo, and its edges; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        cv2 = load_opencv()
        grey = cv2.cvtColor(np.ascontiguousarray(sample.rgb.pixels[0]), cv2.COLOR_RGB2GRAY)
        found = np.asarray(cv2.Canny(grey, self.low, self.high))
        if not found.any():
            raise NothingToPaintError(sample.name, "photo has no edge")
        edges = Edges(strength=(found > 0).astype(np.float32)[None])
        picture, _ = self.codec.paint(edges)
        return Pair(input=sample.rgb.pixels, target=picture, key=None)

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, rule: None = None, key: None = None
    ) -> EdgesResult:
        """Edges, 0 or 1."""
        del rule, key
        return EdgesResult(annotation=self.codec.read(picture))
