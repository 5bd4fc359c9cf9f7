"""Bringing samples to the size of an episode, with or without chance.

One window, one size and one flip serve the clip and all annotations of a sample.
"""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size, Window
from lavin_dit.vision.sample import Sample


@runtime_checkable
class Framing(Protocol):
    """Brings samples to one size; a frozen record, so that it can travel into workers."""

    @property
    def size(self) -> Size:
        """Size of what comes out."""
        ...

    def __call__(self, sample: Sample, *, generator: np.random.Generator) -> Sample:
        """Cut out a window of the sample and bring it to the size."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomFraming:
    """A random window, resized, and flipped half of the time.

    Attributes:
        size: Size of what comes out.
        min_area: Smallest share of the largest window of the drawn aspect that is cut out.
        max_stretch: Most that a window is wider or taller than the size asks for; what is cut
            out is stretched to the size. 1 keeps the aspect.
        flip: Whether to mirror half of the samples left to right.
    """

    size: Size
    min_area: float = 0.4
    max_stretch: float = 1.25
    flip: bool = True

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.min_area <= 1:
            raise ValueError(f"min_area must lie in (0, 1], got {self.min_area}")
        if self.max_stretch < 1:
            raise ValueError(f"max_stretch must be at least 1, got {self.max_stretch}")

    def __call__(self, sample: Sample, *, generator: np.random.Generator) -> Sample:
        """Draw a window and whether to flip, and move everything accordingly."""
        # Always the same number of draws, so that samples of all shapes use the generator alike.
        stretch, area, down, right, flip = generator.random(5)
        stretch = math.exp((2 * stretch - 1) * math.log(self.max_stretch))
        scale = math.sqrt(self.min_area + (1 - self.min_area) * area)
        window = _window(sample.shape.size, self.size, stretch=stretch, scale=scale)
        height, width = sample.shape.height, sample.shape.width
        placed = Window(
            top=int(down * (height - window.height + 1)),
            left=int(right * (width - window.width + 1)),
            height=window.height,
            width=window.width,
        )
        framed = _resized(sample.crop(placed), self.size)
        return framed.flip() if self.flip and flip < 0.5 else framed


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralFraming:
    """The largest window of the right aspect in the middle, resized; nothing is drawn.

    Attributes:
        size: Size of what comes out.
    """

    size: Size

    def __call__(self, sample: Sample, *, generator: np.random.Generator) -> Sample:
        """Cut out the middle and resize it."""
        del generator
        window = _window(sample.shape.size, self.size, stretch=1.0, scale=1.0)
        placed = Window(
            top=(sample.shape.height - window.height) // 2,
            left=(sample.shape.width - window.width) // 2,
            height=window.height,
            width=window.width,
        )
        return _resized(sample.crop(placed), self.size)


def _resized(sample: Sample, size: Size) -> Sample:
    """The sample at another size; pixels by Pillow, which has the filter of ``Rgb.resize``.

    It computes in 8 bits, so that pixels differ by at most a level, and takes a fifth of the time:
    with :meth:`Sample.resize` an episode of images took 12 to 44 % more time.
    """
    if size == sample.shape.size:
        return sample
    frames = [
        np.asarray(
            Image.fromarray(frame).resize((size.width, size.height), Image.Resampling.BILINEAR)
        )
        for frame in np.ascontiguousarray(sample.rgb.pixels)
    ]
    return Sample(
        rgb=Rgb(pixels=np.stack(frames)),
        annotations=tuple(annotation.resize(size) for annotation in sample.annotations),
        name=sample.name,
    )


def _window(frame: Size, size: Size, *, stretch: float, scale: float) -> Size:
    """Size of a window inside a frame: stretched against the wanted aspect, scaled down."""
    aspect = size.width / size.height * stretch
    width = min(frame.width, frame.height * aspect) * scale
    height = min(frame.height, frame.width / aspect) * scale
    return Size(
        height=min(max(round(height), 1), frame.height),
        width=min(max(round(width), 1), frame.width),
    )
