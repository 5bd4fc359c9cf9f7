"""Annotations of a source as results, so that they can be drawn and saved like what is read."""

from collections.abc import Mapping
from dataclasses import replace

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
from lavin_dit.vision.results.boxes import BoxesResult
from lavin_dit.vision.results.depth import DepthResult
from lavin_dit.vision.results.edges import EdgesResult
from lavin_dit.vision.results.flow import FlowResult
from lavin_dit.vision.results.instances import InstancesResult
from lavin_dit.vision.results.keypoints import KeypointsResult
from lavin_dit.vision.results.masks import MaskResult
from lavin_dit.vision.results.normals import NormalsResult
from lavin_dit.vision.results.panoptic import PanopticResult
from lavin_dit.vision.results.pictures import PictureResult
from lavin_dit.vision.results.result import Result


def as_result(  # noqa: C901 - one line per kind
    annotation: Annotation, *, class_names: Mapping[int, str]
) -> Result:
    """A known annotation as a result.

    Args:
        annotation: What is known, in native units.
        class_names: Names of classes, where known.

    Returns:
        The result; depth is in metres and flow in pixels.

    Raises:
        TypeError: If this kind of annotation has no result.
    """
    match annotation:
        case Boxes():
            return BoxesResult(annotation=annotation, class_names=class_names)
        case Depth():
            return DepthResult(annotation=annotation, metric=True)
        case Edges():
            return EdgesResult(annotation=annotation)
        case Flow():
            return FlowResult(annotation=annotation, in_pixels=True)
        case Instances():
            return InstancesResult(annotation=annotation)
        case Keypoints():
            return KeypointsResult(annotation=annotation)
        case Mask():
            return MaskResult(annotation=annotation)
        case Normals():
            return NormalsResult(annotation=annotation)
        case Panoptic():
            return PanopticResult(annotation=annotation, class_names=class_names)
        case Rgb():
            return PictureResult(annotation=annotation)
        case _:
            raise TypeError(f"{type(annotation).__name__} has no result; see vision/results")


def with_class_names(result: Result, class_names: Mapping[int, str]) -> Result:
    """A reading with the names of its classes; what has no classes stays as it is.

    Args:
        result: What was read.
        class_names: Names of classes, where known.
    """
    if isinstance(result, BoxesResult | PanopticResult):
        return replace(result, class_names=class_names)
    return result
