"""Putting pictures of any size on the model's canvas, and predictions back to their size.

Every clip of one sequence shares one canvas, whose sides are multiples of 16: the ST-VAE's 8 times
the J-DiT's patch of 2.
"""

import logging
from dataclasses import dataclass
from types import EllipsisType
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

CANVAS_MULTIPLE = 16
Fit = Literal["pad", "stretch", "tile"]
"""How pictures get to the working size: whole, with margins or distorted, or cut into tiles."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Size at which the model works.

    Raises:
        ValueError: If a side is not a positive multiple of 16.
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        """Check the sides."""
        for name in ("height", "width"):
            value = getattr(self, name)
            if value < CANVAS_MULTIPLE or value % CANVAS_MULTIPLE:
                raise ValueError(
                    f"canvas {name} must be a positive multiple of {CANVAS_MULTIPLE}, got {value}"
                )


def canvas_for(height: int, width: int) -> Canvas:
    """Make the canvas for a requested size: sides are rounded up to multiples of 16.

    Raises:
        ValueError: If a side is below 1.
    """
    if min(height, width) < 1:
        raise ValueError(f"height and width must be at least 1, got {height}x{width}")
    sides = [-(-side // CANVAS_MULTIPLE) * CANVAS_MULTIPLE for side in (height, width)]
    if sides != [height, width]:
        logger.info(
            "size %dx%d is worked on as %dx%d: sides must be multiples of %d",
            height,
            width,
            *sides,
            CANVAS_MULTIPLE,
        )
    return Canvas(height=sides[0], width=sides[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where on the canvas a picture lies, and how large it was; all in pixels."""

    canvas: Canvas
    source_height: int
    source_width: int
    top: int
    left: int
    height: int
    width: int


def place(source_size: tuple[int, int], *, canvas: Canvas, fit: Fit) -> Placement:
    """Decide where a picture goes.

    Args:
        source_size: Its height and width.
        canvas: The model's working size.
        fit: ``pad`` keeps the aspect, centres the picture and leaves margins; ``stretch`` fills
            the canvas and distorts, as the authors' script does. What is cut into tiles is placed
            by `grid_for`.

    Raises:
        ValueError: If ``fit`` is something else.
    """
    if fit not in ("pad", "stretch"):
        raise ValueError(f"fit must be 'pad', 'stretch' or 'tile', got {fit!r}")
    source_height, source_width = source_size
    height, width = canvas.height, canvas.width
    if fit == "pad":
        scale = min(height / source_height, width / source_width)
        height = min(height, max(1, round(source_height * scale)))
        width = min(width, max(1, round(source_width * scale)))
    return Placement(
        canvas=canvas,
        source_height=source_height,
        source_width=source_width,
        top=(canvas.height - height) // 2,
        left=(canvas.width - width) // 2,
        height=height,
        width=width,
    )


def fit_frames(
    frames: UInt8[np.ndarray, "t h w 3"], placement: Placement
) -> UInt8[np.ndarray, "t y x 3"]:
    """Resize frames (bicubic, antialiased) and put them on the canvas; margins repeat the border.

    Args:
        frames: Pictures of the placement's source size.
        placement: From `place`.
    """
    frames = resize_frames(frames, (placement.height, placement.width))
    below = placement.canvas.height - placement.top - placement.height
    right = placement.canvas.width - placement.left - placement.width
    margins = ((0, 0), (placement.top, below), (placement.left, right), (0, 0))
    return np.pad(frames, margins, mode="edge")


