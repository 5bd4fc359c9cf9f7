"""Joints of people: share of joints in the right place, and COCO's similarity of poses."""

import numpy as np
from jaxtyping import Float, Float64, UInt8

from lavin_dit.evaluation.metrics.boxes import AveragePrecision, Found
from lavin_dit.evaluation.metrics.masks import best_matches
from lavin_dit.evaluation.metrics.state import Quotients, merge_all, quotient

# COCO's spread of human labels for each joint, as a share of a person's size.
_SIGMAS = np.array(
    [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89], dtype=np.float64
) / 1000.0  # fmt: skip
_NEAR_SHARE = 0.1


def person_boxes(
    positions_px: Float[np.ndarray, "n 17 2"], visibility: UInt8[np.ndarray, "n 17"]
) -> Float64[np.ndarray, "n 4"]:
    """The smallest boxes around each person's labelled joints.

    Args:
        positions_px: (x, y) of each joint.
        visibility: 0 where a joint is not labelled.

    Returns:
        Left, top, right and bottom; zeros for a person without a labelled joint.
    """
    seen = (visibility > 0)[..., None]
    low = np.where(seen, positions_px, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen, positions_px, -np.inf).max(axis=1, initial=-np.inf)
    boxes = np.concatenate([low, high], axis=1).astype(np.float64)
    return np.where(np.isfinite(boxes), boxes, 0.0)


def pck(
    predicted_px: Float[np.ndarray, "n 17 2"],
    predicted_visibility: UInt8[np.ndarray, "n 17"],
    truth_px: Float[np.ndarray, "m 17 2"],
    true_visibility: UInt8[np.ndarray, "m 17"],
) -> Quotients:
    """Share of labelled joints that were found near enough, after matching people one to one.

    Args:
        predicted_px: (x, y) of each joint of each person found.
        predicted_visibility: 0 where a joint was not found.
        truth_px: The same of the people who are there.
        true_visibility: 0 where a joint is not labelled; hidden ones count.

    Returns:
        ``pck_0.1``: near enough is a tenth of the longer side of the box around the true person's
        labelled joints; of all samples' joints together.

    Source:
        Yang and Ramanan (2013); matching by the number of joints that are near enough is ours.
    """
    boxes = person_boxes(truth_px, true_visibility)
    limit = _NEAR_SHARE * (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0.0)
    away = predicted_px.astype(np.float64)[:, None] - truth_px.astype(np.float64)[None]
    both = (predicted_visibility > 0)[:, None] & (true_visibility > 0)[None]
    near = both & (np.linalg.norm(away, axis=-1) <= limit[None, :, None])
    hits = near.sum(axis=-1).astype(np.float64)
    rows, columns = best_matches(hits)
    labelled = float(np.count_nonzero(true_visibility > 0))
    return quotient(f"pck_{_NEAR_SHARE:g}", float(hits[rows, columns].sum()), labelled)


def oks(
    predicted_px: Float[np.ndarray, "n 17 2"],
    truth_px: Float[np.ndarray, "m 17 2"],
    true_visibility: UInt8[np.ndarray, "m 17"],
) -> Float64[np.ndarray, "n m"]:
    """COCO's object keypoint similarity of each person found with each who is there.

    Args:
        predicted_px: (x, y) of each joint.
        truth_px: The same.
        true_visibility: 0 where a joint is not labelled.

    Returns:
        0 to 1; a person's area is that of the box around the labelled joints.
    """
    boxes = person_boxes(truth_px, true_visibility)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    away = predicted_px.astype(np.float64)[:, None] - truth_px.astype(np.float64)[None]
    squares = np.sum(away**2, axis=-1)
    spread = 2 * (2 * _SIGMAS) ** 2 * (areas[:, None] + np.spacing(1))
    labelled = true_visibility > 0
    likeness = np.where(labelled[None], np.exp(-squares / spread[None]), 0.0).sum(axis=-1)
    count = labelled.sum(axis=-1)[None]
    return np.divide(likeness, count, out=np.zeros(likeness.shape), where=count > 0)


def pose_precision(
    predicted_px: Float[np.ndarray, "n 17 2"],
    predicted_visibility: UInt8[np.ndarray, "n 17"],
    truth_px: Float[np.ndarray, "m 17 2"],
    true_visibility: UInt8[np.ndarray, "m 17"],
) -> AveragePrecision:
    """What average precision over similarities of poses needs of one picture.

    Args:
        predicted_px: As in ``pck``.
        predicted_visibility: As in ``pck``.
        truth_px: As in ``pck``.
        true_visibility: As in ``pck``.

    Returns:
        State of ``oks_ap`` and ``oks_ap_50``; areas are those of boxes around joints, since a
        painted pose has no outline.
    """
    boxes = person_boxes(truth_px, true_visibility)
    return AveragePrecision(
        kind="keypoints",
        pictures=(
            Found(
                predicted=_as_coco(predicted_px, predicted_visibility),
                truth=_as_coco(truth_px, true_visibility),
                areas_px=tuple((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).tolist()),
            ),
        ),
    )


def _as_coco(
    positions_px: Float[np.ndarray, "n 17 2"], visibility: UInt8[np.ndarray, "n 17"]
) -> tuple[tuple[float, ...], ...]:
    """x, y and visibility of each joint in a row; zeros where it is not labelled."""
    known = np.where((visibility > 0)[..., None], positions_px, 0.0)
    rows = np.concatenate([known, visibility[..., None]], axis=-1).astype(np.float64)
    return tuple(map(tuple, rows.reshape(len(rows), 3 * len(_SIGMAS)).tolist()))


def joints(
    predicted_px: Float[np.ndarray, "n 17 2"],
    predicted_visibility: UInt8[np.ndarray, "n 17"],
    truth_px: Float[np.ndarray, "m 17 2"],
    true_visibility: UInt8[np.ndarray, "m 17"],
) -> Quotients:
    """Share of joints near enough, and of people found.

    Args:
        predicted_px: As in ``pck``.
        predicted_visibility: As in ``pck``.
        truth_px: As in ``pck``.
        true_visibility: As in ``pck``.

    Returns:
        ``pck_0.1``, and ``people_found``: people found over people who are there, which is above
        1 where more were found.
    """
    return merge_all(
        [
            pck(predicted_px, predicted_visibility, truth_px, true_visibility),
            quotient("people_found", float(len(predicted_px)), float(len(truth_px))),
        ]
    )
