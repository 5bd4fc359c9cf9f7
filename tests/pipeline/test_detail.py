from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from lavin_dit import LavinDiTPipeline
from lavin_dit.evaluation.predictors.pipeline import PipelinePredictor
from lavin_dit.evaluation.question import Question
from lavin_dit.pipeline.detail import (
    LEAST_SHARE,
    MOST_SHARE,
    NO_DETAIL,
    BandFit,
    SharedDetail,
    brightness_agreement,
    lost_detail,
    lost_working_detail,
    pair_detail,
    shared_detail,
    with_detail,
)
from lavin_dit.pipeline.fitting import Canvas, fit_frames, place
from lavin_dit.pipeline.sampling import SamplingSettings
from pictures import picture
from random_networks import random_pipeline

QUIET: dict[str, Any] = {"progress": False}
CANVAS = Canvas(height=32, width=48)
CANVAS_SIZE = (32, 48)
WHOLE = BandFit(product=1.0, square=1.0)
TWO_STEPS = SamplingSettings(num_steps=2, guidance_scale=1.5, solver="euler")


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def photos(count: int, height: int = 32, width: int = 48) -> list[np.ndarray]:
    return [picture(height, width, seed=seed) for seed in range(count)]


def faded(photo: np.ndarray) -> np.ndarray:
    """A target that has half of its input's contrast."""
    return (photo // 2 + 60).astype(np.uint8)


def restoring_context(height: int = 32, width: int = 48) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(photo, photo) for photo in photos(3, height, width)]


def keeping_pipeline() -> LavinDiTPipeline:
    pipeline = random_pipeline("causal")
    pipeline.defaults = replace(pipeline.defaults, keep_detail=True, num_steps=2)
    return pipeline


