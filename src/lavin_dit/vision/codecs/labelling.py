"""From a degraded painting in palette colours back to labels.

A pixel at a blurred border shows a mixture of its two sides, which may look like a third colour of
the palette. So borders never decide: only pixels inside a uniform patch, or too close to a colour
to be a mixture, are trusted at once; every other pixel then takes the colour that fits it best
among those trusted within two pixels of it.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, UInt8

from lavin_dit.vision.codecs.palette import mixture_clearance, with_black

_NOISE_LEVELS = 8.0  # what a mixture may wander toward a colour that it is not
_LEVELS_PER_PIXEL = 8.0  # how much worse a colour may fit for each pixel that it is nearer
_ROUNDS = 4  # of filling from two pixels away, before whole rows are filled


def nearest_colour(
    picture: UInt8[np.ndarray, "t h w 3"],
    colours: UInt8[np.ndarray, "k 3"],
    *,
    dimmest: float = 1.0,
) -> tuple[Int32[np.ndarray, "t h w"], Float32[np.ndarray, "t h w"]]:
    """The palette colour nearest to each pixel on its own.

    Args:
        picture: A painted clip.
        colours: The palette.
        dimmest: Share of its brightness down to which a colour is still itself: a blur dims thin
            shapes on black. 1 where shapes are wide.

    Returns:
        0 for black or 1 + the palette index; and the distance in levels.
    """
    table = with_black(colours)
    labels = np.empty(picture.shape[:3], dtype=np.int32)
    distance = np.empty(picture.shape[:3], dtype=np.float32)
    power = np.sum(table**2, axis=-1)
    for index, frame in enumerate(picture.astype(np.float32)):
        along = frame @ table.T
        # |p - s c|^2 without |p|^2, which is the same for all colours, at the best share s of c.
        share = np.clip(along / np.maximum(power, 1), dimmest, 1)
        cost = share * (share * power - 2 * along)
        labels[index] = np.argmin(cost, axis=-1)
        squared = cost.min(axis=-1) + np.sum(frame**2, axis=-1)
        distance[index] = np.sqrt(np.maximum(squared, 0))
    return labels, distance


def connected_components(
    labels: Int[np.ndarray, "t h w"], *, across_frames: bool
) -> Int[np.ndarray, "t h w"]:
    """Number the connected patches of equal label.

    Args:
        labels: Any labels; the background is a label like any other.
        across_frames: Whether a pixel also touches the same pixel of the next frame.

    Returns:
        For each pixel the number of its patch, from 0 in reading order of their first pixels.
        Pixels touch along their sides, not at their corners.
    """
    starts = np.ones(labels.shape, dtype=np.bool_)
    starts[:, :, 1:] = labels[:, :, 1:] != labels[:, :, :-1]
    runs = np.cumsum(starts).reshape(labels.shape) - 1
    pairs = [_touching(labels, runs, starts, axis=1)]
    if across_frames:
        pairs.append(_touching(labels, runs, starts, axis=0))
    first, second = np.concatenate(pairs, axis=1)
    parent = np.arange(runs.max() + 1)
    while first.size:
        low, high = (
            np.minimum(parent[first], parent[second]),
            np.maximum(parent[first], parent[second]),
        )
        open_pairs = low != high
        first, second = first[open_pairs], second[open_pairs]
        np.minimum.at(parent, high[open_pairs], low[open_pairs])
        while not np.array_equal(parent, parent[parent]):
            parent = parent[parent]
    _, numbers = np.unique(parent, return_inverse=True)
    return numbers[runs]


def _touching(
    labels: Int[np.ndarray, "t h w"],
    runs: Int[np.ndarray, "t h w"],
    starts: Bool[np.ndarray, "t h w"],
    *,
    axis: int,
) -> Int[np.ndarray, "2 m"]:
    """Pairs of equally labelled horizontal runs that touch along an axis, each named once."""
    length = labels.shape[axis]
    before = [slice(None)] * 3
    after = [slice(None)] * 3
    before[axis], after[axis] = slice(0, length - 1), slice(1, length)
    one, two = tuple(before), tuple(after)
    # Two runs overlap first where one of them starts.
    meet = (labels[one] == labels[two]) & (starts[one] | starts[two])
    return np.stack([runs[one][meet], runs[two][meet]])


def label_boxes(labels: Int[np.ndarray, "t h w"], *, num_labels: int) -> Float[np.ndarray, "n 4"]:
    """Smallest box around each label over all frames.

    Args:
        labels: Numbers from 0 to ``num_labels``; 0 is the background.
        num_labels: Number of boxes; box ``i`` is that of label ``i + 1``.

    Returns:
        Left, top, right and bottom in pixels; zeros for a label that does not occur.
    """
    _, rows, columns = np.nonzero(labels)
    index = labels[labels != 0] - 1
    low = np.full((num_labels, 2), np.iinfo(np.int64).max)
    high = np.zeros((num_labels, 2), dtype=np.int64)
    for axis, position in enumerate((columns, rows)):
        np.minimum.at(low[:, axis], index, position)
        np.maximum.at(high[:, axis], index, position + 1)
    low[high[:, 0] == 0] = 0
    return np.concatenate([low, high], axis=-1).astype(np.float64)


def _uniform(labels: Int32[np.ndarray, "t h w"]) -> Bool[np.ndarray, "t h w"]:
    """Where all nine pixels around and including a pixel have its label."""
    height, width = labels.shape[1:]
    padded = np.pad(labels, ((0, 0), (1, 1), (1, 1)), mode="edge")
    same = np.ones(labels.shape, dtype=np.bool_)
    for down in range(3):
        for right in range(3):
            same &= padded[:, down : down + height, right : right + width] == labels
    return same


def _fill_near(
    labels: Int32[np.ndarray, "t h w"],
    picture: UInt8[np.ndarray, "t h w 3"],
    table: Float32[np.ndarray, "k 3"],
) -> Int32[np.ndarray, "t h w"]:
    """Give pixels labelled -1 the best fitting label within two pixels, if there is any."""
    frames, rows, columns = np.nonzero(labels < 0)
    colours = picture[frames, rows, columns].astype(np.float32)
    padded = np.pad(labels, ((0, 0), (2, 2), (2, 2)), constant_values=-1)
    best = np.full(len(frames), np.inf, dtype=np.float32)
    chosen = np.full(len(frames), -1, dtype=np.int32)
    for down in range(-2, 3):
        for right in range(-2, 3):
            label = padded[frames, rows + 2 + down, columns + 2 + right]
            cost = np.linalg.norm(colours - table[label], axis=-1)
            cost += np.float32(_LEVELS_PER_PIXEL * np.hypot(down, right))
            better = (label >= 0) & (cost < best)
            best = np.where(better, cost, best)
            chosen = np.where(better, label, chosen)
    filled = labels.copy()
    filled[frames, rows, columns] = chosen
    return filled


def _fill_lines(labels: Int32[np.ndarray, "t h w"], axis: int) -> Int32[np.ndarray, "t h w"]:
    """Give pixels labelled -1 the nearest label along an axis, if there is any."""
    length = labels.shape[axis]
    position = np.arange(length).reshape([-1 if i == axis else 1 for i in range(3)])
    known = labels >= 0
    before = np.maximum.accumulate(np.where(known, position, -length * 2), axis=axis)
    flipped = np.flip(np.where(known, position, length * 3), axis=axis)
    after = np.flip(np.minimum.accumulate(flipped, axis=axis), axis=axis)
    source = np.where(position - before <= after - position, before, after)
    reachable = (source >= 0) & (source < length)
    taken = np.take_along_axis(labels, np.clip(source, 0, length - 1), axis=axis)
    return np.where(reachable, taken, labels)


def _fill(
    labels: Int32[np.ndarray, "t h w"],
    picture: UInt8[np.ndarray, "t h w 3"],
    table: Float32[np.ndarray, "k 3"],
) -> Int32[np.ndarray, "t h w"]:
    """Give every pixel labelled -1 a label of its surroundings."""
    for _ in range(_ROUNDS):
        if (labels >= 0).all():
            return labels
        labels = _fill_near(labels, picture, table)
    for axis in (2, 1):
        labels = _fill_lines(labels, axis)
    return labels


def read_labels(
    picture: UInt8[np.ndarray, "t h w 3"],
    colours: UInt8[np.ndarray, "k 3"],
    *,
    min_area_px: int,
    dimmest: float = 1.0,
) -> Int32[np.ndarray, "t h w"]:
    """Label the pixels of a painting that an autoencoder has blurred and disturbed.

    Args:
        picture: A clip painted in palette colours on black.
        colours: The palette.
        min_area_px: Connected patches of fewer pixels are given to their surroundings.
        dimmest: Share of its brightness down to which a colour is still itself.

    Returns:
        0 for black or 1 + the palette index.
    """
    table = with_black(colours)
    nearest, distance = nearest_colour(picture, colours, dimmest=dimmest)
    no_mixture = max(mixture_clearance(colours) - _NOISE_LEVELS, 0.0)
    trusted = _uniform(nearest) | (distance < no_mixture)
    labels = np.where(trusted, nearest, np.int32(-1))
    # A frame in which nothing can be trusted is read pixel by pixel.
    blind = ~trusted.any(axis=(1, 2))
    labels[blind] = nearest[blind]
    labels = _fill(labels, picture, table)
    patches = connected_components(labels, across_frames=False)
    small = np.bincount(patches.ravel())[patches] < min_area_px
    small &= ~small.all(axis=(1, 2), keepdims=True)
    return _fill(np.where(small, np.int32(-1), labels), picture, table)
