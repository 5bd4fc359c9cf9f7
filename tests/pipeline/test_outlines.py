from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from torch.nn.functional import interpolate

from lavin_dit import LavinDiTPipeline
from lavin_dit.evaluation.predictors.pipeline import PipelinePredictor
from lavin_dit.evaluation.question import Question
from lavin_dit.pipeline.detail import NO_DETAIL, BandFit, pair_detail
from lavin_dit.pipeline.fitting import Canvas, place, resize_frames, resized
from lavin_dit.pipeline.outlines import (
    NO_OUTLINES,
    NUM_BINS,
    PASSES,
    REACH_PX,
    WIDTHS,
    Outlines,
    drawn_after,
    enlarged_after,
    measured_outlines,
)
from lavin_dit.pipeline.sampling import SamplingSettings
from pictures import picture
from random_networks import random_pipeline

SIZE = 48, 64
QUIET: dict[str, Any] = {"progress": False}


def scene(seed: int, *, scale: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A disc of one colour on ground of another, both a little noisy, and the disc's white mask."""
    rng = np.random.default_rng(seed)
    height, width = SIZE[0] * scale, SIZE[1] * scale
    centre, radius = rng.uniform((18, 16), (46, 32)) * scale, rng.uniform(8, 13) * scale
    cols, rows = np.meshgrid(np.arange(width), np.arange(height))
    mask = (cols - centre[0]) ** 2 + (rows - centre[1]) ** 2 < radius**2
    colours = rng.permutation([[200, 60, 40], [40, 160, 80], [60, 80, 210], [220, 210, 90]])[:2]
    photo = colours[mask.astype(int)] + rng.normal(0, 8, (height, width, 1))
    return photo.clip(0, 255).astype(np.uint8)[None], np.uint8(255) * mask[None, ..., None].repeat(
        3, axis=-1
    )


def as_tensor(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255


def painted_softly(target: np.ndarray, *, blur_px: float = 3.0) -> torch.Tensor:
    """What a network paints that knows where things are, and not where they end."""
    return as_tensor(np.stack([cv2.GaussianBlur(frame, (0, 0), blur_px) for frame in target]))


def measured(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Outlines:
    total = NO_OUTLINES
    for given, wanted in pairs:
        total += measured_outlines(given, wanted)
    return total


def rms(values: torch.Tensor) -> float:
    return values.square().mean().sqrt().item()


MASKS = measured([scene(seed) for seed in range(4)])


def test_masks_are_drawn_after_their_things() -> None:
    assert MASKS.share > 0.9
    query, truth = scene(9)
    soft = painted_softly(truth)
    drawn = drawn_after(soft, query, outlines=MASKS)
    assert rms(drawn - as_tensor(truth)) < 0.7 * rms(soft - as_tensor(truth))


def test_what_ends_where_nothing_is_to_be_seen_stays_as_it_was_painted() -> None:
    """Squares that have nothing to do with the discs beside which they stand."""
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for seed in range(4):
        square = np.zeros((1, *SIZE, 3), np.uint8)
        square[:, 8 + seed : 30 + seed, 5 * seed : 5 * seed + 24] = 255
        pairs.append((scene(seed + 20)[0], square))
    outlines = measured(pairs)
    assert outlines.share == 0
    painted = painted_softly(pairs[0][1])
    assert drawn_after(painted, pairs[0][0], outlines=outlines) is painted


def test_less_is_taken_where_targets_follow_in_part() -> None:
    """Masks with as large a square beside the disc, of which the input shows nothing."""
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for seed in range(4):
        given, wanted = scene(seed)
        wanted = wanted.copy()
        wanted[:, :20, 2 + seed : 24 + seed] = 255
        pairs.append((given, wanted))
    in_part = measured(pairs)
    changed = (
        rms(drawn_after(soft, query, outlines=outlines) - soft)
        for query, truth in [scene(9)]
        for soft in [painted_softly(truth)]
        for outlines in (MASKS, in_part)
    )
    wholly, less = changed
    assert less < wholly


def test_each_pixel_counts_as_pairs_say() -> None:
    """Against loops over all pixels within reach, where a disc ends."""
    query, truth = scene(9)
    row, col = np.argwhere(truth[0, ..., 0])[0]
    rows, cols = slice(row - 4, row + 8), slice(col - 6, col + 7)
    query, soft = query[:, rows, cols], painted_softly(truth)[:, :, rows, cols]
    assert soft.std() > 0.1
    lab = cv2.cvtColor(query[0].astype(np.float32) / 255, cv2.COLOR_RGB2LAB) / 100
    table = MASKS.chosen_weights[0]
    expected = soft
    for _ in range(PASSES):
        before, expected = expected, torch.empty_like(soft)
        for row, col in np.ndindex(12, 13):
            total, weights = torch.zeros(3), 0.0
            for other_row, other_col in np.ndindex(12, 13):
                distance = round(np.hypot(row - other_row, col - other_col))
                if distance > REACH_PX:
                    continue
                unlike = float(np.square(lab[row, col] - lab[other_row, other_col]).mean())
                place = min(NUM_BINS - 1, int((unlike / 0.5) ** 0.25 * NUM_BINS))
                same = (row, col) == (other_row, other_col)
                weight = 1.0 if same else table[distance - 1, place].item()
                total += weight * before[0, :, other_row, other_col]
                weights += weight
            expected[0, :, row, col] = total / weights
    drawn = drawn_after(soft, query, outlines=MASKS)
    expected = torch.lerp(soft, expected, MASKS.share)
    # OpenCV's Lab is rounded otherwise, so that a few pairs of pixels are in another bin.
    torch.testing.assert_close(drawn, expected, atol=0.01, rtol=0)
    assert rms(drawn - soft) > 0.03


def test_those_of_several_pairs_add_up() -> None:
    one, other = (measured([scene(seed)]) for seed in (0, 1))
    both = one + other
    torch.testing.assert_close(both.counts, one.counts + other.counts)
    assert both.num_frames == 2
    assert both.spread == pytest.approx(one.spread + other.spread)
    assert (one + NO_OUTLINES).share == one.share
    assert NO_OUTLINES.share == 0
    assert both.change == pytest.approx(one.change + other.change)
    torch.testing.assert_close((one + one).products, 2 * one.products)


def test_every_fourth_frame_of_a_clip_is_measured() -> None:
    given, wanted = (np.concatenate(part) for part in zip(*map(scene, range(9)), strict=True))
    clip = measured_outlines(given, wanted)
    assert clip.num_frames == 3
    torch.testing.assert_close(clip.counts, measured([scene(seed) for seed in (0, 4, 8)]).counts)


def test_frames_are_drawn_each_after_its_own() -> None:
    query, truth = (np.concatenate(part) for part in zip(scene(8), scene(9), strict=True))
    soft = painted_softly(truth)
    together = drawn_after(soft, query, outlines=MASKS)
    for number in range(2):
        own = slice(number, number + 1)
        torch.testing.assert_close(
            together[own], drawn_after(soft[own], query[own], outlines=MASKS)
        )


@pytest.mark.parametrize("scale", [2, 3, 6])
def test_what_is_enlarged_is_drawn_after_the_large_query(scale: int) -> None:
    query, truth = scene(9, scale=scale)
    small = [
        cv2.resize(frames[0], SIZE[::-1], interpolation=cv2.INTER_AREA)[None]
        for frames in (query, truth)
    ]
    drawn = drawn_after(painted_softly(small[1]), small[0], outlines=MASKS)
    found = enlarged_after(drawn, query, outlines=MASKS)
    assert found.shape[2:] == tuple(min(scale, 4) * side for side in SIZE)
    found = resized(found, truth.shape[1:3])
    plain = interpolate(drawn, size=truth.shape[1:3], mode="bicubic")
    assert rms(found - as_tensor(truth)) < 0.97 * rms(plain - as_tensor(truth))
    assert 0 <= found.min() <= found.max() <= 1


def test_sides_may_be_enlarged_by_different_factors() -> None:
    """Steps are those of each side: what is drawn is the square's drawing, stretched."""
    query, truth = scene(9, scale=4)
    small = [
        cv2.resize(frames[0], SIZE[::-1], interpolation=cv2.INTER_AREA)[None]
        for frames in (query, truth)
    ]
    drawn = drawn_after(painted_softly(small[1]), small[0], outlines=MASKS)
    narrow, wide = (frames[:, ::4] for frames in (query, truth))
    found = enlarged_after(drawn, narrow, outlines=MASKS)
    assert found.shape == (1, 3, SIZE[0], 4 * SIZE[1])
    plain = interpolate(drawn, size=found.shape[2:], mode="bicubic")
    assert rms(found - as_tensor(wide)) < 0.97 * rms(plain - as_tensor(wide))


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 40)])
def test_pictures_smaller_than_the_reach_are_drawn_as_well(size: tuple[int, int]) -> None:
    given = picture(*size, seed=0)[None]
    assert measured_outlines(given, given).num_frames == 1
    painted = as_tensor(picture(*size, seed=1)[None])
    found = drawn_after(painted, given, outlines=MASKS)
    assert found.shape == painted.shape
    assert found.isfinite().all()