def smooth(height: int, width: int, *, seed: int) -> torch.Tensor:
    """Noise that half the resolution can show."""
    small = noise(1, 3, height // 4, width // 4, seed=seed)
    return interpolate(small, size=(height, width), mode="bicubic", antialias=True)


@pytest.fixture
def all_look_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """What random networks paint looks like nothing, so that detail would be given nowhere.

    Paintings are taken as they are, too, and not weighed against their queries.
    """
    monkeypatch.setattr("lavin_dit.pipeline.detail._ALIKE_BELOW", 10.0)
    monkeypatch.setattr("lavin_dit.pipeline.detail._UNLIKE_FROM", 11.0)
    monkeypatch.setattr("lavin_dit.pipeline.finishing.weighed_against_query", as_painted)


def as_painted(painted: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
    return painted


def everywhere(height: int, width: int) -> torch.Tensor:
    return torch.ones(1, 1, height, width)


def test_shares_are_the_factors_that_fit_best() -> None:
    placement = place((40, 48), canvas=CANVAS, fit="stretch")
    lost = noise(1, 3, 40, 48, seed=0)
    target = 0.6 * lost + 0.3 * noise(1, 3, 40, 48, seed=1)
    found = shared_detail(lost, target, placement, agreement=everywhere(*CANVAS_SIZE))
    assert found.fine.share == pytest.approx(0.6, abs=0.05)
    assert found.coarse.share == pytest.approx(0.6, abs=0.2)
    whole = torch.linalg.lstsq(lost.reshape(-1, 1), target.reshape(-1, 1)).solution.item()
    assert whole == pytest.approx(found.fine.share, abs=0.1)


def test_fine_and_coarse_detail_are_told_apart() -> None:
    """The fine detail of the target is another one, as behind glass; the coarse is the input's."""
    placement = place(CANVAS_SIZE, canvas=CANVAS, fit="pad")
    coarse = 3 * smooth(*CANVAS_SIZE, seed=0)
    lost = coarse + noise(1, 3, *CANVAS_SIZE, seed=1)
    target = coarse + noise(1, 3, *CANVAS_SIZE, seed=2)
    agreement = everywhere(*CANVAS_SIZE)
    found = shared_detail(lost, target, placement, agreement=agreement)
    assert found.fine.share == 0
    assert found.coarse.share > 0.7
    painted = torch.full((1, 3, *CANVAS_SIZE), 0.5)
    error = [
        (
            with_detail(painted, 0.02 * lost, placement, detail=detail, agreement=agreement)
            - 0.5
            - 0.02 * target
        ).norm()
        for detail in (found, SharedDetail(fine=WHOLE, coarse=WHOLE), NO_DETAIL)
    ]
    assert error[0] < 0.85 * min(error[1:])


def test_detail_is_neither_measured_nor_given_where_pictures_differ() -> None:
    """The left third is another picture in the target, as where a hole is filled."""
    placement = place(CANVAS_SIZE, canvas=CANVAS, fit="pad")
    query, lost = torch.full((1, 3, *CANVAS_SIZE), 0.5), noise(1, 3, *CANVAS_SIZE, seed=0)
    painted, of_target = query.clone(), lost.clone()
    painted[..., :16] += 0.3
    of_target[..., :16] = -lost[..., :16]
    agreement = brightness_agreement(painted, query)
    assert agreement[..., :14].max() == 0
    assert agreement[..., 18:].min() == 1
    everything = shared_detail(lost, of_target, placement, agreement=everywhere(*CANVAS_SIZE))
    assert everything.fine.share == pytest.approx(0.33, abs=0.1)
    detail = shared_detail(lost, of_target, placement, agreement=agreement)
    assert detail.fine.share == pytest.approx(1.0, abs=0.02)
    given = (
        with_detail(painted, 0.02 * lost, placement, detail=detail, agreement=agreement) - painted
    )
    assert given[..., :14].abs().max() == 0
    torch.testing.assert_close(given[..., 18:], 0.02 * lost[..., 18:], atol=2e-3, rtol=0)


def test_likeness_is_of_brightness_and_of_a_neighbourhood() -> None:
    grey = torch.full((2, 3, 8, 8), 0.5)
    for colour in ([0.1, 0.8, 0.1], [0.9, 0.1, 0.1], [0.1, 0.1, 0.9]):
        saturated = torch.tensor(colour)[:, None, None].expand(2, 3, 8, 8)
        of_it = np.uint8(255 * np.array(colour).reshape(1, 1, 3))
        as_grey = torch.full((1, 3, 8, 8), cv2.cvtColor(of_it, cv2.COLOR_RGB2GRAY).item() / 255)
        assert brightness_agreement(saturated, as_grey).min() == pytest.approx(1, abs=1e-5)
    for difference, weight in ((0.05, 1.0), (0.14, 0.5), (0.22, 0.0), (-0.14, 0.5)):
        found = brightness_agreement(grey + difference, grey[:1])
        assert found.shape == (2, 1, 8, 8)
        torch.testing.assert_close(found, torch.full_like(found, weight), atol=1e-5, rtol=0)
    speck = grey.clone()
    speck[0, :, 4, 4] = 1.0
    assert brightness_agreement(speck, grey)[0, 0, 4, 4] == 1
    assert brightness_agreement(torch.full((1, 3, 8, 8), 1.6), torch.ones(1, 3, 16, 16)).min() == 1


@pytest.mark.parametrize(
    ("product", "square", "share"),
    [
        (0.5, 1.0, 0.5),
        (1.2, 1.0, 1.2),
        (9.0, 1.0, MOST_SHARE),
        (LEAST_SHARE, 1.0, LEAST_SHARE),
        (LEAST_SHARE - 0.01, 1.0, 0.0),
        (-3.0, 1.0, 0.0),
        (0.0, 0.0, 0.0),
    ],
)
def test_shares_are_bounded_and_small_ones_are_none(
    product: float, square: float, share: float
) -> None:
    fit = BandFit(product=product, square=square)
    assert fit.share == share
    none = NO_DETAIL.fine
    assert SharedDetail(fine=fit, coarse=none).is_shared == (share > 0)
    assert SharedDetail(fine=none, coarse=fit).is_shared == (share > 0)


def test_pairs_count_by_the_detail_that_they_lose() -> None:
    first, second = BandFit(product=1.0, square=1.0), BandFit(product=1.0, square=3.0)
    assert (first + second).share == 0.5
    one = SharedDetail(fine=first, coarse=second)
    assert (one + one).fine == first + first
    assert (one + one).coarse == second + second
    with_none = one + NO_DETAIL
    assert (with_none.fine, with_none.coarse) == (one.fine, one.coarse)


@pytest.mark.parametrize("size", [(32, 48), (64, 64), (100, 37), (20, 20)])
def test_what_is_lost_and_what_is_left_are_the_picture(size: tuple[int, int]) -> None:
    frames = picture(*size, seed=4)[None]
    placement = place(size, canvas=CANVAS, fit="pad")
    left = torch.full((1, 3, CANVAS.height, CANVAS.width), 0.25)
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(lost_detail(frames, left, placement) + 0.25, pixels)
    inside = lost_working_detail(frames, left, placement)
    assert inside.shape[2:] == (placement.height, placement.width)
    rows = slice(placement.top, placement.top + placement.height)
    columns = slice(placement.left, placement.left + placement.width)
    expected = torch.from_numpy(fit_frames(frames, placement))[:, rows, columns] / 255 - 0.25
    torch.testing.assert_close(inside, expected.permute(0, 3, 1, 2))


def test_a_target_of_another_size_is_compared_at_its_inputs() -> None:
    frames = picture(64, 96, seed=4)[None]
    small = fit_frames(frames, place((64, 96), canvas=CANVAS, fit="pad"))
    placements = [place(clip.shape[1:3], canvas=CANVAS, fit="pad") for clip in (small, frames)]
    left = torch.full((1, 3, CANVAS.height, CANVAS.width), 0.5)
    found = pair_detail((small, frames), (left, left), placements)
    assert (found.fine.share, found.coarse.share) == pytest.approx((1, 1))


@pytest.mark.parametrize("size", [(32, 48), (64, 96), (70, 31)])
@pytest.mark.parametrize("fit", ["pad", "stretch", "tile"])
@pytest.mark.usefixtures("all_look_alike")
def test_predictions_are_given_what_their_queries_lose(size: tuple[int, int], fit: Any) -> None:
    pipeline, query = keeping_pipeline(), picture(*size, seed=9)
    settings = {
        "context": restoring_context(*size), "fit": fit, "height": 32, "width": 48, **QUIET
    }  # fmt: skip
    soft = pipeline(query, **settings, keep_detail=False)
    sharp = pipeline(query, **settings)
    # Targets equal their inputs, so all that a reconstruction lacks is given back: it does not hang
    # on what was painted.
    other = pipeline(query, **settings, seed=5, keep_detail=False)
    other_sharp = pipeline(query, **settings, seed=5)
    for size_of in ("pixels", "working_pixels"):
        found, before = getattr(sharp, size_of), getattr(soft, size_of).clamp(0, 1)
        others, others_before = getattr(other_sharp, size_of), getattr(other, size_of).clamp(0, 1)
        inner = (found > 0) & (found < 1) & (others > 0) & (others < 1)
        assert inner.float().mean() > 0.1
        given, given_to_other = (found - before)[inner], (others - others_before)[inner]
        torch.testing.assert_close(given, given_to_other, atol=1e-5, rtol=0)
        assert given.abs().max() > 0.01
    assert torch.equal(sharp.latent, soft.latent)


@pytest.mark.parametrize("fit", ["pad", "tile"])
@pytest.mark.usefixtures("all_look_alike")
def test_detail_is_given_by_the_share(fit: Any) -> None:
    """All numbers of a picture that one tile holds are computed here in another way."""
    pipeline, query = keeping_pipeline(), picture(32, 48, seed=9)
    pairs = [(photo, faded(photo)) for photo in photos(3)]
    settings = {"height": 32, "width": 48, "fit": fit}
    task = pipeline.compile_context(pairs, **settings)
    assert task.detail is not None
    shares = task.detail.fine.share, task.detail.coarse.share
    assert all(0.3 < share < 0.9 for share in shares)
    soft = pipeline(query, context=task, keep_detail=False, **QUIET)
    sharp = pipeline(query, context=task, **QUIET)
    networks = pipeline.networks
    rebuilt = networks.rebuild(networks.encode_frames(query[None], noise=None), num_frames=1)
    lost = torch.from_numpy(query).permute(2, 0, 1) / 255 - rebuilt.clamp(0, 1)
    small = interpolate(lost, size=(16, 24), mode="bicubic", antialias=True)
    coarse = interpolate(small, size=(32, 48), mode="bicubic", antialias=True)
    assert soft.pixels is not None
    given = shares[0] * (lost - coarse) + shares[1] * coarse
    expected = (soft.pixels + given).clamp(0, 1)
    torch.testing.assert_close(sharp.pixels, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(sharp.working_pixels, expected, atol=1e-5, rtol=0)
    asked = Question(
        inputs=tuple(given[None] for given, _ in pairs),
        targets=tuple(wanted[None] for _, wanted in pairs),
        query=query[None],
    )
    sampling = replace(TWO_STEPS, guidance_scale=pipeline.defaults.guidance_scale)
    answer = PipelinePredictor(pipeline, settings=sampling).predict([asked])[0]
    assert np.abs(answer.astype(int) - sharp.clip.frames).max() <= 1


@pytest.mark.usefixtures("all_look_alike")
def test_every_frame_of_a_clip_is_given_its_own_detail() -> None:
    """Three frames, which fill no group of the autoencoder's, and two clips in a batch."""
    pipeline = keeping_pipeline()
    clips = [np.stack(photos(4 + start)[start : start + 3]) for start in (0, 2)]
    context = [(clip, clip) for clip in clips]
    settings = {"context": context, "height": 32, "width": 48, **QUIET}
    together = pipeline(clips, batch_size=2, **settings)
    soft = pipeline(clips, batch_size=2, keep_detail=False, **settings)
    networks = pipeline.networks
    for clip, found, before in zip(clips, together, soft, strict=True):
        rebuilt = networks.rebuild(networks.encode_frames(clip, noise=None), num_frames=3)
        lost = torch.from_numpy(clip).permute(0, 3, 1, 2) / 255 - rebuilt.clamp(0, 1)
        expected = (before.pixels + lost).clamp(0, 1)
        torch.testing.assert_close(found.pixels, expected, atol=1e-4, rtol=0)


@pytest.mark.usefixtures("all_look_alike")
def test_targets_without_their_inputs_detail_get_none() -> None:
    pipeline, query = keeping_pipeline(), picture(32, 48, seed=9)
    negatives = [(photo, 255 - photo) for photo in photos(3)]
    task = pipeline.compile_context(negatives)
    assert task.detail is not None
    assert not task.detail.is_shared
    found = pipeline(query, context=negatives, **QUIET)
    without = pipeline(query, context=negatives, keep_detail=False, **QUIET)
    assert found.pixels is not None
    assert without.pixels is not None
    assert torch.equal(found.pixels, without.pixels)


@pytest.mark.usefixtures("all_look_alike")
def test_all_frames_of_a_longer_target_are_given_its_only_frames_detail() -> None:
    pipeline = keeping_pipeline()
    clips = [np.stack([photo, photo, *[np.full_like(photo, 99)] * 3]) for photo in photos(3)]
    settings = {
        "context": [(clip[:1], clip) for clip in clips], "height": 32, "width": 48, **QUIET
    }  # fmt: skip
    query = picture(32, 48, seed=9)
    sharp, soft = (
        pipeline(query[None], keep_detail=keep, **settings).pixels for keep in (True, False)
    )
    networks = pipeline.networks
    rebuilt = networks.rebuild(networks.encode_frames(query[None], noise=None), num_frames=1)
    lost = torch.from_numpy(query).permute(2, 0, 1)[None] / 255 - rebuilt.clamp(0, 1)
    assert soft is not None
    assert len(soft) == 5
    # Each of a target's five frames is compared with the one input.
    task = pipeline.compile_context(settings["context"], height=32, width=48)
    single = pipeline.compile_context([(clip[:1], clip[:1]) for clip in clips], height=32, width=48)
    assert task.detail is not None
    assert single.detail is not None
    assert task.detail.coarse.square == pytest.approx(5 * single.detail.coarse.square, rel=1e-3)
    assert 0.2 < task.detail.coarse.share < 0.9
    assert task.kept_detail(1) is task.detail
    assert task.kept_detail(3) is None
    placement = place((32, 48), canvas=CANVAS, fit="pad")
    expected = with_detail(
        soft, lost, placement, detail=task.detail, agreement=torch.ones(5, 1, *CANVAS_SIZE)
    )
    torch.testing.assert_close(sharp, expected, atol=1e-5, rtol=0)
    asked = Question(
        inputs=tuple(clip[:1] for clip in clips), targets=tuple(clips), query=query[None]
    )
    sampling = replace(TWO_STEPS, guidance_scale=pipeline.defaults.guidance_scale)
    answer = PipelinePredictor(pipeline, settings=sampling).predict([asked])[0]
    shown = (expected.permute(0, 2, 3, 1) * 255).round().numpy()
    assert np.abs(answer.astype(int) - shown).max() <= 1


@pytest.mark.parametrize("fit", ["pad", "tile"])
@pytest.mark.parametrize("num_frames", [1, 3])
def test_each_place_is_given_detail_as_far_as_it_agrees(
    fit: Any, num_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query narrower than the canvas; bounds with which random paintings agree in part."""
    monkeypatch.setattr("lavin_dit.pipeline.detail._ALIKE_BELOW", 0.05)
    monkeypatch.setattr("lavin_dit.pipeline.detail._UNLIKE_FROM", 0.9)
    monkeypatch.setattr("lavin_dit.pipeline.finishing.weighed_against_query", as_painted)
    pipeline, networks = keeping_pipeline(), keeping_pipeline().networks
    clips = [np.stack(photos(6, 32, 32)[start : start + num_frames]) for start in range(3)]
    query = np.stack(photos(9, 32, 32)[-num_frames:])
    settings = {"context": [(clip, clip) for clip in clips], "fit": fit, "height": 32, "width": 48}
    soft, sharp = (
        pipeline(query, **settings, keep_detail=keep, **QUIET).pixels for keep in (False, True)
    )
    placement = place((32, 32), canvas=CANVAS, fit="pad")
    canvas = fit_frames(query, placement)
    rebuilt = networks.rebuild(networks.encode_frames(canvas, noise=None), num_frames=num_frames)
    rebuilt = rebuilt[..., placement.left : placement.left + 32].clamp(0, 1)
    assert soft is not None
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    bright, other = ((frames.clamp(0, 1) * weights).sum(dim=1) for frames in (soft, rebuilt))
    difference = torch.nn.functional.pad((bright - other).abs(), (1, 1, 1, 1), value=torch.nan)
    windows = difference.unfold(1, 3, 1).unfold(2, 3, 1)
    agreement = ((0.9 - windows.nanmean(dim=(-1, -2))) / 0.85).clamp(0, 1)[:, None]
    assert ((agreement > 0.1) & (agreement < 0.9)).float().mean() > 0.5
    pixels = torch.from_numpy(query).permute(0, 3, 1, 2) / 255
    expected = (soft.clamp(0, 1) + agreement * (pixels - rebuilt)).clamp(0, 1)
    torch.testing.assert_close(sharp, expected, atol=1e-4, rtol=0)


def test_targets_of_yet_another_length_get_none() -> None:
    pipeline = keeping_pipeline()
    clips = [np.stack([photo] * 9) for photo in photos(3)]
    task = pipeline.compile_context([(clip[:5], clip) for clip in clips])
    assert task.detail is not None
    assert not task.detail.is_shared
    assert not task.detail.changes.counts.any()
    assert pipeline(clips[0][:5], context=task, **QUIET).clip.num_frames == 9


def test_a_posterior_that_is_sampled_has_noise_and_no_detail() -> None:
    pipeline = random_pipeline("causal")
    pipeline.defaults = replace(pipeline.defaults, posterior="sample")
    with pytest.raises(ValueError, match="keep_detail needs posterior 'mode'"):
        pipeline.compile_context(restoring_context(), keep_detail=True)
    with pytest.raises(ValueError, match="keep_detail needs posterior 'mode'"):
        replace(pipeline.defaults, keep_detail=True)


def test_tasks_by_name_are_compiled_anew_only_if_detail_is_missing() -> None:
    pipeline = keeping_pipeline()
    kept = pipeline.compile_context(task="deraining")
    assert kept.detail is not None
    latent = pipeline(
        picture(40, 40, seed=1), task="deraining", output_type="latent", num_samples=1, **QUIET
    )
    assert latent.pixels is None
    assert pipeline.compile_context(task="deraining", keep_detail=False).detail is None
    assert pipeline.compile_context(task="deraining") is kept
    bare = pipeline.compile_context(task="edge_detection", keep_detail=False)
    assert bare.detail is None
    assert pipeline.compile_context(task="edge_detection").detail is not None


def test_a_released_model_keeps_none_unless_asked() -> None:
    pipeline = random_pipeline("joint")
    assert not pipeline.defaults.keep_detail
    assert pipeline.compile_context(restoring_context()).detail is None
    assert pipeline.compile_context(restoring_context(), keep_detail=True).detail is not None


@pytest.mark.usefixtures("all_look_alike")
def test_evaluation_gives_the_same_detail() -> None:
    pipeline = keeping_pipeline()
    pairs = restoring_context()
    query = picture(32, 48, seed=9)
    asked = Question(
        inputs=tuple(given[None] for given, _ in pairs),
        targets=tuple(wanted[None] for _, wanted in pairs),
        query=query[None],
    )
    settings = {"num_steps": 2, "guidance_scale": 1.5, "solver": "euler", **QUIET}
    for keep_detail in (True, False):
        predictor = PipelinePredictor(pipeline, settings=TWO_STEPS, keep_detail=keep_detail)
        answer = predictor.predict([asked])[0]
        expected = pipeline(
            query, context=pairs, height=32, width=48, keep_detail=keep_detail, **settings
        ).clip.frames
        assert np.abs(answer.astype(int) - expected).max() <= 1
    assert PipelinePredictor(pipeline, settings=TWO_STEPS).keep_detail
    assert PipelinePredictor(pipeline, settings=TWO_STEPS).with_settings(TWO_STEPS).keep_detail
