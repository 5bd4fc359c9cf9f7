"""Metrics of segments, boxes, people and sets against slow oracles."""

import itertools
import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

from lavin_dit.evaluation.metrics.boxes import (
    AveragePrecision,
    box_precision,
    matched_boxes,
    pairwise_box_iou,
    single_box_iou,
)
from lavin_dit.evaluation.metrics.features import FeatureSets, frechet_distance, moments
from lavin_dit.evaluation.metrics.keypoints import joints, oks, pck, pose_precision
from lavin_dit.evaluation.metrics.masks import (
    class_miou,
    instance_iou,
    mask_iou,
    pairwise_iou,
    panoptic_quality,
)
from lavin_dit.evaluation.metrics.state import merge_all, quotient, sample_means

RNG = np.random.default_rng(5)


def labels(count):
    """Blocks of labels, so that segments overlap in part."""
    return np.repeat(np.repeat(RNG.integers(0, count + 1, (1, 4, 5)), 3, axis=1), 2, axis=2).astype(
        np.int32
    )


@pytest.fixture(autouse=True)
def _same_numbers_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(5).bit_generator.state


def iou(one, other):
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 0.0


def test_pairwise_iou_against_masks():
    predicted, truth = labels(4), labels(3)
    expected = [
        [iou(predicted == a, truth == b) for b in range(1, truth.max() + 1)]
        for a in range(1, predicted.max() + 1)
    ]
    np.testing.assert_allclose(pairwise_iou(predicted, truth), expected)


def test_instances_against_all_matchings():
    for _ in range(5):
        predicted, truth = labels(3), labels(4)
        names, true_names = (np.unique(x[x > 0]) for x in (predicted, truth))
        quality = np.array([[iou(predicted == a, truth == b) for b in true_names] for a in names])
        padded = np.zeros((4, 4))
        padded[: quality.shape[0], : quality.shape[1]] = quality
        best = max(
            sum(padded[row, column] for row, column in enumerate(order))
            for order in itertools.permutations(range(4))
        )
        scores = instance_iou(10 * predicted, 7 * truth).scores()  # numbers are names
        assert scores["miou_matched"] == pytest.approx(best / len(true_names))


def test_an_instance_is_found_though_the_best_total_matches_it_otherwise():
    truth, predicted = np.zeros((2, 1, 1, 119), dtype=np.int32)
    truth[..., :100], truth[..., 100:] = 1, 2
    predicted[..., 40:], predicted[..., :40] = 1, 2
    scores = instance_iou(predicted, truth).scores()
    assert (scores["precision_50"], scores["recall_50"]) == (0.5, 0.5)
    assert scores["miou_matched"] == pytest.approx((0.4 + 19 / 79) / 2)


def test_instances_when_one_side_is_empty():
    some, none = labels(3), np.zeros((1, 12, 10), np.int32)
    assert instance_iou(none, some).scores()["miou_matched"] == 0
    assert math.isnan(instance_iou(none, some).scores()["precision_50"])
    assert math.isnan(instance_iou(some, none).scores()["miou_matched"])
    assert instance_iou(some, some).scores() == {
        "miou_matched": 1, "precision_50": 1, "recall_50": 1,
    }  # fmt: skip


def test_panoptic_quality_against_its_definition():
    states, tallies = [], {}
    for _ in range(6):
        truth = labels(5)
        predicted = np.where(RNG.random(truth.shape) < 0.25, 0, truth).astype(np.int32)
        predicted[:, :3] = labels(5)[:, :3]
        classes, own_classes = RNG.integers(0, 2, (2, 5)).tolist()
        states.append(
            panoptic_quality(predicted, truth, predicted_classes=own_classes, true_classes=classes)
        )
        segments = [(n, own_classes[n - 1]) for n in range(1, 6) if (predicted == n).any()]
        true_segments = [(n, classes[n - 1]) for n in range(1, 6) if (truth == n).any()]
        for number in (0, 1):
            ious = [
                iou(predicted == a, truth == b)
                for (a, ca), (b, cb) in itertools.product(segments, true_segments)
                if ca == cb == number
            ]
            hits = [value for value in ious if value > 0.5]
            total = sum(c == number for _, c in segments) + sum(
                c == number for _, c in true_segments
            )
            tally = tallies.setdefault(number, [0.0, 0, 0])
            tally[0] += sum(hits)
            tally[1] += len(hits)
            tally[2] += total
    scores = merge_all(states).scores()
    assert scores["pq"] == pytest.approx(np.mean([2 * t[0] / t[2] for t in tallies.values()]))
    assert scores["sq"] == pytest.approx(np.mean([t[0] / t[1] for t in tallies.values() if t[1]]))
    assert scores["rq"] == pytest.approx(np.mean([2 * t[1] / t[2] for t in tallies.values()]))
    with pytest.raises(ValueError, match="need as many classes"):
        panoptic_quality(truth, truth, predicted_classes=[1], true_classes=[1])
    empty = np.zeros_like(truth)
    assert panoptic_quality(empty, empty, predicted_classes=[], true_classes=[]).scores() == {}


