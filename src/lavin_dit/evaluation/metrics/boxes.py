"""Boxes: intersection over union, matching, and average precision."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Int

from lavin_dit.evaluation.metrics.masks import best_matches
from lavin_dit.evaluation.metrics.state import Quotients, quotient, sample_means
from lavin_dit.extras import how_to_install

Kind: TypeAlias = Literal["bbox", "keypoints"]
"""What COCO's evaluation compares."""

_RANK = 1e-6


def pairwise_box_iou(
    predicted: Float[np.ndarray, "n 4"], truth: Float[np.ndarray, "m 4"]
) -> Float64[np.ndarray, "n m"]:
    """Intersection over union of every box with every other.

    Args:
        predicted: Left, top, right and bottom, in continuous pixels.
        truth: The same.

    Returns:
        One row per predicted box; 0 for boxes without area.
    """
    one, other = predicted.astype(np.float64)[:, None], truth.astype(np.float64)[None]
    low = np.maximum(one[..., :2], other[..., :2])
    high = np.minimum(one[..., 2:], other[..., 2:])
    both = np.maximum(high - low, 0).prod(axis=-1)
    areas = [np.maximum(box[..., 2:] - box[..., :2], 0).prod(axis=-1) for box in (one, other)]
    union = areas[0] + areas[1] - both
    return np.divide(both, union, out=np.zeros(both.shape), where=union > 0)


def single_box_iou(
    predicted: Float[np.ndarray, "n 4"], truth: Float[np.ndarray, "1 4"], *, group: str = ""
) -> Quotients:
    """Intersection over union of the one box of a picture.

    Args:
        predicted: One box or none.
        truth: The box.
        group: Class of the sample.

    Returns:
        ``box_miou``: mean over samples, 0 where no box was found; ``box_miou_classes``: mean over
        classes of their means.

    Source:
        Paper, section B.2, after Bar et al. (2022).
    """
    iou = float(pairwise_box_iou(predicted, truth).max(initial=0.0))
    return sample_means(box_miou=iou).merge(quotient("box_miou_classes", iou, 1.0, group=group))


