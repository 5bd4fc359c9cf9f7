"""From a painted prediction to the state of its scores: one scorer for each kind of target."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from lavin_dit.datasets.nyuv2 import EIGEN_CROP
from lavin_dit.evaluation.cases import Case
from lavin_dit.evaluation.metrics.boxes import box_precision, matched_boxes, single_box_iou
from lavin_dit.evaluation.metrics.depth import depth_lstsq
from lavin_dit.evaluation.metrics.edges import edge_f1
from lavin_dit.evaluation.metrics.features import FeatureSets
from lavin_dit.evaluation.metrics.flicker import flicker
from lavin_dit.evaluation.metrics.flow import flow_errors
from lavin_dit.evaluation.metrics.keypoints import joints, pose_precision
from lavin_dit.evaluation.metrics.masks import (
    class_miou,
    instance_iou,
    mask_iou,
    panoptic_quality,
)
from lavin_dit.evaluation.metrics.normals import normal_angles
from lavin_dit.evaluation.metrics.pictures import picture_likeness
from lavin_dit.evaluation.metrics.state import State, sample_means
from lavin_dit.evaluation.question import Clip
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth, DepthCodec, DepthCurve, resize_along_curve
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.psnr import psnr_db

_NYUV2_RANGE_M = (0.1, 10.0)

States: TypeAlias = tuple[State, ...]


@runtime_checkable
class Eye(Protocol):
    """A network that says how alike pictures look."""

    @property
    def name(self) -> str:
        """What the network is: scores of different ones don't compare."""
        ...

    @property
    def distance_name(self) -> str:
        """``lpips_like``, or ``lpips`` where its weights are LPIPS's own."""
        ...

    @property
    def set_distance_name(self) -> str:
        """``fid_like``, or ``fid`` where the vectors are those of its own network."""
        ...

    def distance(self, predicted: Clip, truth: Clip) -> float:
        """How different two clips look, the mean over frames."""
        ...

    def features(self, clip: Clip) -> Float[np.ndarray, "t d"]:
        """A vector for each frame, for distances between sets of pictures."""
        ...


Scorer: TypeAlias = Callable[[Case, Clip, Eye | None], States]
"""States of one case's scores, the same kinds for every case of a protocol."""