def test_targets_of_one_colour_say_nothing() -> None:
    empty = np.full((1, *SIZE, 3), 7, np.uint8)
    assert measured([(scene(seed)[0], empty) for seed in range(3)]).share == 0
    assert measured([(empty, scene(0)[1])]).share == 0


def test_one_value_that_is_no_number_spreads_no_further() -> None:
    query, truth = scene(9)
    soft = painted_softly(truth)
    broken = soft.clone()
    broken[0, 1, 20, 30] = torch.nan
    drawn = drawn_after(broken, query, outlines=MASKS)
    assert drawn.isfinite().all()
    assert rms(drawn - drawn_after(soft, query, outlines=MASKS)) < 0.02


@pytest.mark.parametrize(
    ("name", "shape"),
    [("differences", (REACH_PX, NUM_BINS - 1)), ("products", (len(WIDTHS) + 1,))],
)
def test_tables_of_another_shape_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises((ValueError, TypeCheckError), match=name):
        replace(NO_OUTLINES, **{name: torch.zeros(shape)})


def with_hole(photo: np.ndarray) -> np.ndarray:
    """A photo of which a third is white, and unlike it."""
    holed = photo.copy()
    holed[:, :, :22] = 255
    return holed


def test_pictures_of_the_same_are_left_to_weighing() -> None:
    whole = place(SIZE, canvas=Canvas(height=48, width=64), fit="pad")
    query, truth = scene(0)
    brighter = query.clip(0, 250) + np.uint8(4)
    cases = ((query, query), (query, brighter), (with_hole(query), query), (query, truth))
    for number, (given, wanted) in enumerate(cases):
        rebuilt = [as_tensor(given), as_tensor(wanted)]
        found = NO_DETAIL + pair_detail((given, wanted), rebuilt, (whole, whole))
        is_drawn = number == len(cases) - 1
        assert (found.outlines.share > 0) == is_drawn
        assert found.is_of_use == is_drawn


