"""Motion blur: the camera moved along a line while the shutter was open."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.vision.degradations.ranges import Range, check_range, load_opencv
from lavin_dit.vision.geometry import to_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """How far the camera moved; each value of a range is drawn anew for each clip.

    Attributes:
        length: Length of the line as a share of a frame's shorter side; never below 3 pixels.
        angle_deg: Direction of the line, counterclockwise from the right.

    Source:
        Ours (ADR 13). The augmentation library that the paper names (Table 4) draws lines of 3 to
        7 px by default, whatever the photo's size.
    """

    length: Range = (0.02, 0.08)
    angle_deg: Range = (0, 180)

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self.length, name="Motion.length", least=0, most=1)
        check_range(self.angle_deg, name="Motion.angle_deg", least=-360, most=360)


def line_kernel(length_px: float, angle_deg: float) -> Float32[np.ndarray, "k k"]:
    """Weights of a straight line through the middle, which sum to 1.

    Args:
        length_px: Length of the line.
        angle_deg: Its direction, counterclockwise from the right.

    Returns:
        A square kernel of odd size.
    """
    reach = int(np.ceil(length_px / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    along = np.linspace(-length_px / 2, length_px / 2, 8 * int(np.ceil(length_px)) + 1)
    x = reach + along * np.cos(np.radians(angle_deg))
    y = reach - along * np.sin(np.radians(angle_deg))
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    # Each point gives its weight to the four pixels around it.
    for down in (0, 1):
        for right in (0, 1):
            share = np.abs(1 - down - (y - top)) * np.abs(1 - right - (x - left))
            np.add.at(kernel, (top + down, left + right), share)
    return (kernel / kernel.sum()).astype(np.float32)


def blur_by_motion(
    pixels: UInt8[np.ndarray, "t h w 3"], *, motion: Motion, generator: np.random.Generator
) -> UInt8[np.ndarray, "t h w 3"]:
    """Move the camera while a clip is taken; the motion is the same in every frame.

    Args:
        pixels: Any clip.
        motion: How far the camera moves.
        generator: Source of all randomness.

    Returns:
        The blurred clip; beyond the border the photo is taken to be mirrored.

    Raises:
        ModuleNotFoundError: If OpenCV is not installed.
    """
    cv2 = load_opencv()
    side = min(pixels.shape[1:3])
    length_px = max(3.0, generator.uniform(*motion.length) * side)
    kernel = line_kernel(length_px, generator.uniform(*motion.angle_deg))
    result = np.empty_like(pixels)
    for frame, picture in enumerate(pixels):
        smeared = cv2.filter2D(
            picture.astype(np.float32), -1, kernel, borderType=cv2.BORDER_REFLECT_101
        )
        result[frame] = to_levels(smeared)
    return result