def matched_boxes(
    predicted: Float[np.ndarray, "n 4"],
    truth: Float[np.ndarray, "m 4"],
    *,
    predicted_classes: Int[np.ndarray, " n"],
    true_classes: Int[np.ndarray, " m"],
) -> Quotients:
    """Intersection over union after the best one-to-one matching of boxes of one class.

    Args:
        predicted: Left, top, right and bottom of each box.
        truth: The same.
        predicted_classes: Class of each predicted box; the same for all where classes don't count.
        true_classes: Class of each true box.

    Returns:
        ``box_miou_matched``: mean over the true boxes of all samples, 0 for those not found.
    """
    same = predicted_classes[:, None] == true_classes[None]
    quality = pairwise_box_iou(predicted, truth) * same
    rows, columns = best_matches(quality)
    return quotient("box_miou_matched", float(quality[rows, columns].sum()), float(len(truth)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The boxes, or people, of one class in one picture; plain numbers, as COCO writes them.

    Attributes:
        predicted: ``bbox`` or ``keypoints`` of each prediction.
        truth: The same of what is there.
        areas_px: Area of each true one.
    """

    predicted: tuple[tuple[float, ...], ...]
    truth: tuple[tuple[float, ...], ...]
    areas_px: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePrecision:
    """COCO's average precision, pooled over pictures and classes.

    A reading of a picture has no confidence, so all predictions have the same, and are ranked as
    they come: a prediction among many wrong ones counts for less than COCO's ranking would give.

    Attributes:
        kind: What is detected.
        pictures: What was found in each picture, class by class.
    """

    kind: Kind
    pictures: tuple[Found, ...]

    def merge(self, other: "AveragePrecision") -> "AveragePrecision":
        """The pictures of both, one after the other."""
        if other.kind != self.kind:
            raise ValueError(f"precision of {self.kind} and of {other.kind} cannot be merged")
        return AveragePrecision(kind=self.kind, pictures=self.pictures + other.pictures)

    def scores(self) -> Mapping[str, float]:
        """``box_ap`` or ``oks_ap``: the mean over thresholds of 0.50 to 0.95; and that at 0.50.

        Both are NaN where there is nothing to be found, such as people without a labelled joint.
        """
        prefix = "box" if self.kind == "bbox" else "oks"
        names = (f"{prefix}_ap", f"{prefix}_ap_50")
        if not any(found.truth for found in self.pictures):
            return dict.fromkeys(names, math.nan)
        stats = _coco_stats(self.kind, self.pictures)
        values = (stats["AP_all"], stats["AP_50"])
        # COCO's evaluation says -1 where nothing counts.
        return {
            name: math.nan if value < 0 else value
            for name, value in zip(names, values, strict=True)
        }


def box_precision(
    predicted: Float[np.ndarray, "n 4"],
    truth: Float[np.ndarray, "m 4"],
    *,
    predicted_classes: Int[np.ndarray, " n"],
    true_classes: Int[np.ndarray, " m"],
) -> AveragePrecision:
    """What average precision needs of one picture.

    Args:
        predicted: As in ``matched_boxes``.
        truth: As in ``matched_boxes``.
        predicted_classes: As in ``matched_boxes``.
        true_classes: As in ``matched_boxes``.

    Returns:
        State of ``box_ap`` and ``box_ap_50``.
    """
    pictures: list[Found] = []
    for number in np.union1d(predicted_classes, true_classes).tolist():
        known = truth[true_classes == number]
        pictures.append(
            Found(
                predicted=_as_coco(predicted[predicted_classes == number]),
                truth=_as_coco(known),
                areas_px=tuple((known[:, 2:] - known[:, :2]).prod(axis=1).tolist()),
            )
        )
    return AveragePrecision(kind="bbox", pictures=tuple(pictures))


def _as_coco(corners: Float[np.ndarray, "n 4"]) -> tuple[tuple[float, ...], ...]:
    """Left, top, width and height."""
    extent = corners[:, 2:] - corners[:, :2]
    return tuple(map(tuple, np.concatenate([corners[:, :2], extent], axis=1).tolist()))


def _coco_stats(kind: Kind, pictures: Sequence[Found]) -> Mapping[str, float]:
    """COCO's evaluation; every picture and class is an image of its own."""
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as error:
        raise ImportError(
            f"average precision needs faster-coco-eval: {how_to_install('eval')}"
        ) from error
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, start=1):
        for shape, area in zip(picture.truth, picture.areas_px, strict=True):
            entry = {"id": len(truth) + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
            truth.append(entry | {"area": area} | _shape(kind, shape))
        for shape in picture.predicted:
            # Ties would be ranked by the library's sorting; so each is a little below the last.
            entry = {"image_id": number, "category_id": 1, "score": 1.0 - _RANK * len(found)}
            found.append(entry | _shape(kind, shape))
    images = [{"id": number} for number in range(1, len(pictures) + 1)]
    known = COCO({"images": images, "categories": [{"id": 1, "name": "all"}], "annotations": truth})
    if not found:
        return {"AP_all": 0.0, "AP_50": 0.0}
    evaluation = COCOeval_faster(
        known,
        known.loadRes(found),
        iouType=kind,
        print_function=_silent,
    )
    evaluation.run()
    stats: Mapping[str, float] = {
        name: float(value) for name, value in evaluation.stats_as_dict.items()
    }
    return stats


def _shape(kind: Kind, numbers: tuple[float, ...]) -> dict[str, Any]:
    """A box or joints as COCO writes them."""
    if kind == "bbox":
        return {"bbox": list(numbers)}
    xs, ys, seen = numbers[0::3], numbers[1::3], numbers[2::3]
    labelled = [(x, y) for x, y, v in zip(xs, ys, seen, strict=True) if v > 0] or [(0.0, 0.0)]
    left, top = (min(values) for values in zip(*labelled, strict=True))
    right, bottom = (max(values) for values in zip(*labelled, strict=True))
    return {
        "keypoints": list(numbers),
        "num_keypoints": sum(v > 0 for v in seen),
        "bbox": [left, top, right - left, bottom - top],
    }


def _silent(*_: object) -> None:
    """COCO's tables are not printed."""