def test_masks_of_dark_photos_are_drawn() -> None:
    """Most of the input is nearly as dark as its mask."""
    pairs = [((given // 4).astype(np.uint8), wanted) for given, wanted in map(scene, range(4))]
    assert measured(pairs).share > 0.9


def test_pairs_that_were_measured_before_outlines_were_say_nothing_of_them() -> None:
    known = replace(NO_DETAIL, fine=BandFit(product=0.0, square=1.0), outlines=MASKS)
    before = replace(known, outlines=NO_OUTLINES)
    assert (NO_DETAIL + known).outlines.share == MASKS.share
    assert (before + known).outlines.share == 0
    assert (known + before).outlines.share == 0


def masking_pipeline() -> LavinDiTPipeline:
    pipeline = random_pipeline("causal")
    pipeline.defaults = replace(pipeline.defaults, keep_detail=True, num_steps=2)
    return pipeline


def masks(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [scene(seed) for seed in range(count)]


@pytest.mark.parametrize("size", [SIZE, (96, 128), (40, 100), (30, 40)])
def test_predictions_are_drawn_at_their_querys_size(size: tuple[int, int]) -> None:
    """At the working size, larger, of another shape with margins, and smaller."""
    pipeline = masking_pipeline()
    settings = {"context": masks(3), "height": 48, "width": 64, **QUIET}
    query = cv2.resize(scene(9)[0][0], size[::-1], interpolation=cv2.INTER_AREA)[None]
    soft, drawn = (pipeline(query, keep_detail=keep, **settings) for keep in (False, True))
    assert soft.pixels is not None
    assert drawn.pixels is not None
    assert drawn.pixels.shape == (1, 3, *size)
    assert not torch.equal(soft.pixels, drawn.pixels)
    assert torch.equal(soft.latent, drawn.latent)
    task = pipeline.compile_context(masks(3), height=48, width=64)
    assert task.detail is not None
    outlines = task.detail.outlines
    assert outlines.share > 0
    placement = place(size, canvas=Canvas(height=48, width=64), fit="pad")
    small = resize_frames(query, (placement.height, placement.width))
    assert soft.working_pixels is not None
    assert drawn.working_pixels is not None
    expected = drawn_after(soft.working_pixels, small, outlines=outlines)
    torch.testing.assert_close(drawn.working_pixels, expected)
    assert rms(soft.working_pixels.clamp(0, 1) - expected) > 0.05
    is_larger = size[0] >= placement.height and size[1] >= placement.width
    if size != (placement.height, placement.width) and is_larger:
        expected = enlarged_after(expected, query, outlines=outlines)
        assert drawn.drawn_pixels is not None
        torch.testing.assert_close(drawn.drawn_pixels, expected)
    else:
        assert drawn.drawn_pixels is None
    assert soft.drawn_pixels is None
    torch.testing.assert_close(drawn.pixels, resized(expected, size))
    assert drawn.pixels is not drawn.working_pixels


def test_what_is_drawn_is_given_no_detail_that_pairs_share_by_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline, query = masking_pipeline(), scene(9)[0]
    answers: list[torch.Tensor] = []
    for least_share in (-10.0, 10.0):
        monkeypatch.setattr("lavin_dit.pipeline.detail.LEAST_SHARE", least_share)
        task = pipeline.compile_context(masks(3), height=48, width=64)
        assert task.detail is not None
        assert task.detail.is_drawn
        assert not task.detail.is_shared
        undrawn = replace(task.detail, outlines=NO_OUTLINES)
        assert undrawn.is_shared == (least_share < 0)
        pixels = pipeline(query, context=task, **QUIET).pixels
        assert pixels is not None
        answers.append(pixels)
    assert torch.equal(*answers)


def test_evaluation_draws_the_same() -> None:
    pipeline = masking_pipeline()
    pairs, query = masks(3), scene(9)[0]
    asked = Question(
        inputs=tuple(given for given, _ in pairs),
        targets=tuple(wanted for _, wanted in pairs),
        query=query,
    )
    sampling = SamplingSettings(num_steps=2, guidance_scale=1.5, solver="euler")
    settings = {"num_steps": 2, "guidance_scale": 1.5, "solver": "euler", **QUIET}
    answers: list[np.ndarray] = []
    for keep_detail in (True, False):
        predictor = PipelinePredictor(pipeline, settings=sampling, keep_detail=keep_detail)
        answers += predictor.predict([asked])
        expected = pipeline(
            query, context=pairs, height=48, width=64, keep_detail=keep_detail, **settings
        ).clip.frames
        assert np.abs(answers[-1].astype(int) - expected).max() <= 1
    assert not np.array_equal(*answers)


def test_a_sheet_of_tiles_is_drawn_as_a_whole() -> None:
    pipeline, query = masking_pipeline(), scene(9, scale=2)[0]
    task = pipeline.compile_context(masks(3), height=48, width=64, fit="tile")
    assert task.detail is not None
    bare = replace(task, detail=None)
    drawn = pipeline(query, context=task, **QUIET)
    soft = pipeline(query, context=bare, keep_detail=False, **QUIET)
    assert soft.pixels is not None
    assert drawn.pixels is not None
    assert soft.pixels.shape == (1, 3, 96, 128)
    expected = drawn_after(soft.pixels, query, outlines=task.detail.outlines)
    torch.testing.assert_close(drawn.pixels, expected, atol=1e-5, rtol=0)
    assert rms(drawn.pixels - soft.pixels) > 0.05


def test_files_of_compiled_tasks_know_outlines(tmp_path: Path) -> None:
    pipeline, query = masking_pipeline(), scene(9)[0]
    task = pipeline.compile_context(masks(3), height=48, width=64)
    loaded = type(task).load(task.save(tmp_path / "task.safetensors"))
    assert loaded.detail is not None
    assert task.detail is not None
    assert loaded.detail.outlines.share == task.detail.outlines.share > 0
    direct, from_file = (pipeline(query, context=one, **QUIET).pixels for one in (task, loaded))
    assert direct is not None
    assert from_file is not None
    assert torch.equal(direct, from_file)