def score_depth(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Depth after alignment; pixels that were painted as having none count as they were read."""
    del eye
    predicted, truth = _read(case, picture), _truth(case)
    depth = depth_lstsq(predicted.metres, truth.metres, truth.valid, curve=_curve(case))
    return depth, _painted(case, picture)


def score_video_depth(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """The same with one alignment for the clip, and its flicker."""
    return *score_depth(case, picture, eye), flicker(picture, case.episode.query.target)


def score_normals(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Angles; a pixel that was painted as having no surface counts as 90 degrees."""
    del eye
    predicted, truth = _read(case, picture), _truth(case)
    vectors = np.where(predicted.valid[..., None], predicted.vectors, np.float32(0))
    return normal_angles(vectors, truth.vectors, truth.valid), _painted(case, picture)


def score_video_normals(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """The same, and flicker."""
    return *score_normals(case, picture, eye), flicker(picture, case.episode.query.target)


def score_flow(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """End-point error after fitting one scale to the clip; what was not painted stands still."""
    del eye
    predicted, truth = _read(case, picture), _truth(case)
    pixels = np.where(predicted.valid[..., None], predicted.pixels, np.float32(0))
    return flow_errors(pixels, truth.pixels, truth.valid), _painted(case, picture)


def score_nyuv2_depth(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Depth at the size and in the part of the picture on which papers evaluate.

    Measured depth of up to 10 m counts, inside Eigen's crop of the full picture.
    """
    del eye
    truth = case.whole_sample()[Depth]
    read = _read(case, picture)
    everywhere = replace(read, valid=np.ones_like(read.valid))
    full = resize_along_curve(everywhere, truth.shape.size, _curve(case))
    predicted = full.crop(EIGEN_CROP)
    truth = truth.crop(EIGEN_CROP)
    near = truth.valid & (truth.metres <= _NYUV2_RANGE_M[1])
    depth = depth_lstsq(
        predicted.metres, truth.metres, near, curve=_curve(case), range_m=_NYUV2_RANGE_M
    )
    return depth, _painted(case, picture)


def score_nyuv2_normals(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Angles at the full size, wherever the truth is known."""
    del eye
    truth = case.whole_sample()[Normals]
    predicted = _read(case, picture).resize(truth.shape.size)
    vectors = np.where(predicted.valid[..., None], predicted.vectors, np.float32(0))
    return normal_angles(vectors, truth.vectors, truth.valid), _painted(case, picture)


def score_mask(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Intersection over union of the mask."""
    del eye
    predicted, truth = _read(case, picture), _truth(case)
    return (
        mask_iou(predicted.foreground, truth.foreground, group=case.group),
        _painted(case, picture),
    )


def score_instances(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Instances after matching."""
    del eye
    return instance_iou(_read(case, picture).ids, _truth(case).ids), _painted(case, picture)


def score_panoptic(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Panoptic quality, segments after matching, and classes pixel by pixel."""
    del eye
    predicted, truth = _read(case, picture), _truth(case)
    quality = panoptic_quality(
        predicted.ids,
        truth.ids,
        predicted_classes=predicted.classes.tolist(),
        true_classes=truth.classes.tolist(),
    )
    return (
        quality,
        instance_iou(predicted.ids, truth.ids),
        class_miou(_class_map(predicted), _class_map(truth)),
        _painted(case, picture),
    )


def score_boxes(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Boxes after matching, and average precision; of one class where colours name classes."""
    del eye
    named = getattr(case.episode.rule, "classes", None) is not None
    predicted, truth = (_first_frame(boxes) for boxes in (_read(case, picture), _truth(case)))
    classes = [
        boxes.classes if named else np.zeros_like(boxes.classes) for boxes in (predicted, truth)
    ]
    settings: dict[str, Any] = {"predicted_classes": classes[0], "true_classes": classes[1]}
    corners = predicted.corners_px[0], truth.corners_px[0]
    return (
        matched_boxes(*corners, **settings),
        box_precision(*corners, **settings),
        _painted(case, picture),
    )


def score_single_box(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """The one box."""
    del eye
    predicted, truth = (_first_frame(boxes) for boxes in (_read(case, picture), _truth(case)))
    return (
        single_box_iou(predicted.corners_px[0], truth.corners_px[0], group=case.group),
        _painted(case, picture),
    )


def score_pose(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Joints near enough, and average precision of poses."""
    del eye
    predicted, truth = _read(case, picture), _truth(case)
    parts = (*_people(predicted), *_people(truth))
    return joints(*parts), pose_precision(*parts), _painted(case, picture)


def score_edges(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Edges, a pixel of tolerance."""
    del eye
    return (
        edge_f1(_strong(_read(case, picture)), _strong(_truth(case))),
        _painted(case, picture),
    )


def score_picture(case: Case, picture: Clip, eye: Eye | None = None) -> States:
    """Likeness of a photo or clip; how alike it looks where a network is there to say."""
    predicted, truth = _read(case, picture).pixels, _truth(case).pixels
    likeness = picture_likeness(predicted, truth)
    if eye is None:
        return (likeness,)
    return (
        likeness,
        sample_means(**{eye.distance_name: eye.distance(predicted, truth)}),
        FeatureSets(
            name=eye.set_distance_name,
            predicted=tuple(eye.features(predicted)),
            truth=tuple(eye.features(truth)),
        ),
    )


def _read(case: Case, picture: Clip) -> Any:  # noqa: ANN401 - every task reads its own kind
    """What a prediction means: the rule is known, its own key is not."""
    return case.task.read(picture, rule=case.episode.rule, key=None).annotation


def _curve(case: Case) -> DepthCurve:
    """The quantity that a depth task paints."""
    task: Any = case.task
    codec: DepthCodec = task.codec
    return codec.curve


def _truth(case: Case) -> Any:  # noqa: ANN401
    """The truth, of the kind that the task reads."""
    return case.truth


def _painted(case: Case, picture: Clip) -> State:
    """How like the true painting a painting is, whatever it means."""
    target = case.episode.query.target.astype(np.float64)
    mse = float(np.mean(((picture - target) / 255) ** 2))
    return sample_means(painted_psnr_db=psnr_db(mse))


def _class_map(panoptic: Panoptic) -> np.ndarray:
    """Class of each pixel; -1 for none."""
    return np.concatenate([[-1], panoptic.classes]).astype(np.int32)[panoptic.ids]


def _first_frame(boxes: Boxes) -> Boxes:
    """The boxes that are present in the only frame."""
    kept = boxes.present[0]
    return Boxes(
        corners_px=boxes.corners_px[:1, kept],
        present=boxes.present[:1, kept],
        classes=boxes.classes[kept],
        size=boxes.size,
    )


def _people(people: Keypoints) -> tuple[Float[np.ndarray, "n 17 2"], UInt8[np.ndarray, "n 17"]]:
    """Positions and visibility in the only frame, of people with a joint."""
    seen = people.visibility[0].any(axis=-1)
    return people.positions_px[0, seen], people.visibility[0, seen]


def _strong(edges: Any) -> Bool[np.ndarray, "t h w"]:  # noqa: ANN401
    """Where an edge is."""
    return edges.strength > 0.5
