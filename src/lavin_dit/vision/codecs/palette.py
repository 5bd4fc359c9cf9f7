"""Colours that stay apart when an autoencoder has had its way with them.

Black is never a colour of a palette: it is what lies behind. Two properties make a palette
readable: colours lie far from each other, and far from the mixtures of two others, since a blurred
border between two instances shows every mixture of their colours. :func:`least_distance` and
:func:`mixture_clearance` measure both, tests hold the tables to them.
"""

import colorsys
from functools import lru_cache
from math import gcd

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

# 24 colours and black: at least 100 levels apart, and at least 30 levels from every mixture of two
# others. Found by gradient descent on a soft minimum of the two from 14 random starts.
INSTANCE_COLOURS: UInt8[np.ndarray, "24 3"] = np.array(
    [
        [205, 255, 255], [255, 204, 185], [255, 119, 255], [103, 254, 254],
        [215, 211, 93], [255, 117, 127], [251, 232, 0], [93, 255, 134],
        [41, 174, 255], [150, 93, 224], [141, 255, 40], [0, 233, 169],
        [129, 0, 255], [249, 0, 125], [38, 71, 254], [48, 213, 49],
        [254, 53, 0], [0, 131, 172], [128, 161, 0], [108, 0, 144],
        [178, 0, 51], [104, 63, 21], [0, 124, 51], [0, 0, 102],
    ],
    dtype=np.uint8,
)  # fmt: skip

# 24 colours for thin lines on black, which a blur dims: at least 85 levels apart, at least 65 from
# each other dimmed to 60 %, and then still 95 from black. Found like the instance colours.
LINE_COLOURS: UInt8[np.ndarray, "24 3"] = np.array(
    [
        [212, 255, 192], [255, 168, 214], [179, 199, 253], [85, 255, 255],
        [195, 255, 99], [253, 91, 255], [114, 246, 159], [255, 171, 7],
        [222, 254, 1], [2, 255, 168], [152, 110, 254], [0, 183, 217],
        [248, 1, 253], [255, 93, 82], [105, 255, 28], [219, 17, 128],
        [227, 69, 0], [32, 232, 80], [254, 0, 49], [104, 90, 81],
        [25, 63, 171], [2, 254, 0], [0, 0, 255], [80, 0, 141],
    ],
    dtype=np.uint8,
)  # fmt: skip

# The line colours by class: three alike for each of eight, the one of most boxes first. Chosen to
# keep the largest angle between the colours of a class small.
CLASS_LINES: Int[np.ndarray, "8 3"] = np.array(
    [
        [8, 4, 7], [10, 2, 1], [3, 9, 11], [0, 6, 19],
        [12, 5, 15], [22, 20, 23], [18, 13, 16], [21, 17, 14],
    ]
)  # fmt: skip

# One colour per COCO joint: at least 80 levels from each other, from black and from the dim colours
# that tell people apart, and at least 50 levels from dimmed versions of each other, since a thin
# ring on black is read dimmed. Found like the instance colours.
JOINT_COLOURS: UInt8[np.ndarray, "17 3"] = np.array(
    [
        [82, 90, 90], [0, 128, 253], [254, 125, 119], [101, 120, 255], [192, 149, 3],
        [0, 255, 91], [255, 0, 0], [3, 208, 178], [255, 91, 0], [182, 254, 1], [255, 0, 175],
        [0, 0, 255], [221, 17, 90], [87, 15, 233], [192, 4, 252], [0, 200, 0], [94, 236, 9],
    ],
    dtype=np.uint8,
)  # fmt: skip

_DIM_VALUE = 95 / 255


def _hue_table(num_hues: int, value: float) -> UInt8[np.ndarray, "hues 3"]:
    """Saturated colours at equal steps around the hue circle."""
    colours = [colorsys.hsv_to_rgb(hue / num_hues, 1.0, value) for hue in range(num_hues)]
    return np.rint(255 * np.array(colours)).astype(np.uint8)


PERSON_COLOURS: UInt8[np.ndarray, "12 3"] = _hue_table(12, _DIM_VALUE)


