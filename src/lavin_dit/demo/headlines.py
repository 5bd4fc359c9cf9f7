"""The one number that the demonstration tells of each kind of annotation.

It is a measure by which the evaluation judges that kind as well; see ``evaluation/measures.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lavin_dit.evaluation.metrics.boxes import matched_boxes
from lavin_dit.evaluation.metrics.depth import depth_lstsq
from lavin_dit.evaluation.metrics.edges import edge_f1
from lavin_dit.evaluation.metrics.flow import flow_errors
from lavin_dit.evaluation.metrics.keypoints import joints
from lavin_dit.evaluation.metrics.masks import instance_iou, mask_iou
from lavin_dit.evaluation.metrics.normals import normal_angles
from lavin_dit.evaluation.metrics.state import Quotients, sample_means
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
from lavin_dit.vision.psnr import psnr_db
from lavin_dit.vision.results.depth import DepthResult
from lavin_dit.vision.results.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What is told of one kind of annotation.

    Attributes:
        measure: Name of the score among the evaluation's measures.
        compare: Scores what was read (first) against the truth.
    """

    measure: str
    compare: Callable[[Any, Any], Quotients]

    def score(self, reading: Result, truth: Annotation) -> Quotients:
        """Score a reading against the truth.

        Args:
            reading: What was read, without a key.
            truth: What is true, of the same kind.

        Raises:
            ModuleNotFoundError: If that needs a package that is not installed.
        """
        # Only depth is read up to something that the annotation alone does not tell.
        return self.compare(reading if isinstance(truth, Depth) else reading.annotation, truth)


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


def _depth(reading: DepthResult, truth: Depth) -> Quotients:
    """After fitting scale and shift where a painting leaves them open: along its curve."""
    return depth_lstsq(
        reading.annotation.metres,
        truth.metres,
        truth.valid,
        curve=reading.curve,
    )


def _normals(predicted: Normals, truth: Normals) -> Quotients:
    """A pixel that was painted as having no surface counts as 90 degrees."""
    vectors = np.where(predicted.valid[..., None], predicted.vectors, np.float32(0))
    return normal_angles(vectors, truth.vectors, truth.valid)


def _flow(predicted: Flow, truth: Flow) -> Quotients:
    """After fitting a scale, which a painting leaves open; what was not painted stands still."""
    pixels = np.where(predicted.valid[..., None], predicted.pixels, np.float32(0))
    return flow_errors(pixels, truth.pixels, truth.valid)


def _mask(predicted: Mask, truth: Mask) -> Quotients:
    """Intersection over union."""
    return mask_iou(predicted.foreground, truth.foreground)


def _segments(predicted: Instances | Panoptic, truth: Instances | Panoptic) -> Quotients:
    """Intersection over union of things that are matched, whatever their class."""
    return instance_iou(predicted.ids, truth.ids)


def _boxes(predicted: Boxes, truth: Boxes) -> Quotients:
    """Intersection over union of boxes that are matched, whatever their class."""
    corners = [boxes.corners_px[0, boxes.present[0]] for boxes in (predicted, truth)]
    classes = [np.zeros(len(own), dtype=np.int32) for own in corners]
    return matched_boxes(*corners, predicted_classes=classes[0], true_classes=classes[1])


def _keypoints(predicted: Keypoints, truth: Keypoints) -> Quotients:
    """Joints that are near enough."""
    parts: list[np.ndarray] = []
    for people in (predicted, truth):
        seen = people.visibility[0].any(axis=-1)
        parts += [people.positions_px[0, seen], people.visibility[0, seen]]
    return joints(*parts)


def _edges(predicted: Edges, truth: Edges) -> Quotients:
    """Edges with a pixel of tolerance."""
    return edge_f1(predicted.strength > 0.5, truth.strength > 0.5)


def _picture(predicted: Rgb, truth: Rgb) -> Quotients:
    """Likeness level by level."""
    difference = (predicted.pixels.astype(np.float64) - truth.pixels) / 255
    return sample_means(psnr_db=psnr_db(float(np.mean(difference**2))))


_HEADLINES: dict[type[object], Headline] = {
    Depth: Headline(measure="abs_rel_lstsq", compare=_depth),
    Normals: Headline(measure="mean_deg", compare=_normals),
    Flow: Headline(measure="epe_scaled_px", compare=_flow),
    Mask: Headline(measure="iou", compare=_mask),
    Instances: Headline(measure="miou_matched", compare=_segments),
    Panoptic: Headline(measure="miou_matched", compare=_segments),
    Boxes: Headline(measure="box_miou_matched", compare=_boxes),
    Keypoints: Headline(measure="pck_0.1", compare=_keypoints),
    Edges: Headline(measure="f1_1px", compare=_edges),
    Rgb: Headline(measure="psnr_db", compare=_picture),
}
