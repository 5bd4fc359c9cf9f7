"""Masks and segments: intersection over union, matching, panoptic quality."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int, Int32

from lavin_dit.evaluation.metrics.state import Quotients, merge_all, quotient, sample_means

_MATCHED_IOU = 0.5


def mask_iou(
    predicted: Bool[np.ndarray, "t h w"], truth: Bool[np.ndarray, "t h w"], *, group: str = ""
) -> Quotients:
    """Intersection over union of a mask.

    Args:
        predicted: True inside.
        truth: True inside.
        group: Class of the sample; ``miou`` is the mean over classes.

    Returns:
        ``iou``: mean over samples, as in the visual-prompting protocol; 1 where both are empty.
        ``miou``: mean over classes of all their intersections over all their unions, as few-shot
        papers count.

    Source:
        Paper, section B.2, after Bar et al. (2022).
    """
    both = float(np.count_nonzero(predicted & truth))
    either = float(np.count_nonzero(predicted | truth))
    return sample_means(iou=both / either if either else 1.0).merge(
        quotient("miou", both, either, group=group)
    )


def pairwise_iou(
    predicted: Int[np.ndarray, "t h w"], truth: Int[np.ndarray, "t h w"]
) -> Float64[np.ndarray, "n m"]:
    """Intersection over union of every predicted segment with every true one.

    Args:
        predicted: 0 for none, 1 to n.
        truth: 0 for none, 1 to m.

    Returns:
        One row per predicted number up to the largest, one column per true one; 0 for numbers
        that do not occur.
    """
    num_predicted, num_true = int(predicted.max(initial=0)), int(truth.max(initial=0))
    both = np.zeros((num_predicted + 1, num_true + 1), dtype=np.int64)
    np.add.at(both, (predicted.ravel(), truth.ravel()), 1)
    own, others = both.sum(axis=1)[1:, None], both.sum(axis=0)[None, 1:]
    inside = both[1:, 1:]
    union = own + others - inside
    return np.divide(inside, union, out=np.zeros(inside.shape), where=union > 0)


def best_matches(
    quality: Float64[np.ndarray, "n m"],
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """One-to-one matches whose total quality is the greatest; those of no quality are left out.

    Args:
        quality: Of each row with each column, at least 0.

    Returns:
        Matched rows and columns.
    """
    from scipy.optimize import linear_sum_assignment  # of the extra "eval"; overlap needs none

    rows, columns = linear_sum_assignment(quality, maximize=True)
    matched = quality[rows, columns] > 0
    return rows[matched], columns[matched]


def instance_iou(predicted: Int[np.ndarray, "t h w"], truth: Int[np.ndarray, "t h w"]) -> Quotients:
    """Intersection over union of instances after the best one-to-one matching.

    Args:
        predicted: 0 for none, otherwise the number of the instance; numbers mean nothing else.
        truth: The same.

    Returns:
        ``miou_matched``: mean over the true instances of all samples of the IoU with their match; 0
        for those without one. ``precision_50`` and ``recall_50``: shares of predicted and of true
        instances that have an IoU above one half with one of the others.
    """
    ids, true_ids = _dense(predicted), _dense(truth)
    quality = pairwise_iou(ids, true_ids)
    rows, columns = best_matches(quality)
    ious = quality[rows, columns]
    # Unique, as instances don't overlap; the best total may do without one of them.
    found = float(np.count_nonzero(quality > _MATCHED_IOU))
    return merge_all(
        [
            quotient("miou_matched", float(ious.sum()), float(quality.shape[1])),
            quotient("precision_50", found, float(quality.shape[0])),
            quotient("recall_50", found, float(quality.shape[1])),
        ]
    )


def panoptic_quality(
    predicted: Int32[np.ndarray, "t h w"],
    truth: Int32[np.ndarray, "t h w"],
    *,
    predicted_classes: Sequence[int],
    true_classes: Sequence[int],
) -> Quotients:
    """Panoptic quality: segments of one class match where their IoU exceeds one half.

    What is labelled 0 is background, which is asked for as well: a segment predicted there is
    wrong. (COCO leaves it out, since there it means that nobody has labelled it.)

    Args:
        predicted: 0 for none, otherwise the number of the segment.
        truth: The same.
        predicted_classes: Class of predicted segment 1, 2 and so on.
        true_classes: Class of true segment 1, 2 and so on.

    Returns:
        ``pq`` and ``rq`` (share of segments matched, as F1), the mean over the classes that occur,
        and ``sq`` (mean IoU of matched segments), the mean over those of which a segment was
        matched. (COCO's tools count a class without a match as 0 in ``sq`` too.)

    Raises:
        ValueError: If a segment has no class.

    Source:
        Kirillov et al. (2019).
    """
    if predicted.max(initial=0) > len(predicted_classes) or truth.max(initial=0) > len(
        true_classes
    ):
        raise ValueError(
            f"segments up to {predicted.max()} and {truth.max()} need as many classes, got "
            f"{len(predicted_classes)} and {len(true_classes)}"
        )
    quality = pairwise_iou(predicted, truth)
    counted = _segments(predicted, predicted_classes), _segments(truth, true_classes)
    matched: dict[int, list[float]] = {}
    for row, column in zip(*np.nonzero(quality > _MATCHED_IOU), strict=True):
        if predicted_classes[row] == true_classes[column]:
            matched.setdefault(predicted_classes[row], []).append(float(quality[row, column]))
    states: list[Quotients] = []
    for number in sorted(counted[0].keys() | counted[1].keys()):
        ious = matched.get(number, [])
        segments = (counted[0].get(number, 0) + counted[1].get(number, 0)) / 2
        states += [
            quotient("pq", math.fsum(ious), segments, group=str(number)),
            quotient("sq", math.fsum(ious), float(len(ious)), group=str(number)),
            quotient("rq", float(len(ious)), segments, group=str(number)),
        ]
    return merge_all(states) if states else Quotients()


def class_miou(
    predicted: Int32[np.ndarray, "t h w"],
    truth: Int32[np.ndarray, "t h w"],
) -> Quotients:
    """Mean IoU over classes, of all pixels of all samples together.

    Args:
        predicted: Class of each pixel; -1 for none.
        truth: The same; pixels without a class count against a class predicted there.

    Returns:
        ``miou``.
    """
    states: list[Quotients] = []
    for number in np.union1d(predicted, truth).tolist():
        if number >= 0:
            one, other = predicted == number, truth == number
            both, either = np.count_nonzero(one & other), np.count_nonzero(one | other)
            states.append(quotient("miou", float(both), float(either), group=str(number)))
    return merge_all(states) if states else Quotients()


def _dense(ids: Int[np.ndarray, "t h w"]) -> Int[np.ndarray, "t h w"]:
    """Instances numbered from 1 without gaps; 0 stays."""
    names = np.unique(ids[ids > 0])
    return np.where(ids > 0, np.searchsorted(names, ids) + 1, 0)


def _segments(ids: Int32[np.ndarray, "t h w"], classes: Sequence[int]) -> Mapping[int, int]:
    """Number of segments of each class that occur."""
    counts: dict[int, int] = {}
    for number in np.unique(ids[ids > 0]).tolist():
        counts[classes[number - 1]] = counts.get(classes[number - 1], 0) + 1
    return counts
