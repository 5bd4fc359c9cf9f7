"""The three ways in which COCO's JSON describes the pixels of an instance.

Coordinates are continuous, as everywhere in this project: pixel ``i`` covers ``[i, i + 1)``.
Run lengths count along columns, starting with pixels outside.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from lavin_dit.vision.geometry import Size


def decode_segmentation(
    segmentation: Sequence[Sequence[float | int]] | Mapping[str, Any], *, size: Size
) -> Bool[np.ndarray, "h w"]:
    """Pixels of an instance from its polygons or run lengths.

    Args:
        segmentation: List of polygons ``[x0, y0, x1, y1, ...]``, or ``{"size": [height, width],
            "counts": ...}`` with a list of run lengths or a compressed string of them.
        size: Size of the picture.

    Returns:
        True inside: where a pixel's centre lies in any of the polygons.

    Raises:
        ValueError: If the run lengths are for another size or do not fill it, or a polygon has
            fewer than three corners or an odd number of coordinates.
    """
    if isinstance(segmentation, Mapping):
        return _decode_runs(segmentation, size=size)
    mask = np.zeros((size.height, size.width), dtype=np.bool_)
    for polygon in segmentation:
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"a polygon of {len(polygon)} coordinates")
        mask |= fill_polygon(np.array(polygon, dtype=np.float64).reshape(-1, 2), size=size)
    return mask


def fill_polygon(corners: Float64[np.ndarray, "n 2"], *, size: Size) -> Bool[np.ndarray, "h w"]:
    """Pixels whose centres lie inside a polygon, by the even-odd rule.

    Args:
        corners: x and y of each corner; parts outside the picture are cut off.
        size: Size of the picture.

    Returns:
        True inside.

    Raises:
        ValueError: If a coordinate is not finite.
    """
    if not np.isfinite(corners).all():
        raise ValueError("a polygon with a coordinate that is not finite")
    x0, y0 = corners.T
    x1, y1 = np.roll(corners, -1, axis=0).T
    # The rows whose centre line an edge crosses, from first up to last.
    first = np.ceil(np.minimum(y0, y1) - 0.5).clip(0, size.height).astype(np.intp)
    last = np.ceil(np.maximum(y0, y1) - 0.5).clip(0, size.height).astype(np.intp)
    counts = last - first
    edges = np.repeat(np.arange(len(corners)), counts)
    rows = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    slopes = (x1 - x0)[edges] / (y1 - y0)[edges]
    crossings = x0[edges] + (rows + 0.5 - y0[edges]) * slopes
    columns = np.ceil(crossings - 0.5).clip(0, size.width).astype(np.intp)
    switches = np.bincount(
        rows * (size.width + 1) + columns, minlength=size.height * (size.width + 1)
    ).reshape(size.height, size.width + 1)
    return (np.cumsum(switches, axis=1) % 2 == 1)[:, :-1]


def _decode_runs(runs: Mapping[str, Any], *, size: Size) -> Bool[np.ndarray, "h w"]:
    """Pixels from run lengths."""
    if list(runs["size"]) != [size.height, size.width]:
        raise ValueError(f"run lengths for {runs['size']} in a picture of {size}")
    counts = runs["counts"]
    lengths: list[int] = _expand(counts) if isinstance(counts, str) else list(counts)
    if sum(lengths) != size.height * size.width or min(lengths) < 0:
        raise ValueError(f"run lengths that sum to {sum(lengths)} in a picture of {size}")
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(size.width, size.height).T


def _expand(text: str) -> list[int]:
    """Run lengths from COCO's compressed string.

    Each number is written in groups of 5 bits, the lowest first, as a character from ``0`` on; a
    sixth bit says that more follow, and the highest bit of the last group is the sign. From the
    fourth number on, the difference to the last but one is written.
    """
    numbers: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
        value = shift = 0
    return numbers