def test_masks_by_sample_and_by_class():
    masks = [(RNG.random((1, 6, 7)) < 0.5, RNG.random((1, 6, 7)) < 0.4) for _ in range(4)]
    groups = ["cat", "dog", "cat", "cat"]
    state = merge_all([mask_iou(*pair, group=g) for pair, g in zip(masks, groups, strict=True)])
    ious = [iou(*pair) for pair in masks]
    assert state.scores()["iou"] == pytest.approx(np.mean(ious))
    cats = [pair for pair, group in zip(masks, groups, strict=True) if group == "cat"]
    both = sum(np.count_nonzero(a & b) for a, b in cats)
    either = sum(np.count_nonzero(a | b) for a, b in cats)
    assert state.scores()["miou"] == pytest.approx((both / either + ious[1]) / 2)
    none = np.zeros((1, 2, 2), bool)
    assert mask_iou(none, none).scores()["iou"] == 1
    assert math.isnan(mask_iou(none, none).scores()["miou"])


def test_classes_pixel_by_pixel():
    predicted, truth = (labels(2) - 1 for _ in range(2))
    expected = [iou(predicted == n, truth == n) for n in (0, 1)]
    assert class_miou(predicted, truth).scores()["miou"] == pytest.approx(np.mean(expected))


def boxes(count):
    corners = RNG.uniform(0, 30, (count, 2))
    return np.concatenate([corners, corners + RNG.uniform(5, 30, (count, 2))], axis=1).astype(
        np.float32
    )


def box_iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0) * max(height, 0)
    area = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return both / (sum(area) - both)


def test_boxes_against_a_loop():
    one, other = boxes(4), boxes(5)
    expected = [[box_iou(a, b) for b in other.tolist()] for a in one.tolist()]
    np.testing.assert_allclose(pairwise_box_iou(one, other), expected, rtol=1e-6)
    assert single_box_iou(one[:1], other[:1]).scores()["box_miou"] == pytest.approx(expected[0][0])
    assert single_box_iou(one[:0], other[:1]).scores()["box_miou"] == 0


def test_boxes_match_within_their_class_alone():
    one = boxes(1)
    same, other = np.array([3], np.int32), np.array([4], np.int32)
    for classes, expected in ((same, 1), (other, 0)):
        settings = {"predicted_classes": classes, "true_classes": same}
        assert matched_boxes(one, one, **settings).scores()["box_miou_matched"] == expected
        assert box_precision(one, one, **settings).scores()["box_ap"] == pytest.approx(expected)


def average_precision(images, threshold):
    """COCO's, for predictions of equal confidence: greedy matching, 101 recalls."""
    hits, total = [], 0
    for predicted, truth in images:
        free = list(range(len(truth)))
        total += len(truth)
        for box in predicted.tolist():
            best = max(free, key=lambda k: box_iou(box, truth[k].tolist()), default=None)
            found = best is not None and box_iou(box, truth[best].tolist()) >= threshold
            hits.append(found)
            if found:
                free.remove(best)
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = right / total
    places = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return np.mean([precision[p] if p < len(precision) else 0 for p in places])


def test_average_precision_against_a_greedy_matching():
    images, states = [], []
    for count in (3, 1, 2, 4):
        truth = boxes(count)
        shaken = truth + RNG.normal(0, 2, truth.shape).astype(np.float32)
        shaken[:, 2:] = np.maximum(shaken[:, 2:], shaken[:, :2] + 1)
        predicted = np.concatenate([shaken, boxes(1)])
        images.append((predicted, truth))
        one, other = (np.zeros(len(x), np.int32) for x in (predicted, truth))
        states.append(box_precision(predicted, truth, predicted_classes=one, true_classes=other))
    scores = merge_all(states).scores()
    thresholds = np.linspace(0.5, 0.95, 10)
    expected = [average_precision(images, threshold) for threshold in thresholds]
    assert scores["box_ap_50"] == pytest.approx(expected[0], abs=1e-6)
    assert scores["box_ap"] == pytest.approx(np.mean(expected), abs=1e-6)


