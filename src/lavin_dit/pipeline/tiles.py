"""Cutting a picture of any size into tiles of the model's size, and blending what comes of them.

The picture lies on a *sheet*: a canvas of its own size, of the model's at least; only what is very
large is reduced first (`MOST_TILES_ACROSS`). Tiles begin where a latent cell begins, every 8
pixels, so that what is cut from pixels can be cut from latents, and so from one noise for the whole
sheet. Where tiles overlap, the result passes linearly from one to the next; see
`TilePlan.weights`.
"""

import itertools
import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lavin_dit.pipeline.context import ContextPair
from lavin_dit.pipeline.fitting import CANVAS_MULTIPLE, Canvas, Placement, place, resize_frames
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.tiling import TilePlan

CELL_PX = STVAE.SPATIAL_COMPRESSION
MOST_TILES_ACROSS = 4
"""A picture's shorter side is reduced to so many of a tile's: there is less to be seen in a smaller
part of a picture, and the time goes with the square (decision 0018)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Where a tile lies on its sheet, in latent cells."""

    rows: slice
    columns: slice

    @property
    def pixel_rows(self) -> slice:
        """Its rows of pixels."""
        return slice(self.rows.start * CELL_PX, self.rows.stop * CELL_PX)

    @property
    def pixel_columns(self) -> slice:
        """Its columns of pixels."""
        return slice(self.columns.start * CELL_PX, self.columns.stop * CELL_PX)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileGrid:
    """The tiles of one picture.

    Attributes:
        placement: Where the picture lies on the sheet.
        rows: Where tiles lie from top to bottom, in latent cells.
        columns: Where they lie from left to right.
    """

    placement: Placement
    rows: TilePlan
    columns: TilePlan

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """All tiles, row by row."""
        return tuple(
            Tile(
                rows=slice(top, top + self.rows.tile), columns=slice(left, left + self.columns.tile)
            )
            for top, left in itertools.product(self.rows.starts, self.columns.starts)
        )

    def blender(self, *, cell: int) -> "Blender":
        """Make what puts the tiles together.

        Args:
            cell: Positions of the result in a latent cell's height and width: 1 for latents, 8
                for pixels.
        """
        return Blender(self.rows.enlarged(cell), self.columns.enlarged(cell))


def grid_for(source_size: tuple[int, int], *, canvas: Canvas, overlap_px: int) -> TileGrid:
    """Decide where tiles go.

    A picture keeps its size, unless one tile holds it: then it is enlarged as by `place`; or it is
    very large: then it is reduced.

    Args:
        source_size: Height and width of the picture.
        canvas: Size of a tile.
        overlap_px: Pixels that neighbours share at least, up to half of a tile's shorter side;
            rounded up to a multiple of 8.
    """
    placement = _on_its_sheet(source_size, canvas)
    sheet = placement.canvas
    shared = -(-overlap_px // CELL_PX)
    return TileGrid(
        placement=placement,
        rows=_plan(sheet.height, canvas.height, shared),
        columns=_plan(sheet.width, canvas.width, shared),
    )


def is_within(source_size: tuple[int, int], canvas: Canvas) -> bool:
    """Tell whether one tile holds a picture of this height and width."""
    return source_size[0] <= canvas.height and source_size[1] <= canvas.width


def middle_of(pair: ContextPair, canvas: Canvas) -> ContextPair:
    """Cut a pair to what a tile in its middle would show; the whole of it where a tile holds it.

    Args:
        pair: An example; a target of another size is brought to its input's.
        canvas: Size of a tile.
    """
    size = _cut_size(pair.input.size, canvas)
    top, left = max(0, size[0] - canvas.height) // 2, max(0, size[1] - canvas.width) // 2
    rows, columns = slice(top, top + canvas.height), slice(left, left + canvas.width)
    halves = [
        replace(half, frames=resize_frames(half.frames, size)[:, rows, columns])
        for half in (pair.input, pair.target)
    ]
    return replace(pair, input=halves[0], target=halves[1])


class Blender:
    """Sums tiles up, each with its share."""

    def __init__(self, rows: TilePlan, columns: TilePlan) -> None:
        """Begin with nothing.

        Args:
            rows: Where tiles lie from top to bottom, in positions of the result.
            columns: Where they lie from left to right.
        """
        self._plans = rows, columns
        places = itertools.product(
            zip(rows.starts, rows.weights(), strict=True),
            zip(columns.starts, columns.weights(), strict=True),
        )
        self._waiting = iter(
            [
                (
                    slice(top, top + rows.tile),
                    slice(left, left + columns.tile),
                    torch.outer(
                        row_share[top : top + rows.tile], column_share[left : left + columns.tile]
                    ).float(),
                )
                for (top, row_share), (left, column_share) in places
            ]
        )
        self._total: Tensor | None = None

    def add(self, tile: Float[Tensor, "*batch y x"]) -> None:
        """Add the next tile.

        Args:
            tile: What was computed for it; tiles come in the order of `TileGrid.tiles`.
        """
        rows, columns, share = next(self._waiting)
        values = tile.detach().cpu().float()
        if self._total is None:
            size = (self._plans[0].size, self._plans[1].size)
            self._total = values.new_zeros((*values.shape[:-2], *size))
        self._total[..., rows, columns] += values * share

    def result(self) -> Float[Tensor, "*batch h w"]:
        """What all tiles give together, on the CPU, float32."""
        assert self._total is not None, "a grid has one tile or more"
        assert next(self._waiting, None) is None, "every tile was added"
        return self._total


def _on_its_sheet(source_size: tuple[int, int], canvas: Canvas) -> Placement:
    """Put a picture on a sheet: the canvas if that holds it, else one of the picture's size."""
    if is_within(source_size, canvas):
        return place(source_size, canvas=canvas, fit="pad")
    height, width = _cut_size(source_size, canvas)
    sheet = Canvas(
        height=max(canvas.height, -(-height // CANVAS_MULTIPLE) * CANVAS_MULTIPLE),
        width=max(canvas.width, -(-width // CANVAS_MULTIPLE) * CANVAS_MULTIPLE),
    )
    return Placement(
        canvas=sheet,
        source_height=source_size[0],
        source_width=source_size[1],
        top=(sheet.height - height) // 2,
        left=(sheet.width - width) // 2,
        height=height,
        width=width,
    )


def _cut_size(source_size: tuple[int, int], canvas: Canvas) -> tuple[int, int]:
    """Height and width at which a picture is cut: its own, unless it is very large."""
    longest = MOST_TILES_ACROSS * min(canvas.height, canvas.width)
    scale = min(1.0, longest / min(source_size))
    return round(source_size[0] * scale), round(source_size[1] * scale)


def _plan(size_px: int, tile_px: int, shared: int) -> TilePlan:
    """Cover an axis with as few tiles of one extent as possible, in latent cells."""
    size, tile = size_px // CELL_PX, tile_px // CELL_PX
    if size == tile:
        return TilePlan(size=size, tile=tile, starts=(0,))
    count = max(2, math.ceil((size - shared) / (tile - shared)))
    starts = tuple((size - tile) * index // (count - 1) for index in range(count))
    return TilePlan(size=size, tile=tile, starts=starts)
