"""Annotation records from label pictures and masks."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int32

from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size


def panoptic_from_numbers(
    numbers: Int32[np.ndarray, "h w"], *, classes: Mapping[int, int | None], name: str
) -> Panoptic:
    """Segments from a picture that numbers them in any way.

    Args:
        numbers: The segment of each pixel.
        classes: Class of each number; None for void.
        name: Name of the sample, for the error.

    Returns:
        Segments numbered from 1 on in the order of their numbers, void as 0.

    Raises:
        UnusableSampleError: If a number has no entry in classes, or all is void.
    """
    found, dense = np.unique(numbers, return_inverse=True)
    unknown = [number for number in found.tolist() if number not in classes]
    if unknown:
        raise UnusableSampleError(name, "label picture holds numbers that have no class")
    kinds = [classes[number] for number in found.tolist()]
    named = [kind for kind in kinds if kind is not None]
    if not named:
        raise UnusableSampleError(name, "nothing is labelled")
    table = np.cumsum([kind is not None for kind in kinds], dtype=np.int32)
    table[[kind is None for kind in kinds]] = 0
    return Panoptic(
        ids=table[dense.reshape(numbers.shape)][None], classes=np.array(named, dtype=np.int32)
    )


def instances_from_masks(
    masks: Sequence[Bool[np.ndarray, "h w"]], *, size: Size, name: str
) -> Instances:
    """One number per pixel from masks that may overlap: the smaller instance lies on top.

    Args:
        masks: Pixels of each instance; those without pixels leave no trace.
        size: Size of the picture.
        name: Name of the sample, for the error.

    Returns:
        Instances numbered from 1 on in the order of the masks.

    Raises:
        UnusableSampleError: If no mask has a pixel.
    """
    ids = np.zeros((1, size.height, size.width), dtype=np.int32)
    areas = [int(mask.sum()) for mask in masks]
    for index in sorted(range(len(masks)), key=lambda index: -areas[index]):
        ids[0][masks[index]] = index + 1
    if not ids.any():
        raise UnusableSampleError(name, "no instance has pixels")
    return Instances(ids=ids)


def image_boxes(
    corners_px: Float32[np.ndarray, "n 4"], *, classes: Int32[np.ndarray, " n"], size: Size
) -> Boxes:
    """Boxes of a picture of one frame.

    Args:
        corners_px: Left, top, right and bottom of each.
        classes: Class of each.
        size: Size of the picture.

    Returns:
        The boxes, all present.
    """
    return Boxes(
        corners_px=np.ascontiguousarray(corners_px[None]),
        present=np.ones((1, len(corners_px)), dtype=np.bool_),
        classes=classes.copy(),
        size=size,
    )
