"""Borders of what was read at the working size, moved to where a larger picture has them."""

from itertools import product

import numpy as np
from jaxtyping import Int, Int32, UInt8

from lavin_dit.vision.geometry import Size, resize_nearest


def moved_borders(
    ids: Int32[np.ndarray, "t y x"], drawn: UInt8[np.ndarray, "t h w 3"]
) -> Int32[np.ndarray, "t h w"]:
    """Give each pixel of a picture the id that fits its colour, of those around it.

    How many things there are, and which, is read at the working size, where a codec knows how wide
    a blurred border is. Here only borders move, by a pixel of the working size at most.

    Args:
        ids: What was read, frame by frame; 0 for none.
        drawn: The same painting, drawn larger.

    Returns:
        Ids of the larger size.

    Source:
        Ours, decision 0023.
    """
    return np.stack([_moved(*frame) for frame in zip(ids, drawn, strict=True)])


def _moved(
    ids: Int32[np.ndarray, "y x"], drawn: UInt8[np.ndarray, "h w 3"]
) -> Int32[np.ndarray, "h w"]:
    size = Size(height=drawn.shape[0], width=drawn.shape[1])
    names, places = np.unique(ids, return_inverse=True)
    places = places.reshape(ids.shape)
    own = _enlarged(places, size)
    colours = drawn.astype(np.float32)
    counts = np.bincount(own.ravel())
    sums = [np.bincount(own.ravel(), colours[..., channel].ravel()) for channel in range(3)]
    means = (np.stack(sums, axis=-1) / counts[:, None]).astype(np.float32)
    best, least = own, np.square(colours - means[own]).sum(axis=-1)
    around = np.pad(places, 1, mode="edge")
    for down, right in product(range(3), repeat=2):
        shifted = around[down : down + ids.shape[0], right : right + ids.shape[1]]
        other = _enlarged(shifted, size)
        distance = np.square(colours - means[other]).sum(axis=-1)
        nearer = distance < least
        best, least = np.where(nearer, other, best), np.where(nearer, distance, least)
    return names[best].astype(np.int32)


def _enlarged(places: Int[np.ndarray, "y x"], size: Size) -> Int[np.ndarray, "h w"]:
    return resize_nearest(places[None], size)[0]
