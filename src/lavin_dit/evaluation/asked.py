"""What a task asks of a sample: its annotation in native units, without what is not painted.

Truth is not read from the painted target, which is rounded to 8 bits, but taken from the sample.
Tasks leave out what cannot be painted (objects too small, classes that no example shows); so must
the truth, or nothing could ever be found.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.palette import INSTANCE_COLOURS, PERSON_COLOURS
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import AnyTask, Pair


def asked_annotation(task: AnyTask, sample: Sample, pair: Pair[Any], *, rule: object) -> Annotation:
    """The truth of a query.

    Args:
        task: What is asked.
        sample: The query's sample.
        pair: How the task rendered it.
        rule: The episode's rule.

    Returns:
        The annotation that is painted, without what the task leaves out; where the target is a
        picture, or computed from one, what the task reads from the true target.
    """
    kind = task.needs[0] if task.needs else None
    if kind is None or task.name.endswith(("_to_image", "_to_video")):
        return task.read(pair.target, rule=rule, key=pair.key).annotation
    annotation: Any = sample[kind]
    match annotation:
        case Flow():
            valid = annotation.valid.copy()
            valid[-1] = False
            return replace(annotation, valid=valid)
        case Instances():
            kept = np.isin(annotation.ids, pair.key.names)
            return replace(annotation, ids=np.where(kept, annotation.ids, np.int32(0)))
        case Panoptic():
            known = np.concatenate([[False], np.isin(annotation.classes, _classes(rule))])
            kept = known[annotation.ids]
            return replace(annotation, ids=np.where(kept, annotation.ids, np.int32(0)))
        case Boxes():
            return annotation if task.held_out else _asked_boxes(task, annotation, rule)
        case Keypoints():
            return _asked_people(task, annotation)
        case Depth() | Normals() | Mask():
            return annotation
        case _:
            raise TypeError(f"{task.name} asks for {kind.__name__}, which no scorer knows")


def _classes(rule: Any) -> tuple[int, ...]:  # noqa: ANN401 - every task has its own
    """The classes that an episode is about."""
    classes: tuple[int, ...] = rule.classes
    return classes


def _asked_boxes(task: Any, boxes: Boxes, rule: object) -> Boxes:  # noqa: ANN401
    """The largest boxes that can be painted, of the episode's classes where colours name them."""
    limit = np.array([boxes.size.width, boxes.size.height] * 2, dtype=np.float32)
    corners = np.clip(boxes.corners_px, np.float32(0), limit)
    extent = corners[0, :, 2:] - corners[0, :, :2]
    large = boxes.present[0] & (extent.min(axis=1, initial=np.inf) >= task.least_side_px)
    paintable = np.flatnonzero(large)
    order = np.argsort(-extent[paintable].prod(axis=1), kind="stable")[: len(INSTANCE_COLOURS)]
    kept = np.sort(paintable[order])
    classes = getattr(rule, "classes", None)
    if classes is not None:
        kept = kept[np.isin(boxes.classes[kept], classes)]
    return replace(
        boxes,
        corners_px=corners[:, kept],
        present=boxes.present[:, kept],
        classes=boxes.classes[kept],
    )


def _asked_people(task: Any, people: Keypoints) -> Keypoints:  # noqa: ANN401
    """The largest people that can be painted."""
    seen = (people.visibility[0] > 0)[..., None]
    low = np.where(seen, people.positions_px[0], np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen, people.positions_px[0], -np.inf).max(axis=1, initial=-np.inf)
    extent = (high - low).max(axis=1, initial=-np.inf)
    order = np.argsort(-extent, kind="stable")[: len(PERSON_COLOURS)]
    kept = np.sort(order[extent[order] >= task.least_extent_px])
    return replace(
        people, positions_px=people.positions_px[:, kept], visibility=people.visibility[:, kept]
    )
