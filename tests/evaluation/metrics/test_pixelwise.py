"""Metrics of dense targets against slow oracles: loops, generic solvers, torch."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from lavin_dit.evaluation.metrics.depth import depth_lstsq, fit_scale_shift
from lavin_dit.evaluation.metrics.edges import edge_f1
from lavin_dit.evaluation.metrics.flicker import flicker
from lavin_dit.evaluation.metrics.flow import flow_errors
from lavin_dit.evaluation.metrics.normals import angles_deg, normal_angles
from lavin_dit.evaluation.metrics.pictures import picture_likeness, ssim
from lavin_dit.evaluation.metrics.state import merge_all

RNG = np.random.default_rng(3)
SHAPE = (2, 13, 17)


@pytest.fixture(autouse=True)
def _same_numbers_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(3).bit_generator.state


def depths():
    truth = RNG.uniform(1, 8, SHAPE).astype(np.float32)
    predicted = (0.4 * truth - 0.1 + RNG.normal(0, 0.2, SHAPE)).astype(np.float32)
    return predicted, truth, RNG.random(SHAPE) < 0.8


def test_depth_equals_a_generic_least_squares_fit_and_a_loop():
    predicted, truth, valid = depths()
    design = np.stack([predicted[valid], np.ones(valid.sum())], axis=1).astype(np.float64)
    (scale, shift), *_ = np.linalg.lstsq(design, truth[valid].astype(np.float64), rcond=None)
    relative, right, squares = [], [], []
    for value, known in zip(predicted[valid].tolist(), truth[valid].tolist(), strict=True):
        aligned = scale * value + shift
        relative.append(abs(aligned - known) / known)
        right.append(aligned > 0 and max(aligned / known, known / aligned) < 1.25)
        squares.append((aligned - known) ** 2)
    scores = depth_lstsq(predicted, truth, valid).scores()
    assert scores["abs_rel_lstsq"] == pytest.approx(np.mean(relative), rel=1e-9)
    assert scores["delta1_lstsq"] == pytest.approx(np.mean(right), rel=1e-9)
    assert scores["mse_lstsq"] == pytest.approx(np.mean(squares), rel=1e-9)
    assert scores["rmse_lstsq"] == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-9)


def test_depth_does_not_mind_scale_and_shift():
    predicted, truth, valid = depths()
    once = depth_lstsq(predicted, truth, valid).scores()
    again = depth_lstsq(-3 * predicted + 11, truth, valid).scores()
    assert again == pytest.approx(once, rel=1e-4)
    assert depth_lstsq(truth / 7, truth, valid).scores()["abs_rel_lstsq"] < 1e-6


def test_scale_and_shift_are_fitted_in_the_quantity_that_was_painted():
    _, truth, valid = depths()
    curves = {
        "linear": lambda m: m,
        "log": np.log,
        "inverse_root": lambda m: m**-0.5,
        "inverse": lambda m: 1 / m,
    }
    for curve, along in curves.items():
        # Any prediction whose quantity is an affine function of the truth's is perfect.
        quantity = 0.3 * along(truth.astype(np.float64)) + 0.2
        off = {"linear": quantity, "log": np.exp(quantity), "inverse_root": quantity**-2.0}
        predicted = off.get(curve, 1 / quantity).astype(np.float32)
        scores = depth_lstsq(predicted, truth, valid, curve=curve).scores()
        assert scores["abs_rel_lstsq"] < 1e-5
        assert scores["delta1_lstsq"] == 1


def test_what_alignment_takes_out_of_range_is_put_at_its_ends():
    truth = np.array([[[1.0, 2.0, 3.0, 19.0]]], dtype=np.float32)
    predicted = np.array([[[1.0, 1.0, 1.0, 40.0]]], dtype=np.float32)
    predicted[0, 0, 0] = -30.0
    valid = np.ones(truth.shape, dtype=bool)
    far = depth_lstsq(predicted, truth, valid, range_m=(0.5, 6.0)).scores()
    near = depth_lstsq(predicted, truth, valid, range_m=(0.5, 60.0)).scores()
    assert far["rmse_lstsq"] > near["rmse_lstsq"]


def test_constant_depth_is_aligned_to_the_mean():
    _, truth, valid = depths()
    alignment = fit_scale_shift(np.full(truth[valid].shape, 2.5, np.float32), truth[valid])
    assert (alignment.scale, alignment.shift) == (0, pytest.approx(truth[valid].mean(), rel=1e-6))


def test_depth_without_truth_says_nothing_and_counts_for_nothing():
    predicted, truth, valid = depths()
    silent = depth_lstsq(predicted, truth, np.zeros_like(valid))
    assert all(math.isnan(value) for value in silent.scores().values())
    full = depth_lstsq(predicted, truth, valid)
    assert full.merge(silent).scores() == full.scores()


def test_predictions_that_are_not_numbers_are_refused_where_they_count():
    predicted, truth, valid = depths()
    predicted[~valid] = np.nan
    depth_lstsq(predicted, truth, valid)
    predicted[tuple(np.argwhere(valid)[0])] = np.nan
    with pytest.raises(ValueError, match="1 of"):
        depth_lstsq(predicted, truth, valid)
    flow = np.full((*SHAPE, 2), np.inf, np.float32)
    with pytest.raises(ValueError, match="finite"):
        flow_errors(flow, np.zeros_like(flow), valid)
    with pytest.raises(ValueError, match="finite"):
        normal_angles(
            np.full((*SHAPE, 3), np.nan, np.float32), np.ones((*SHAPE, 3), np.float32), valid
        )


def test_angles_against_the_arc_cosine():
    one, other = RNG.normal(size=(2, 40, 3))
    cosine = [
        sum(a * b for a, b in zip(x, y, strict=True))
        / (math.dist(x, (0, 0, 0)) * math.dist(y, (0, 0, 0)))
        for x, y in zip(one.tolist(), other.tolist(), strict=True)
    ]
    np.testing.assert_allclose(angles_deg(one, other), np.degrees(np.arccos(cosine)), rtol=1e-9)
    np.testing.assert_allclose(angles_deg(5 * other, other), 0, atol=1e-6)
    np.testing.assert_allclose(angles_deg(-other, other), 180)


def test_normals_are_pooled_over_pixels_and_grey_is_a_right_angle():
    truth = np.zeros((1, 1, 4, 3), np.float32)
    truth[..., 2] = 1
    predicted = truth.copy()
    predicted[0, 0, 0] = 0  # nothing said
    predicted[0, 0, 1] = [0, math.sin(math.radians(20)), math.cos(math.radians(20))]
    valid = np.array([[[True, True, True, False]]])
    state = normal_angles(predicted, truth, valid)
    scores = state.scores()
    assert scores["mean_deg"] == pytest.approx(110 / 3, rel=1e-6)
    assert scores["below_11.25"] == pytest.approx(1 / 3)
    assert scores["below_22.5"] == scores["below_30"] == pytest.approx(2 / 3)
    # A second sample of one pixel counts as one pixel, not as a half.
    other = normal_angles(truth[:, :, :1], truth[:, :, :1], valid[:, :, :1])
    assert state.merge(other).scores()["mean_deg"] == pytest.approx(110 / 4, rel=1e-6)


def test_likeness_against_torch():
    one, other = (RNG.integers(0, 256, (2, 19, 23, 3), dtype=np.uint8) for _ in range(2))
    a, b = (torch.from_numpy(clip).permute(0, 3, 1, 2).double() / 255 for clip in (one, other))
    scores = picture_likeness(one, other).scores()
    mse = functional.mse_loss(a, b).item()
    assert scores["mse"] == pytest.approx(mse, rel=1e-12)
    assert scores["psnr_db"] == pytest.approx(10 * math.log10(1 / mse), rel=1e-12)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    assert scores["mse_imagenet"] == pytest.approx(
        functional.mse_loss(a / std, b / std).item(), rel=1e-6
    )
    assert scores["ssim"] == pytest.approx(torch_ssim(a, b), rel=1e-9)


def torch_ssim(a, b):
    """By a full two-dimensional convolution."""
    offsets = torch.arange(-5, 6, dtype=torch.float64)
    window = torch.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window = (window / window.sum()).expand(3, 1, 11, 11)
    mean = [functional.conv2d(x, window, groups=3) for x in (a, b)]
    second = [functional.conv2d(x * y, window, groups=3) for x, y in ((a, a), (b, b), (a, b))]
    var_a, var_b = second[0] - mean[0] ** 2, second[1] - mean[1] ** 2
    covariance = second[2] - mean[0] * mean[1]
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean[0] * mean[1] + c1) * (2 * covariance + c2)
    return (top / ((mean[0] ** 2 + mean[1] ** 2 + c1) * (var_a + var_b + c2))).mean().item()


def test_equal_constant_and_tiny_pictures():
    flat = np.full((1, 12, 14, 3), 90, np.uint8)
    assert picture_likeness(flat, flat).scores() == pytest.approx(
        {"mse": 0, "mse_imagenet": 0, "psnr_db": 100, "ssim": 1}
    )
    assert picture_likeness(flat, flat + 1).scores()["psnr_db"] == pytest.approx(48.13, abs=0.01)
    assert math.isnan(ssim(np.zeros((10, 30, 3)), np.zeros((10, 30, 3))))


@pytest.mark.parametrize("tolerance", [1, 2])
def test_edges_against_a_search_of_all_pairs(tolerance):
    generator = np.random.default_rng(tolerance)
    predicted, truth = (generator.random((2, 11, 13)) < 0.08 for _ in range(2))

    def share(own, others):
        places = np.argwhere(own)
        near = [
            any(
                frame == f and abs(row - r) <= tolerance and abs(column - c) <= tolerance
                for f, r, c in np.argwhere(others)
            )
            for frame, row, column in places
        ]
        return np.mean(near)

    precision, recall = share(predicted, truth), share(truth, predicted)
    scores = edge_f1(predicted, truth, tolerance_px=tolerance).scores()
    assert scores[f"precision_{tolerance}px"] == pytest.approx(precision)
    assert scores[f"recall_{tolerance}px"] == pytest.approx(recall)
    assert scores[f"f1_{tolerance}px"] == pytest.approx(
        2 * precision * recall / (precision + recall)
    )


def test_edges_that_are_not_there():
    some = np.zeros((1, 5, 6), bool)
    none = some.copy()
    some[0, 2, 3] = True
    assert edge_f1(none, none).scores()["f1_1px"] == 1
    for predicted, truth in ((none, some), (some, none)):
        assert edge_f1(predicted, truth).scores()["f1_1px"] == 0
    # A frame away is not near.
    pair = np.stack([some[0], none[0]])
    assert edge_f1(pair, pair[::-1]).scores()["f1_1px"] == 0


def test_flow_against_a_search_for_the_scale():
    truth = RNG.normal(0, 6, (*SHAPE, 2)).astype(np.float32)
    predicted = (0.05 * truth + RNG.normal(0, 0.1, truth.shape)).astype(np.float32)
    valid = RNG.random(SHAPE) < 0.7
    scales = np.linspace(0, 40, 40001)
    own, known = predicted[valid].astype(np.float64), truth[valid].astype(np.float64)
    cost = scales**2 * np.sum(own**2) - 2 * scales * np.sum(own * known)
    error = np.linalg.norm(scales[np.argmin(cost)] * own - known, axis=-1)
    outliers = np.mean((error > 3) & (error > 0.05 * np.linalg.norm(known, axis=-1)))
    scores = flow_errors(predicted, truth, valid).scores()
    assert scores["epe_scaled_px"] == pytest.approx(error.mean(), rel=1e-3)
    assert scores["outliers_scaled"] == pytest.approx(outliers, abs=0.01)
    assert scores["epe_zero_px"] == pytest.approx(np.linalg.norm(known, axis=-1).mean(), rel=1e-6)


def test_flow_of_nothing_and_the_wrong_way_round_is_zero_flow():
    truth = RNG.normal(0, 6, (*SHAPE, 2)).astype(np.float32)
    valid = np.ones(SHAPE, bool)
    for predicted in (np.zeros_like(truth), -truth):
        scores = flow_errors(predicted, truth, valid).scores()
        assert scores["epe_scaled_px"] == scores["epe_zero_px"]
    silent = flow_errors(truth, truth, np.zeros(SHAPE, bool))
    assert math.isnan(silent.scores()["epe_scaled_px"])


def test_flicker_is_of_what_goes_back_and_forth():
    steady = np.broadcast_to(10 * np.arange(5, dtype=np.uint8)[:, None, None, None], (5, 3, 4, 3))
    shaken = steady.copy()
    shaken[2] += 8
    assert flicker(steady, steady).scores()["flicker"] == 0
    # Second differences of a bump of 8: 8, -16, 8.
    assert flicker(shaken, steady).scores()["flicker"] == pytest.approx((8 + 16 + 8) / 3)
    assert flicker(shaken, shaken).scores()["flicker_ratio"] == 1
    assert math.isnan(flicker(shaken, steady).scores()["flicker_ratio"])
    assert math.isnan(flicker(steady[:2], steady[:2]).scores()["flicker"])


def test_merging_chunks_equals_all_at_once():
    states = [depth_lstsq(*depths()) for _ in range(5)]
    whole = merge_all(states).scores()
    parts = merge_all(states[:2]).merge(merge_all(states[2:])).scores()
    assert parts == pytest.approx(whole, rel=1e-12)
    mean = np.mean([state.scores()["abs_rel_lstsq"] for state in states])
    assert whole["abs_rel_lstsq"] == pytest.approx(mean, rel=1e-12)