def class_colours(*, num_hues: int, num_shades: int) -> UInt8[np.ndarray, "colours 3"]:
    """A table with one hue per class and, within it, one shade per instance.

    Args:
        num_hues: Number of classes.
        num_shades: Number of instances that a class can tell apart, from dark to pale; the
            middle one is the pure hue.

    Returns:
        The shades of the first hue from dark to pale, then those of the second, and so on.
        Successive hues lie far apart on the circle.

    Raises:
        ValueError: If a number is below 1.
    """
    if num_hues < 1 or num_shades < 1:
        raise ValueError(f"need at least 1 hue and 1 shade, got {num_hues} and {num_shades}")
    stride = next(
        step for step in range(-(-num_hues * 3 // 8), 2 * num_hues) if gcd(step, num_hues) == 1
    )
    pure = _hue_table(num_hues, 1.0)[np.arange(num_hues) * stride % num_hues].astype(np.float64)[
        :, None
    ]
    # From 40 % of the brightness, over the pure hue at the middle, to 60 % of the way to white.
    step = np.linspace(-1.0, 1.0, num_shades) if num_shades > 1 else np.zeros(1)
    dark = 1.0 + 0.6 * np.minimum(step, 0.0)
    pale = 0.6 * np.maximum(step, 0.0)
    shades = pure * dark[:, None]
    shades = shades + (255.0 - shades) * pale[:, None]
    return np.rint(shades).astype(np.uint8).reshape(-1, 3)


def with_black(colours: UInt8[np.ndarray, "k 3"]) -> Float32[np.ndarray, "k_plus_1 3"]:
    """The colours behind black, so that label 0 is what lies behind."""
    return np.concatenate([np.zeros((1, 3)), colours]).astype(np.float32)


def least_distance(colours: UInt8[np.ndarray, "k 3"]) -> float:
    """Smallest Euclidean distance in levels between two colours, black included."""
    table = with_black(colours)
    distance = np.linalg.norm(table[:, None] - table[None], axis=-1)
    return float(distance[np.triu_indices(len(table), 1)].min())


def mixture_clearance(colours: UInt8[np.ndarray, "k 3"]) -> float:
    """Smallest distance in levels between a colour and a mixture of two others.

    Args:
        colours: A palette of at least two colours; black is added.

    Returns:
        The distance; a pixel closer than that to a colour is no blend of two others.
    """
    return _clearance(colours.tobytes())


@lru_cache(maxsize=32)
def _clearance(colours: bytes) -> float:
    """The clearance of a table given by its bytes, which can be a cache's key."""
    table = with_black(np.frombuffer(colours, dtype=np.uint8).reshape(-1, 3)).astype(np.float64)
    first, second = np.triu_indices(len(table), 1)
    least = np.inf
    for index, colour in enumerate(table):
        others = (first != index) & (second != index)
        start, along = table[first[others]], table[second[others]] - table[first[others]]
        share = np.sum((colour - start) * along, axis=-1) / np.sum(along**2, axis=-1)
        nearest = start + np.clip(share, 0.0, 1.0)[:, None] * along
        least = min(least, float(np.linalg.norm(colour - nearest, axis=-1).min(initial=np.inf)))
    return least


def grid_anchors(*, rows: int, columns: int) -> Float[np.ndarray, "k 2"]:
    """One place in the unit square per colour: the centres of a grid, row by row, as (x, y)."""
    y, x = np.divmod(np.arange(rows * columns), columns)
    return np.stack([(x + 0.5) / columns, (y + 0.5) / rows], axis=-1)


def _gap(box: Float[np.ndarray, "4"], others: Float[np.ndarray, "m 4"]) -> float:
    """Smallest distance in pixels between a box and others; infinite without others."""
    before = np.maximum(others[:, :2] - box[2:], box[:2] - others[:, 2:])
    return float(before.max(axis=-1).min(initial=np.inf))


def colours_by_place(
    boxes: Float[np.ndarray, "n 4"], *, anchors: Float[np.ndarray, "k 2"], width: int, height: int
) -> Int[np.ndarray, " n"]:
    """Choose a palette index for every instance from where it is, never at random.

    A rule that can be seen in the picture is one that a network can learn. The largest instance
    chooses first and takes the free colour whose anchor is nearest to its centre. Once all are
    taken, an instance takes the colour whose holders are farthest away.

    Args:
        boxes: Left, top, right and bottom of each instance in pixels, over all frames.
        anchors: The place of each palette colour in the unit square.
        width: Width of a frame in pixels.
        height: Height of a frame in pixels.

    Returns:
        One index per instance; all differ as long as there are no more instances than anchors.

    Source:
        Ours (ADR 10).
    """
    boxes = boxes.astype(np.float64)
    extent = np.array([width, height], dtype=np.float64)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / extent
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=-1)
    chosen = np.full(len(boxes), -1, dtype=np.int64)
    for index in np.argsort(-areas, kind="stable"):
        distance = np.linalg.norm(anchors - centres[index], axis=-1)
        distance[chosen[chosen >= 0]] = np.inf
        if np.isfinite(distance).any():
            chosen[index] = int(np.argmin(distance))
            continue
        gaps = [_gap(boxes[index], boxes[chosen == colour]) for colour in range(len(anchors))]
        chosen[index] = int(np.argmax(gaps))
    return chosen
