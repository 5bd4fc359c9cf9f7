"""JPEG compression that shows its blocks."""

import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lavin_dit.vision.degradations.ranges import Range, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Jpeg:
    """How strongly a photo is compressed; the quality is drawn anew for each clip.

    Attributes:
        quality: Quality as libjpeg counts it, 1 to 95; colour is stored at half of the
            resolution (4:2:0).

    Source:
        Ours (ADR 13).
    """

    quality: Range = (5, 25)

    def __post_init__(self) -> None:
        """Check the range."""
        check_range(self.quality, name="Jpeg.quality", least=1, most=95)


def compress(
    pixels: UInt8[np.ndarray, "t h w 3"], *, jpeg: Jpeg, generator: np.random.Generator
) -> UInt8[np.ndarray, "t h w 3"]:
    """Compress each frame and decode it again.

    Args:
        pixels: Any clip.
        jpeg: How strongly.
        generator: Source of all randomness.

    Returns:
        The clip with its compression artefacts.
    """
    quality = round(generator.uniform(*jpeg.quality))
    result = np.empty_like(pixels)
    for frame, picture in enumerate(pixels):
        data = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(
            data, format="JPEG", quality=quality, subsampling="4:2:0"
        )
        result[frame] = np.asarray(Image.open(data))
    return result
