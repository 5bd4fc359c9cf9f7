"""Rain: bright slanted streaks over a darkened photo."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.degradations.ranges import Range, check_range, load_opencv
from lavin_dit.vision.geometry import to_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Rain:
    """How strongly it rains; each value of a range is drawn anew for each clip.

    Lengths are shares of a frame's shorter side, so that rain looks the same at any resolution.

    Attributes:
        streaks: Number of streaks per square of the shorter side.
        slant_deg: Angle from the vertical that all streaks share; positive leans to the right.
        length: Length of a streak; it also varies by a third between streaks.
        width: Width of a streak; never below 1 pixel.
        level: Brightness of a streak in levels.
        opacity: How much of the photo a streak hides.
        blur: Standard deviation of the blur of the streaks.
        darkening: What remains of the photo's brightness under a rainy sky.

    Source:
        Ours (ADR 13), after the parameters of the augmentation library that the paper names
        (Table 4): streaks of 20 px, 1 px wide, of level 200, leaning up to 10 degrees, and a
        brightness of 0.7, there for photos of any size and without the blur of the photo itself.
    """

    streaks: Range = (150, 500)
    slant_deg: Range = (-20, 20)
    length: Range = (0.05, 0.12)
    width: Range = (0.004, 0.008)
    level: Range = (180, 230)
    opacity: Range = (0.5, 0.8)
    blur: Range = (0.0015, 0.004)
    darkening: Range = (0.65, 0.9)

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("streaks", "length", "width", "blur"):
            check_range(getattr(self, name), name=f"Rain.{name}", least=0, most=np.inf)
        check_range(self.slant_deg, name="Rain.slant_deg", least=-60, most=60)
        check_range(self.level, name="Rain.level", least=0, most=255)
        check_range(self.opacity, name="Rain.opacity", least=0, most=1)
        check_range(self.darkening, name="Rain.darkening", least=0, most=1)


def add_rain(
    pixels: UInt8[np.ndarray, "t h w 3"], *, rain: Rain, generator: np.random.Generator
) -> UInt8[np.ndarray, "t h w 3"]:
    """Let it rain on a clip; every frame has its own drops of the same rain.

    Args:
        pixels: Any clip.
        rain: How strongly it rains.
        generator: Source of all randomness.

    Returns:
        The clip in the rain.

    Raises:
        ModuleNotFoundError: If OpenCV is not installed.
    """
    cv2 = load_opencv()
    num_frames, height, width = pixels.shape[:3]
    side = min(height, width)
    slant = np.radians(generator.uniform(*rain.slant_deg))
    length = generator.uniform(*rain.length) * side
    thickness = max(1, round(generator.uniform(*rain.width) * side))
    level = generator.uniform(*rain.level)
    opacity = generator.uniform(*rain.opacity)
    blur_px = max(0.3, generator.uniform(*rain.blur) * side)
    darkening = generator.uniform(*rain.darkening)
    count = round(generator.uniform(*rain.streaks) * height * width / side**2)
    result = np.empty_like(pixels)
    for frame in range(num_frames):
        cover = np.zeros((height, width), dtype=np.uint8)
        # Streaks start above the frame as well, so that its upper border is as wet as the rest.
        starts = generator.uniform([0, -length], [width, height], (count, 2))
        lengths = length * generator.uniform(2 / 3, 4 / 3, (count, 1))
        stops = starts + lengths * np.array([np.sin(slant), np.cos(slant)])
        # OpenCV draws anti-aliased lines between positions in 1 / 16 of a pixel.
        points = np.rint(16 * np.stack([starts, stops], axis=1)).astype(np.int32)
        for start, stop in points.tolist():
            cv2.line(cover, start, stop, 255, thickness, cv2.LINE_AA, 4)
        share = cv2.GaussianBlur(cover.astype(np.float32) / 255, (0, 0), blur_px)[..., None]
        dark = pixels[frame].astype(np.float32) * np.float32(darkening)
        wet = dark + np.float32(opacity) * share * (np.float32(level) - dark)
        result[frame] = to_levels(wet.astype(np.float32))
    return result
