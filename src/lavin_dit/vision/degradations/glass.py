"""Glass blur: a photo seen through frosted glass, its pixels shuffled among neighbours."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.degradations.ranges import Range, check_range, load_opencv
from lavin_dit.vision.geometry import to_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Glass:
    """How rough the glass is; each value of a range is drawn anew for each clip.

    Lengths are shares of a frame's shorter side.

    Attributes:
        blur: Standard deviation of the blur before and after the shuffling.
        reach: How far a pixel is taken from in each direction; never below 1 pixel.
        rounds: Number of times that pixels are shuffled.

    Source:
        Ours (ADR 13), after the parameters of the augmentation library that the paper names
        (Table 4): blur 0.7 px, reach 4 px, 2 rounds, there for photos of any size. There pixels
        are swapped one after the other; here each takes the colour of a random neighbour.
    """

    blur: Range = (0.002, 0.005)
    reach: Range = (0.006, 0.016)
    rounds: int = 2

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self.blur, name="Glass.blur", least=0, most=1)
        check_range(self.reach, name="Glass.reach", least=0, most=1)
        if self.rounds < 1:
            raise ValueError(f"Glass.rounds must be at least 1, got {self.rounds}")


def blur_by_glass(
    pixels: UInt8[np.ndarray, "t h w 3"], *, glass: Glass, generator: np.random.Generator
) -> UInt8[np.ndarray, "t h w 3"]:
    """Put frosted glass before a clip; the glass is the same in every frame.

    Args:
        pixels: Any clip.
        glass: How rough the glass is.
        generator: Source of all randomness.

    Returns:
        The clip behind the glass.

    Raises:
        ModuleNotFoundError: If OpenCV is not installed.
    """
    cv2 = load_opencv()
    height, width = pixels.shape[1:3]
    side = min(height, width)
    blur_px = max(0.3, generator.uniform(*glass.blur) * side)
    reach = max(1, round(generator.uniform(*glass.reach) * side))
    rows, columns = np.mgrid[:height, :width]
    for _ in range(glass.rounds):
        moves = generator.integers(-reach, reach + 1, (2, height, width))
        near_rows = np.clip(np.arange(height)[:, None] + moves[0], 0, height - 1)
        near_columns = np.clip(np.arange(width)[None] + moves[1], 0, width - 1)
        rows, columns = rows[near_rows, near_columns], columns[near_rows, near_columns]
    result = np.empty_like(pixels)
    for frame, picture in enumerate(pixels):
        soft = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), blur_px)
        result[frame] = to_levels(cv2.GaussianBlur(soft[rows, columns], (0, 0), blur_px))
    return result