def test_average_precision_without_truth_or_without_predictions():
    none, one = boxes(0), boxes(1)
    numbers = {0: np.zeros(0, np.int32), 1: np.zeros(1, np.int32)}
    missed = box_precision(none, one, predicted_classes=numbers[0], true_classes=numbers[1])
    assert missed.scores() == {"box_ap": 0, "box_ap_50": 0}
    nothing = box_precision(none, none, predicted_classes=numbers[0], true_classes=numbers[0])
    assert math.isnan(nothing.scores()["box_ap"])
    with pytest.raises(ValueError, match="cannot be merged"):
        missed.merge(AveragePrecision(kind="keypoints", pictures=()))


def people(count):
    positions = RNG.uniform(0, 60, (count, 17, 2)).astype(np.float32)
    return positions, RNG.integers(0, 3, (count, 17)).astype(np.uint8)


def test_joints_against_a_loop_over_matchings():
    truth, seen = people(3)
    predicted = truth[[2, 0]] + RNG.normal(0, 4, (2, 17, 2)).astype(np.float32)
    found = RNG.integers(0, 2, (2, 17)).astype(np.uint8)
    hits = np.zeros((2, 3))
    for row, column in np.ndindex(2, 3):
        labelled = seen[column] > 0
        extent = np.ptp(truth[column][labelled], axis=0).max()
        away = [
            math.dist(a, b)
            for a, b in zip(predicted[row].tolist(), truth[column].tolist(), strict=True)
        ]
        hits[row, column] = sum(
            d <= 0.1 * extent and v and f
            for d, v, f in zip(away, labelled, found[row], strict=True)
        )
    best = max(hits[0, a] + hits[1, b] for a, b in itertools.permutations(range(3), 2))
    scores = joints(predicted, found, truth, seen).scores()
    assert scores["pck_0.1"] == pytest.approx(best / np.count_nonzero(seen))
    assert scores["people_found"] == pytest.approx(2 / 3)


def test_poses_when_nobody_is_found():
    truth, seen = people(2)
    nobody = np.zeros((0, 17, 2), np.float32), np.zeros((0, 17), np.uint8)
    assert pck(*nobody, truth, seen).scores()["pck_0.1"] == 0
    assert pose_precision(*nobody, truth, seen).scores()["oks_ap"] == 0
    assert math.isnan(pose_precision(*nobody, *nobody).scores()["oks_ap"])
    assert math.isnan(pose_precision(truth, seen, truth, 0 * seen).scores()["oks_ap"])


def test_precision_of_poses_follows_their_similarity():
    truth, seen = people(3)
    seen = np.maximum(seen, 1)
    predicted = truth + RNG.normal(0, 2.0, truth.shape).astype(np.float32)
    similarity = np.diag(oks(predicted, truth, seen))
    expected = [np.mean(similarity >= threshold) for threshold in np.linspace(0.5, 0.95, 10)]
    state = merge_all(
        [pose_precision(*(x[k : k + 1] for x in (predicted, seen, truth, seen))) for k in range(3)]
    )
    # With hits and misses in any order, precision at full recall is what hits allow.
    scores = state.scores()
    assert 0.2 < similarity.min() < similarity.max() < 1
    assert scores["oks_ap"] <= np.mean(expected) + 0.01  # COCO looks at 101 recalls
    assert scores["oks_ap_50"] == pytest.approx(expected[0], abs=0.02)


def test_similarity_of_poses_against_its_definition():
    truth, seen = people(3)
    predicted = truth[:2] + RNG.normal(0, 5.0, (2, 17, 2)).astype(np.float32)
    # COCO's published spreads: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
    halves = (0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089)
    sigmas = [0.026, *(sigma for sigma in halves for _ in range(2))]
    for row, column in np.ndindex(2, 3):
        labelled = np.flatnonzero(seen[column])
        width, height = np.ptp(truth[column][labelled].astype(np.float64), axis=0)
        alike = [
            math.exp(
                -(math.dist(predicted[row, joint].tolist(), truth[column, joint].tolist()) ** 2)
                / (2 * width * height * (2 * sigmas[joint]) ** 2)
            )
            for joint in labelled
        ]
        found = oks(predicted, truth, seen)[row, column]
        assert found == pytest.approx(np.mean(alike), rel=1e-6)