def resize_frames(
    frames: UInt8[np.ndarray, "t h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "t y x 3"]:
    """Resize frames, bicubic and antialiased.

    Args:
        frames: Pictures.
        size: Height and width of what comes out.
    """
    if frames.shape[1:3] == size:
        return frames
    channels_first = _to_tensor(frames).permute(0, 3, 1, 2)
    resized = interpolate(channels_first, size=size, mode="bicubic", antialias=True)
    return resized.permute(0, 2, 3, 1).numpy()


def cut_margins(
    frames: Float[Tensor, "t 3 y x"], placement: Placement
) -> Float[Tensor, "t 3 y2 x2"]:
    """Cut off what is not the query's; still at the working size.

    Args:
        frames: Pictures of the canvas' size, values around [0, 1].
        placement: Where the query lay.
    """
    return frames[_inside(placement)].float()


def _inside(placement: Placement) -> tuple[EllipsisType, slice, slice]:
    rows = slice(placement.top, placement.top + placement.height)
    cols = slice(placement.left, placement.left + placement.width)
    return ..., rows, cols


def unfit_frames(
    frames: Float[Tensor, "t 3 y x"], placement: Placement
) -> Float[Tensor, "t 3 h w"]:
    """Take a prediction off the canvas: cut the margins, resize back, clamp to [0, 1].

    Args:
        frames: Pictures of the canvas' size, values around [0, 1].
        placement: Where the query lay.
    """
    inside = cut_margins(frames, placement)
    return resized(inside, (placement.source_height, placement.source_width))


def resized(frames: Float[Tensor, "t 3 y x"], size: tuple[int, int]) -> Float[Tensor, "t 3 h w"]:
    """Resize a prediction, bicubic and antialiased, and clamp it to [0, 1].

    Args:
        frames: Values around [0, 1].
        size: Height and width of what comes out.
    """
    if frames.shape[2:] != size:
        frames = interpolate(frames, size=size, mode="bicubic", antialias=True)
    return frames.clamp(0.0, 1.0)


def to_network(
    frames: UInt8[np.ndarray, "t h w 3"], *, device: torch.device, dtype: torch.dtype
) -> Float[Tensor, "1 3 t h w"]:
    """Turn 8-bit frames into the ST-VAE's input, in [-1, 1]."""
    pixels = _to_tensor(frames).to(device)
    return (rearrange(pixels, "t h w c -> 1 c t h w").float() / 127.5 - 1.0).to(dtype)


def from_network(clip: Float[Tensor, "3 t h w"]) -> Float[Tensor, "t 3 h w"]:
    """Turn the ST-VAE's output, around [-1, 1], into float32 frames around [0, 1]."""
    return rearrange(clip, "c t h w -> t c h w").float() / 2 + 0.5


def to_unit_range(
    frames: UInt8[np.ndarray, "t h w 3"], *, device: torch.device
) -> Float[Tensor, "t 3 h w"]:
    """Turn 8-bit frames into float32 frames in [0, 1]."""
    return rearrange(_to_tensor(frames).to(device), "t h w c -> t c h w").float() / 255


def to_bytes(frames: Float[Tensor, "t 3 h w"]) -> UInt8[np.ndarray, "t h w 3"]:
    """Round frames to 8 bits; values outside [0, 1] are clamped."""
    pixels = rearrange(frames.clamp(0.0, 1.0) * 255, "t c h w -> t h w c").round().to(torch.uint8)
    return pixels.cpu().numpy()


def pad_to_whole_groups(
    frames: UInt8[np.ndarray, "t h w 3"], *, group: int
) -> UInt8[np.ndarray, "s h w 3"]:
    """Repeat the last frame until there are 1 + k·group frames.

    Source:
        Ours (decision 0008): the ST-VAE compresses the first frame alone and the others in
        groups of 4.
    """
    missing = -(len(frames) - 1) % group
    if not missing:
        return frames
    logger.info("a clip of %d frames is padded to %d", len(frames), len(frames) + missing)
    return np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])


def _to_tensor(frames: UInt8[np.ndarray, "t h w 3"]) -> UInt8[Tensor, "t h w 3"]:
    """Share memory with an array, or copy it if it is read-only or has gaps."""
    return torch.from_numpy(np.require(frames, requirements=["C", "W"]))
