"""Where one shot of a film ends and the next begins.

A cut is a change between two frames that stands out from the changes around it, or that replaces
most of the picture's colours at once. Dark frames, as between fades, belong to no shot.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, UInt8

# Thumbnails on which cuts are looked for: small enough that motion changes them little.
THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH = 27, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotRule:
    """When a change is a cut. The values are those that were right on Big Buck Bunny (ADR 12).

    Attributes:
        least_change: Mean change in levels of a cut.
        standing_out: How many times larger than the second largest change nearby it is.
        reach: How many frames to each side are nearby.
        large_change: Mean change in levels that is a cut if also the colours change.
        changed_colours: Share of the pixels that have other colours after such a cut.
        dark_level: Mean level below which a frame belongs to no shot.
        min_frames: Shorter shots are left out.
    """

    least_change: float = 10.0
    standing_out: float = 2.0
    reach: int = 6
    large_change: float = 25.0
    changed_colours: float = 0.4
    dark_level: float = 20.0
    min_frames: int = 9


def find_shots(
    thumbnails: UInt8[np.ndarray, "t h w 3"], *, rule: ShotRule
) -> tuple[tuple[int, int], ...]:
    """Find the shots of a film.

    Args:
        thumbnails: Its frames, small.
        rule: When a change is a cut.

    Returns:
        First frame, and first frame after, of each shot that is long and bright enough.
    """
    if len(thumbnails) == 0:
        return ()
    bright = thumbnails.mean(axis=(1, 2, 3)) >= rule.dark_level
    starts = np.concatenate([[True], _cuts(thumbnails, rule)])
    shots: list[tuple[int, int]] = []
    first = 0
    for frame in range(1, len(thumbnails) + 1):
        ended = frame == len(thumbnails) or starts[frame] or bright[frame] != bright[frame - 1]
        if ended:
            if bright[first] and frame - first >= rule.min_frames:
                shots.append((first, frame))
            first = frame
    return tuple(shots)


def _cuts(thumbnails: UInt8[np.ndarray, "t h w 3"], rule: ShotRule) -> Bool[np.ndarray, " n"]:
    """Whether each frame but the first begins a shot."""
    changes = np.array(
        [np.abs(after.astype(np.int16) - before).mean() for before, after in pairwise(thumbnails)]
    )
    shares = _colour_shares(thumbnails)
    recoloured = np.abs(np.diff(shares, axis=0)).sum(axis=1) / 2
    nearby = np.array([_second_largest_nearby(changes, i, rule.reach) for i in range(len(changes))])
    stands_out = (changes > rule.least_change) & (changes > rule.standing_out * nearby)
    replaced = (changes > rule.large_change) & (recoloured > rule.changed_colours)
    return stands_out | replaced


def _second_largest_nearby(changes: Float[np.ndarray, " n"], index: int, reach: int) -> float:
    """The second largest other change nearby; the largest may be the next cut."""
    low, high = max(0, index - reach), index + reach + 1
    others = np.concatenate([changes[low:index], changes[index + 1 : high]])
    return float(np.sort(others)[-2]) if len(others) > 1 else 0.0


def _colour_shares(thumbnails: UInt8[np.ndarray, "t h w 3"]) -> Float[np.ndarray, "t 64"]:
    """Share of the pixels in each of 64 coarse colours."""
    coarse = (thumbnails // 64).astype(np.int64)
    numbers = coarse[..., 0] * 16 + coarse[..., 1] * 4 + coarse[..., 2]
    counts = [np.bincount(frame.ravel(), minlength=64) for frame in numbers]
    return np.array(counts) / numbers[0].size
