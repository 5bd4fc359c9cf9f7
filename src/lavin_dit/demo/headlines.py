"""The one number that the demonstration tells of each kind of annotation.

It is the measure by which the evaluation judges that kind as well; see ``evaluation/measures.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lavin_dit.evaluation.metrics.state import State
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What is told of one kind of annotation.

    Attributes:
        measure: Name of the score among the evaluation's measures.
        score: Scores a reading (first) against the truth.
    """

    measure: str
    score: Callable[[Any, Any], State]


def headline_of(annotation: Annotation) -> Headline:
    """The number for a kind of annotation.

    Args:
        annotation: A truth of that kind.

    Returns:
        Its measure.

    Raises:
        TypeError: If no measure is known for this kind.
    """
    for kind, headline in _HEADLINES.items():
        if isinstance(annotation, kind):
            return headline
    raise TypeError(f"there is no measure for {type(annotation).__name__}")


# Metrics are imported when they are needed: some want packages of the extra "eval", and what they
# don't touch must be told without.


def _depth(predicted: Depth, truth: Depth) -> State:
    """After fitting scale and shift, which a painting leaves open."""
    from lavin_dit.evaluation.metrics.depth import depth_lstsq

    return depth_lstsq(predicted.metres, truth.metres, truth.valid)


def _normals(predicted: Normals, truth: Normals) -> State:
    """A pixel that was painted as having no surface counts as 90 degrees."""
    from lavin_dit.evaluation.metrics.normals import normal_angles

    vectors = np.where(predicted.valid[..., None], predicted.vectors, np.float32(0))
    return normal_angles(vectors, truth.vectors, truth.valid)


def _flow(predicted: Flow, truth: Flow) -> State:
    """After fitting a scale, which a painting leaves open."""
    from lavin_dit.evaluation.metrics.flow import flow_errors

    return flow_errors(predicted.pixels, truth.pixels, truth.valid)


def _mask(predicted: Mask, truth: Mask) -> State:
    """Intersection over union."""
    from lavin_dit.evaluation.metrics.masks import mask_iou

    return mask_iou(predicted.foreground, truth.foreground)


def _segments(predicted: Instances | Panoptic, truth: Instances | Panoptic) -> State:
    """Intersection over union of things that are matched, whatever their class."""
    from lavin_dit.evaluation.metrics.masks import instance_iou

    return instance_iou(predicted.ids, truth.ids)


def _boxes(predicted: Boxes, truth: Boxes) -> State:
    """Intersection over union of boxes that are matched, whatever their class."""
    from lavin_dit.evaluation.metrics.boxes import matched_boxes

    corners = [boxes.corners_px[0, boxes.present[0]] for boxes in (predicted, truth)]
    classes = [np.zeros(len(own), dtype=np.int32) for own in corners]
    return matched_boxes(*corners, predicted_classes=classes[0], true_classes=classes[1])


def _keypoints(predicted: Keypoints, truth: Keypoints) -> State:
    """Joints that are near enough."""
    from lavin_dit.evaluation.metrics.keypoints import joints

    parts: list[np.ndarray] = []
    for people in (predicted, truth):
        seen = people.visibility[0].any(axis=-1)
        parts += [people.positions_px[0, seen], people.visibility[0, seen]]
    return joints(*parts)


def _edges(predicted: Edges, truth: Edges) -> State:
    """Edges with a pixel of tolerance."""
    from lavin_dit.evaluation.metrics.edges import edge_f1

    return edge_f1(predicted.strength > 0.5, truth.strength > 0.5)


def _picture(predicted: Rgb, truth: Rgb) -> State:
    """Likeness level by level."""
    from lavin_dit.evaluation.metrics.pictures import picture_likeness

    return picture_likeness(predicted.pixels, truth.pixels)


_HEADLINES: dict[type[object], Headline] = {
    Depth: Headline(measure="abs_rel_lstsq", score=_depth),
    Normals: Headline(measure="mean_deg", score=_normals),
    Flow: Headline(measure="epe_scaled_px", score=_flow),
    Mask: Headline(measure="iou", score=_mask),
    Instances: Headline(measure="miou_matched", score=_segments),
    Panoptic: Headline(measure="miou_matched", score=_segments),
    Boxes: Headline(measure="box_miou_matched", score=_boxes),
    Keypoints: Headline(measure="pck_0.1", score=_keypoints),
    Edges: Headline(measure="f1_1px", score=_edges),
    Rgb: Headline(measure="psnr_db", score=_picture),
}