def test_precision_of_one_person_is_what_thresholds_let_pass():
    for _ in range(12):
        truth, seen = people(1)
        predicted = truth + RNG.normal(0, RNG.uniform(1, 8), truth.shape).astype(np.float32)
        similarity = oks(predicted, truth, seen)[0, 0]
        scores = pose_precision(predicted, seen, truth, seen).scores()
        thresholds = np.linspace(0.5, 0.95, 10)
        assert np.abs(similarity - thresholds).min() > 1e-6
        assert scores["oks_ap"] == pytest.approx(np.mean(similarity >= thresholds), abs=1e-9)


def test_distance_of_sets_against_a_matrix_root():
    one, other = RNG.normal(size=(40, 5)), RNG.normal(0.3, 1.4, size=(30, 5))
    means = one.mean(axis=0) - other.mean(axis=0)
    a, b = np.cov(one.T), np.cov(other.T)
    expected = means @ means + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert frechet_distance(moments(one), moments(other)) == pytest.approx(expected, rel=1e-9)
    parts = moments(one[:7]).merge(moments(one[7:]))
    assert frechet_distance(parts, moments(other)) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(moments(one), moments(one)) == pytest.approx(0, abs=1e-9)
    assert math.isnan(frechet_distance(moments(one[:1]), moments(other)))
    with pytest.raises(ValueError, match="finite"):
        moments(np.full((2, 3), np.nan))


def test_sets_grow_sample_by_sample():
    one, other = RNG.normal(size=(2, 6, 4))
    states = [
        FeatureSets(name="fid_like", predicted=(a,), truth=(b,))
        for a, b in zip(one, other, strict=True)
    ]
    assert math.isnan(states[0].scores()["fid_like"])
    expected = frechet_distance(moments(one), moments(other))
    assert merge_all(states).scores()["fid_like"] == pytest.approx(expected)
    with pytest.raises(ValueError, match="cannot be merged"):
        states[0].merge(FeatureSets(name="fid", predicted=(), truth=()))


def test_chunks_of_any_metric_merge_to_the_whole():
    def one_of_each():
        ids, true_ids = labels(3), labels(3)
        kinds = {
            "predicted_classes": RNG.integers(0, 2, 3).tolist(),
            "true_classes": RNG.integers(0, 2, 3).tolist(),
        }
        found, known = boxes(2), boxes(3)
        numbers = {
            "predicted_classes": RNG.integers(0, 2, 2).astype(np.int32),
            "true_classes": RNG.integers(0, 2, 3).astype(np.int32),
        }
        poses = (*people(2), *people(2))
        return (
            instance_iou(ids, true_ids),
            panoptic_quality(ids, true_ids, **kinds),
            class_miou(ids, true_ids),
            mask_iou(ids > 1, true_ids > 1, group=str(RNG.integers(2))),
            matched_boxes(found, known, **numbers),
            box_precision(found, known, **numbers),
            single_box_iou(found[:1], known[:1], group=str(RNG.integers(2))),
            joints(*poses),
            pose_precision(*poses),
            FeatureSets(
                name="fid_like", predicted=tuple(RNG.normal(size=(2, 3))), truth=(np.ones(3),) * 2
            ),
        )

    samples = [one_of_each() for _ in range(7)]
    for states in zip(*samples, strict=True):
        whole = merge_all(states).scores()
        for cut in (1, 4):
            parts = merge_all([merge_all(states[:cut]), merge_all(states[cut:])]).scores()
            assert parts == pytest.approx(whole, rel=1e-12, nan_ok=True)


def test_states():
    state = sample_means(a=1.0, b=math.nan).merge(sample_means(a=0.5, b=3.0))
    assert state.scores() == {"a": 0.75, "b": 3.0}
    groups = quotient("m", 1.0, 2.0, group="x").merge(quotient("m", 0.0, 4.0, group="y"))
    assert groups.merge(quotient("m", 0.0, 0.0, group="z")).scores() == {"m": 0.25}
    with pytest.raises(ValueError, match="no state"):
        merge_all([])
