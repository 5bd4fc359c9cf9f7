"""Encoding and decoding of large pictures and clips tile by tile.

Tiles overlap, and in the overlap the result passes linearly from one tile to the next. What that
guarantees: let ``d`` be the largest difference between two neighbours where both were computed.
From one position to the next, the blended result changes by at most ``d / (n + 1)`` more than the
tiles themselves do, with ``n`` the positions over which it passes: the overlap, or the distance of
two neighbours less one where that is shorter. Without an overlap nothing is guaranteed.
Tiles differ at all because each has its own borders and its own statistics in the normalisations.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lavin_dit.st_vae.autoencoder import STVAE, check_clip, check_latent
from lavin_dit.st_vae.posterior import DiagonalGaussian


def encode_tiled(
    model: STVAE, clip: Float[Tensor, "b 3 t h w"], *, tile_px: int, overlap: float
) -> DiagonalGaussian:
    """Encode in tiles; means and log-variances are blended.

    Args:
        model: The model.
        clip: RGB in [-1, 1], height and width multiples of 8 (any, not only of the tile).
        tile_px: Largest height and width of a tile, in pixels, a multiple of 8.
        overlap: Smallest overlap of neighbours as a fraction of ``tile_px``, from 0 to 0.5.

    Returns:
        Distribution of the latent. It is exactly that of `STVAE.encode` where one tile suffices.

    Raises:
        ValueError: If an argument is out of its range, or a tile is all overlap.

    Source:
        Ours; the release has tiles of one size in a fixed step, blended one after another.
    """
    check_clip(clip)
    tile, shared = _latent_extents(tile_px, overlap)
    factor = STVAE.SPATIAL_COMPRESSION

    def encode(rows: slice, columns: slice) -> Tensor:
        posterior = model.encode(clip[..., _to_pixels(rows), _to_pixels(columns)])
        return torch.cat([posterior.mean, posterior.logvar], dim=1)

    height, width = clip.shape[-2] // factor, clip.shape[-1] // factor
    rows, columns = plan_tiles(height, tile, shared), plan_tiles(width, tile, shared)
    return DiagonalGaussian.from_moments(blend_tiles(encode, rows, columns))


def decode_tiled(
    model: STVAE, latent: Float[Tensor, "b c s y x"], *, tile_px: int, overlap: float
) -> Float[Tensor, "b 3 t h w"]:
    """Decode in tiles; pixels are blended.

    Args:
        model: The model.
        latent: Latent, not normalised.
        tile_px: Largest height and width of a decoded tile, in pixels, a multiple of 8.
        overlap: Smallest overlap of neighbours as a fraction of ``tile_px``, from 0 to 0.5.

    Returns:
        RGB about in [-1, 1], not clamped. It is exactly that of `STVAE.decode` where one tile
        suffices.

    Raises:
        ValueError: If an argument is out of its range, or a tile is all overlap.

    Source:
        Ours; see `encode_tiled`.
    """
    check_latent(latent, model.config.latent_channels)
    tile, shared = _latent_extents(tile_px, overlap)
    factor = STVAE.SPATIAL_COMPRESSION

    def decode(rows: slice, columns: slice) -> Tensor:
        return model.decode(latent[..., _to_latent(rows), _to_latent(columns)])

    rows, columns = (plan_tiles(size, tile, shared).enlarged(factor) for size in latent.shape[-2:])
    return blend_tiles(decode, rows, columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class TilePlan:
    """Where the tiles of one axis lie: all of one size, evenly spread, from border to border."""

    size: int
    """Extent of the axis, in positions."""

    tile: int
    """Extent of every tile, in positions."""

    starts: tuple[int, ...]
    """First position of each tile, ascending."""

    def enlarged(self, factor: int) -> "TilePlan":
        """Return the same plan for an axis of ``factor`` times as many positions."""
        starts = tuple(factor * start for start in self.starts)
        return TilePlan(size=factor * self.size, tile=factor * self.tile, starts=starts)

    def weights(self) -> Float[Tensor, "tiles size"]:
        """Return each tile's share in the result at each position.

        Shares at a position sum to 1. They are 0 outside of a tile and pass linearly between two
        neighbours, never between three: where the passages from and to a tile would meet, they
        are shortened about their middle, so that their steps fall on different positions.
        """
        position = torch.arange(self.size, dtype=torch.float64)
        begun = [torch.ones_like(position)]
        for before, after in itertools.pairwise(self.starts):
            shared, distance = before + self.tile - after, after - before
            num_positions = min(shared, distance - 1)
            first = after + (shared - num_positions) // 2
            begun.append(((position - first + 1) / (num_positions + 1)).clamp(0, 1))
        begun.append(torch.zeros_like(position))
        return torch.stack([one - next_one for one, next_one in itertools.pairwise(begun)])


def plan_tiles(size: int, tile: int, overlap: int) -> TilePlan:
    """Cover an axis with as few tiles as possible, and those no larger than needed.

    Args:
        size: Extent of the axis, in positions.
        tile: Largest extent of a tile.
        overlap: Smallest extent that two neighbours share, less than a tile.
    """
    if size <= tile:
        return TilePlan(size=size, tile=size, starts=(0,))
    count = math.ceil((size - overlap) / (tile - overlap))
    tile = math.ceil((size + (count - 1) * overlap) / count)
    starts = tuple((size - tile) * index // (count - 1) for index in range(count))
    return TilePlan(size=size, tile=tile, starts=starts)


def blend_tiles(
    compute: Callable[[slice, slice], Tensor], rows: TilePlan, columns: TilePlan
) -> Float[Tensor, "b c t h w"]:
    """Compute tiles one by one and blend them.

    Args:
        compute: Gives the tile at a range of rows and a range of columns of the result.
        rows: Plan for the rows of the result.
        columns: Plan for the columns of the result.
    """
    if len(rows.starts) == len(columns.starts) == 1:
        return compute(slice(0, rows.size), slice(0, columns.size))
    row_weights, column_weights = rows.weights(), columns.weights()
    places = itertools.product(
        zip(rows.starts, row_weights, strict=True), zip(columns.starts, column_weights, strict=True)
    )
    total: Tensor | None = None
    dtype = torch.float32
    for (top, row_weight), (left, column_weight) in places:
        area = slice(top, top + rows.tile), slice(left, left + columns.tile)
        tile = compute(*area)
        if total is None:
            dtype, shape = tile.dtype, (*tile.shape[:-2], rows.size, columns.size)
            total = tile.new_zeros(shape, dtype=torch.promote_types(dtype, torch.float32))
        share = torch.outer(row_weight[area[0]], column_weight[area[1]])
        total[..., area[0], area[1]] += tile * share.to(total)
    assert total is not None, "a plan has one tile or more"
    return total.to(dtype)


def _latent_extents(tile_px: int, overlap: float) -> tuple[int, int]:
    factor = STVAE.SPATIAL_COMPRESSION
    if tile_px < factor or tile_px % factor:
        raise ValueError(f"tile_px {tile_px} must be a positive multiple of {factor}")
    if not 0 <= overlap <= 0.5:
        raise ValueError(f"overlap {overlap} must be from 0 to 0.5")
    tile = tile_px // factor
    shared = math.ceil(overlap * tile)
    if shared >= tile:
        raise ValueError(f"overlap {overlap} of tile_px {tile_px} leaves no step between tiles")
    return tile, shared


def _to_pixels(positions: slice) -> slice:
    factor = STVAE.SPATIAL_COMPRESSION
    return slice(positions.start * factor, positions.stop * factor)


def _to_latent(pixels: slice) -> slice:
    factor = STVAE.SPATIAL_COMPRESSION
    return slice(pixels.start // factor, pixels.stop // factor)
