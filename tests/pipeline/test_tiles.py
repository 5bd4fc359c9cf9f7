from typing import Any

import numpy as np
import pytest
import torch

from lavin_dit import LavinDiTPipeline
from lavin_dit.jdit.config import ContextAttention
from lavin_dit.pipeline import predicting
from lavin_dit.pipeline.clips import Clip
from lavin_dit.pipeline.context import pairs_from_sources
from lavin_dit.pipeline.fitting import Canvas, place, to_network
from lavin_dit.pipeline.networks import Networks
from lavin_dit.pipeline.predicting import PredictingSettings
from lavin_dit.pipeline.sampling import SamplingSettings
from lavin_dit.pipeline.task_contexts import LOCAL_TASKS
from lavin_dit.pipeline.tiles import CELL_PX, TileGrid, grid_for, middle_of
from lavin_dit.vision.task import discover_tasks
from pictures import picture
from random_networks import random_pipeline

QUIET: dict[str, Any] = {"progress": False}
CANVAS = Canvas(height=32, width=48)
SIZES = pytest.mark.parametrize("size", [(33, 70), (130, 49), (64, 48), (97, 101), (20, 200)])


def assert_near(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def blended(grid: TileGrid, sheet: torch.Tensor) -> torch.Tensor:
    """What is left of a sheet that is cut into tiles and put together."""
    blender = grid.blender(cell=CELL_PX)
    for tile in grid.tiles:
        blender.add(sheet[..., tile.pixel_rows, tile.pixel_columns])
    return blender.result()


@SIZES
@pytest.mark.parametrize("overlap", [0, 13])
def test_tiles_are_of_the_canvas_size_and_their_shares_sum_to_one(
    size: tuple[int, int], overlap: int
) -> None:
    grid = grid_for(size, canvas=CANVAS, overlap_px=overlap)
    sheet = grid.placement.canvas
    for tile in grid.tiles:
        assert tile.pixel_rows.stop - tile.pixel_rows.start == CANVAS.height
        assert tile.pixel_columns.stop - tile.pixel_columns.start == CANVAS.width
    for plan in (grid.rows, grid.columns):
        for before, after in zip(plan.starts, plan.starts[1:], strict=False):
            assert before < after
            assert (before + plan.tile - after) * CELL_PX >= overlap
    ones = blended(grid, torch.ones(sheet.height, sheet.width))
    assert_near(ones, torch.ones_like(ones), 1e-6)
    values = torch.randn(3, sheet.height, sheet.width, generator=torch.Generator().manual_seed(0))
    assert_near(blended(grid, values), values, 1e-5)


def test_tiles_pass_linearly_into_one_another() -> None:
    grid = grid_for((32, 80), canvas=CANVAS, overlap_px=16)
    blender = grid.blender(cell=CELL_PX)
    blender.add(torch.zeros(32, 48))
    blender.add(torch.ones(32, 48))
    row = blender.result()[5]
    assert_near(row[32:48], torch.arange(1, 17) / 17)
    assert (row[:32] == 0).all()
    assert (row[48:] == 1).all()


@pytest.mark.parametrize(
    ("size", "cut"),
    [((128, 999), (128, 999)), ((500, 128), (500, 128)), ((256, 300), (128, 150))],
)
def test_only_very_large_pictures_are_reduced(size: tuple[int, int], cut: tuple[int, int]) -> None:
    placement = grid_for(size, canvas=CANVAS, overlap_px=16).placement
    assert (placement.height, placement.width) == cut
    assert (placement.source_height, placement.source_width) == size


@pytest.mark.parametrize("size", [(32, 48), (20, 9), (2, 3), (32, 40)])
def test_a_picture_that_one_tile_holds_is_fitted(size: tuple[int, int]) -> None:
    grid = grid_for(size, canvas=CANVAS, overlap_px=16)
    assert len(grid.tiles) == 1
    assert grid.placement == place(size, canvas=CANVAS, fit="pad")


@pytest.mark.parametrize("setting", ["joint", "causal"])
@pytest.mark.parametrize("posterior", ["mode", "sample"])
def test_a_query_of_the_working_size_gets_the_same_without_tiles(
    setting: ContextAttention, posterior: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, query = random_pipeline(setting), picture(32, 48, seed=1)
    pipe.networks.posterior = posterior
    context = [(picture(32, 48, seed=7), picture(32, 48, seed=8))]
    whole = pipe(query, context=context, **QUIET)
    monkeypatch.setattr(predicting, "is_within", lambda *_: False)
    tiled = pipe(query, context=context, fit="tile", **QUIET)
    assert_near(tiled.pixels, whole.pixels)
    assert_near(tiled.working_pixels, whole.working_pixels)
    assert_near(tiled.latent, whole.latent)


def test_the_seed_decides_whatever_the_batch_size() -> None:
    pipe, query = random_pipeline("causal"), picture(45, 61, seed=1)
    pipe.networks.posterior = "sample"
    context = pipe.compile_context([(query, query)], fit="tile")
    first = pipe(query, context=context, seed=3, **QUIET)
    again = pipe(query, context=context, seed=3, batch_size=3, **QUIET)
    assert_near(again.pixels, first.pixels)
    assert_near(again.latent, first.latent)
    other = pipe(query, context=context, seed=4, output_type="latent", **QUIET)
    assert (other.latent - first.latent).abs().max() > 0.01


def test_neighbours_start_from_the_same_noise_where_they_overlap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is sampled without a single step is the noise: blending changes nothing of it."""

    def sample_from(_self: Networks, noise: torch.Tensor, *_: Any, **_named: Any) -> torch.Tensor:
        return noise.mean(0)

    pipe, query = random_pipeline("causal"), picture(45, 101, seed=1)
    context = pipe.compile_context([(query, query)], fit="tile")
    monkeypatch.setattr(Networks, "sample_from", sample_from)
    found = pipe(query, context=context, seed=3, output_type="latent", **QUIET).latent
    sheet = Canvas(height=48, width=112)
    assert_near(found, pipe.networks.noise(1, sheet, seed=3)[0])


def test_large_and_small_queries_are_answered_in_their_order() -> None:
    pipe = random_pipeline("causal")
    queries = [picture(*size, seed=3) for size in ((9, 30), (20, 9), (40, 50), (33, 70), (8, 8))]
    context = pipe.compile_context([(queries[2], queries[2])], fit="tile")
    found = pipe(queries, context=context, batch_size=2, **QUIET)
    assert [prediction.pixels.shape[2:] for prediction in found] == [
        query.shape[:2] for query in queries
    ]
    assert_near(pipe(queries[1], context=context, **QUIET).pixels, found[1].pixels)


def test_local_tasks_are_done_in_tiles_unless_told_otherwise() -> None:
    pipe, pair = random_pipeline("causal"), (picture(60, 60, seed=1), picture(60, 60, seed=2))
    assert pipe.compile_context([pair], task="deraining").fit == "tile"
    assert pipe.compile_context([pair], task="deraining", fit="pad").fit == "pad"
    assert pipe.compile_context([pair], task="depth_estimation").fit == "pad"
    assert pipe.compile_context([pair]).fit == "pad"
    assert set(discover_tasks()) >= LOCAL_TASKS


def copying(pipe: LavinDiTPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the model copy: latents are pixels of every eighth row and column, told apart by tile."""

    def encode_frames(self: Networks, frames: np.ndarray, *, noise: object) -> torch.Tensor:
        del noise
        pixels = to_network(frames, device=self.device, dtype=self.dtype)
        squares = torch.nn.functional.pixel_unshuffle(pixels.transpose(1, 2), CELL_PX)
        return squares.transpose(1, 2)

    def sample_from(
        self: Networks, noise: object, task: object, *, query_latent: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        del self, noise, task
        return query_latent

    def decode(self: Networks, latent: torch.Tensor) -> torch.Tensor:
        del self
        return torch.nn.functional.pixel_shuffle(latent.transpose(1, 2), CELL_PX).transpose(1, 2)

    for function in (encode_frames, sample_from, decode):
        monkeypatch.setattr(Networks, function.__name__, function)


@SIZES
def test_a_task_that_copies_gives_the_picture_at_its_size(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, query = random_pipeline("causal"), picture(*size, seed=1)
    context = pipe.compile_context([(query, query)], fit="tile")
    copying(pipe, monkeypatch)
    prediction = pipe(query, context=context, batch_size=3, **QUIET)
    np.testing.assert_array_equal(np.asarray(prediction.image), query)


def test_clips_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = random_pipeline("causal")
    frames = np.stack([picture(40, 75, seed=seed) for seed in range(3)])
    query = Clip(frames=frames, frames_per_second=10.0, name="walk")
    context = pipe.compile_context([(frames, frames)], fit="tile")
    prediction = pipe(query, context=context, output_type="latent", **QUIET)
    assert prediction.latent.shape == (16, 2, 6, 10)
    assert prediction.pixels is None
    copying(pipe, monkeypatch)
    copied = pipe(query, context=context, **QUIET)
    np.testing.assert_array_equal(copied.clip.frames, frames)


def test_a_named_task_is_read_at_the_querys_size(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, query = random_pipeline("causal"), picture(45, 101, seed=1)
    context = pipe.compile_context([(query, query)], fit="tile")
    copying(pipe, monkeypatch)
    prediction = pipe(query, task="deraining", context=context, **QUIET)
    np.testing.assert_array_equal(prediction.annotation.pixels[0], query)


def test_pairs_show_their_middle_at_their_own_size() -> None:
    one, other = picture(100, 71, seed=1), picture(100, 71, seed=2)
    pair = pairs_from_sources([(one, other)])[0]
    shown = middle_of(pair, CANVAS)
    np.testing.assert_array_equal(shown.input.frames[0], one[34:66, 11:59])
    np.testing.assert_array_equal(shown.target.frames[0], other[34:66, 11:59])
    pipe = random_pipeline()
    cut = pipe.compile_context([(one[34:66, 11:59], other[34:66, 11:59])])
    assert_near(pipe.compile_context([(one, other)], fit="tile").latent, cut.latent)
    appended = pipe.append_pair(
        pipe.compile_context([(one, other)], fit="tile"), (one, other), name="again"
    )
    assert_near(appended.latent[:, :, 2:], cut.latent)


def test_a_large_pair_is_reduced_and_its_halves_brought_to_one_size() -> None:
    pair = pairs_from_sources([(picture(256, 300, seed=1), picture(128, 150, seed=1))])[0]
    shown = middle_of(pair, CANVAS)
    np.testing.assert_array_equal(shown.target.frames, pair.target.frames[:, 48:80, 51:99])
    assert shown.input.size == (32, 48)
    difference = shown.input.frames.astype(float) - shown.target.frames
    assert np.abs(difference).mean() < 3


def test_settings_out_of_range() -> None:
    pipe, query = random_pipeline(), picture(45, 101, seed=1)
    pairs = [(query, query)]
    for overlap in (-1, 17):
        with pytest.raises(ValueError, match=f"half of a tile's shorter side, 16, got {overlap}"):
            pipe(query, context=pairs, fit="tile", tile_overlap=overlap, **QUIET)
    with pytest.raises(ValueError, match=r"tile_overlap 8 is for fit='tile'.*has fit 'pad'"):
        pipe(query, context=pairs, tile_overlap=8, **QUIET)
    with pytest.raises(ValueError, match="with fit 'tile' is asked for"):
        pipe(query, context=pipe.compile_context(pairs), fit="tile", **QUIET)


@pytest.mark.parametrize(("side_px", "together"), [(48, 14), (64, 8), (128, 2), (512, 1)])
def test_without_a_batch_size_small_tiles_are_computed_together(side_px, together) -> None:
    def settings(batch_size: int | None) -> PredictingSettings:
        sampling = SamplingSettings(num_steps=1, guidance_scale=1.0, solver="euler")
        return PredictingSettings(
            sampling=sampling, seed=0, batch_size=batch_size, output_type="pixels", progress=False
        )

    canvas = Canvas(height=side_px, width=side_px)
    assert settings(None).num_tiles_together(canvas) == together
    assert settings(None).num_queries_together() == 1
    assert settings(5).num_tiles_together(canvas) == settings(5).num_queries_together() == 5
