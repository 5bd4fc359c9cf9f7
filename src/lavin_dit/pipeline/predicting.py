"""From queries to predictions: batches of clips through the networks, one context for all."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from lavin_dit.pipeline.batching import batches, progress_bar
from lavin_dit.pipeline.clips import Clip
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.finishing import finished
from lavin_dit.pipeline.fitting import Canvas, fit_frames, place
from lavin_dit.pipeline.networks import Networks
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.pipeline.sampling import SamplingSettings
from lavin_dit.pipeline.seeds import derived_seed
from lavin_dit.pipeline.tiles import CELL_PX, Tile, TileGrid, grid_for, is_within

TILE_SIDES_PER_OVERLAP = 4
_PX_OF_TILES_TOGETHER = 8 * 64 * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictingSettings:
    """How queries are predicted.

    Raises:
        ValueError: If the batch size is below 1 or the output type unknown.
    """

    sampling: SamplingSettings
    """How to integrate."""
    seed: int
    """What noise is drawn from; every query starts from the same."""
    batch_size: int | None
    """Most queries, or tiles of one query, computed together. If None, one query at a time, and as
    many tiles as have the pixels of 8 of 64 x 64."""
    tile_overlap: int | None = None
    """Pixels that neighbouring tiles share at least; a quarter of a tile's shorter side if None.
    Only for contexts with the fit ``tile``."""
    output_type: str
    """``pixels``, or ``latent`` to skip decoding."""
    progress: bool
    """Whether to show a bar over the sampling steps of each batch."""

    def overlap_for(self, task: CompiledTask) -> int:
        """Pixels that neighbouring tiles share at least.

        Args:
            task: The context.

        Raises:
            ValueError: If an overlap is given that does not suit the tiles, or there are none.
        """
        given, side = self.tile_overlap, min(task.canvas.height, task.canvas.width)
        if given is None:
            return side // TILE_SIDES_PER_OVERLAP
        if task.fit != "tile":
            raise ValueError(
                f"tile_overlap {given} is for fit='tile', but the context has fit {task.fit!r}"
            )
        if not 0 <= given <= side // 2:
            raise ValueError(
                f"tile_overlap must be from 0 to half of a tile's shorter side, {side // 2}, "
                f"got {given}"
            )
        return given

    def num_queries_together(self) -> int:
        """Most queries in a batch."""
        return 1 if self.batch_size is None else self.batch_size

    def num_tiles_together(self, canvas: Canvas) -> int:
        """Most tiles of one query in a batch.

        Args:
            canvas: A tile's size.
        """
        if self.batch_size is not None:
            return self.batch_size
        return max(1, _PX_OF_TILES_TOGETHER // (canvas.height * canvas.width))

    @property
    def num_steps(self) -> int:
        """Steps that a batch takes, over all samples that are averaged."""
        return self.sampling.num_steps * self.sampling.num_samples

    def __post_init__(self) -> None:
        """Check what a caller can get wrong."""
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.output_type not in ("pixels", "latent"):
            raise ValueError(f"output_type must be 'pixels' or 'latent', got {self.output_type!r}")


def predict_clips(
    networks: Networks,
    task: CompiledTask,
    clips: Iterable[Clip],
    *,
    settings: PredictingSettings,
) -> Iterator[Prediction]:
    """Predict targets one after another, each as soon as its batch is done.

    Where a context is for tiles, queries that one tile holds are fitted to it, in batches.

    Args:
        networks: What to compute with.
        task: The context.
        clips: Queries, read one batch at a time.
        settings: How.

    Raises:
        ValueError: If an overlap is given that does not suit the tiles, or there are none.
    """
    overlap_px = settings.overlap_for(task)

    def takes_tiles(clip: Clip) -> bool:
        return task.fit == "tile" and not is_within(clip.size, task.canvas)

    for tiled, neighbours in groupby(clips, key=takes_tiles):
        if tiled:
            for clip in neighbours:
                grid = grid_for(clip.size, canvas=task.canvas, overlap_px=overlap_px)
                yield _predict_in_tiles(networks, task, clip, grid=grid, settings=settings)
            continue
        for batch in batches(neighbours, settings.num_queries_together()):
            num_steps = settings.num_steps
            with progress_bar(batch, num_steps=num_steps, show=settings.progress) as bar:
                yield from _predict_batch(
                    networks, task, batch, settings=settings, on_step=bar.update
                )


def _predict_batch(
    networks: Networks,
    task: CompiledTask,
    clips: Sequence[Clip],
    *,
    settings: PredictingSettings,
    on_step: Callable[[], object],
) -> Iterator[Prediction]:
    """Predict the targets of queries that are equally long."""
    fit = "pad" if task.fit == "tile" else task.fit
    placements = [place(clip.size, canvas=task.canvas, fit=fit) for clip in clips]
    num_frames = task.target_num_frames or clips[0].num_frames
    query_seed = derived_seed(settings.seed, "query posterior")
    queries = networks.encode_clips(clips, placements, seeds=[query_seed] * len(clips))
    latents = networks.sample(
        task,
        query_latent=torch.cat(queries),
        num_frames=num_frames,
        settings=settings.sampling,
        seed=settings.seed,
        on_step=on_step,
    )
    for clip, placement, query, latent in zip(clips, placements, queries, latents, strict=True):
        done = None
        if settings.output_type == "pixels":
            painted = networks.rebuild(latent[None], num_frames=num_frames)
            detail = task.kept_detail(clip.num_frames)
            rebuilt = None
            if detail and detail.is_shared:
                rebuilt = networks.rebuild(query, num_frames=clip.num_frames)
            done = finished(painted, placement, clip.frames, rebuilt=rebuilt, detail=detail)
        yield Prediction(
            name=clip.name,
            pixels=done and done.pixels,
            working_pixels=done and done.working,
            drawn_pixels=done and done.drawn,
            latent=latent,
            frames_per_second=clip.frames_per_second,
            seed=settings.seed,
            pair_names=task.pair_names,
        )


def _predict_in_tiles(
    networks: Networks,
    task: CompiledTask,
    clip: Clip,
    *,
    grid: TileGrid,
    settings: PredictingSettings,
) -> Prediction:
    """Predict the target of one query at its own size.

    Noise is drawn for the whole sheet and cut like the tiles, so that neighbours start alike where
    they overlap.
    """
    sheet, num_frames = grid.placement.canvas, task.target_num_frames or clip.num_frames
    frames = fit_frames(clip.frames, grid.placement)
    noise = networks.start_noise(
        num_frames, sheet, seed=settings.seed, num_samples=settings.sampling.num_samples
    )
    posterior_noise = networks.posterior_noise(
        clip.num_frames, sheet, seed=derived_seed(settings.seed, "query posterior")
    )

    def encoded(tile: Tile) -> Tensor:
        own = None if posterior_noise is None else posterior_noise[..., tile.rows, tile.columns]
        pixels = frames[:, tile.pixel_rows, tile.pixel_columns]
        return networks.encode_frames(pixels, noise=own)

    detail = task.kept_detail(clip.num_frames)
    rebuilds = detail is not None and detail.is_shared
    latents, painted = grid.blender(cell=1), grid.blender(cell=CELL_PX)
    rebuilt = grid.blender(cell=CELL_PX)
    size = settings.num_tiles_together(task.canvas)
    for tiles, on_step in _tile_batches(clip, grid.tiles, size=size, settings=settings):
        queries = [encoded(tile) for tile in tiles]
        sampled = networks.sample_from(
            torch.cat([noise[..., tile.rows, tile.columns] for tile in tiles], dim=1),
            task,
            query_latent=torch.cat(queries),
            settings=settings.sampling,
            on_step=on_step,
        )
        for query, latent in zip(queries, sampled, strict=True):
            latents.add(latent)
            if settings.output_type == "pixels":
                painted.add(networks.rebuild(latent[None], num_frames=num_frames))
                if rebuilds:
                    rebuilt.add(networks.rebuild(query, num_frames=clip.num_frames))
    done = None
    if settings.output_type == "pixels":
        done = finished(
            painted.result(),
            grid.placement,
            clip.frames,
            rebuilt=rebuilt.result() if rebuilds else None,
            detail=detail,
        )
    return Prediction(
        name=clip.name,
        pixels=done and done.pixels,
        working_pixels=done and done.working,
        drawn_pixels=done and done.drawn,
        latent=latents.result(),
        frames_per_second=clip.frames_per_second,
        seed=settings.seed,
        pair_names=task.pair_names,
    )


def _tile_batches(
    clip: Clip, tiles: Sequence[Tile], *, size: int, settings: PredictingSettings
) -> Iterator[tuple[Sequence[Tile], Callable[[], object]]]:
    """Tiles in batches of a size, each with what moves the query's bar on by a step."""
    num_steps = -(-len(tiles) // size) * settings.num_steps
    with progress_bar([clip], num_steps=num_steps, show=settings.progress) as bar:
        for first in range(0, len(tiles), size):
            yield tiles[first : first + size], bar.update
