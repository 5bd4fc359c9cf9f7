"""Rotary position encoding over time, row and column.

A head's dimensions are cut into three parts, one per axis. Inside a part of ``d`` dimensions,
dimension ``i`` is rotated together with dimension ``i + d/2`` (half-split pairs) by
``position * 10000^(-2i/d)``. The paper's equation 4 pairs ``(2i, 2i+1)``; the released code has
half-split pairs, and so do weights made with it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

ROPE_BASE = 10000.0


class RotaryTable(NamedTuple):
    """Cosines and sines of every token's angles; float32, shared by all heads and samples."""

    cos: Float[Tensor, "n head_dim"]
    sin: Float[Tensor, "n head_dim"]


def rotary_table(
    *,
    frames: Sequence[range],
    rows: int,
    cols: int,
    axes_dim: tuple[int, int, int],
    patch_step: float,
    device: torch.device,
) -> RotaryTable:
    """Compute the rotation of every token of latent frames.

    Args:
        frames: Runs of indices in the joint list of frames: context pairs first, then the query,
            targets last.
        rows: Patch rows of a frame.
        cols: Patch columns of a frame.
        axes_dim: Head dimensions given to time, row and column.
        patch_step: Distance of neighbouring rows and columns in positions.
        device: Where to put the table.

    Source:
        Paper section A.1; coordinates start at 0, as in the release, where ``patch_step`` is 1.
    """
    # Made where they are wanted: a copy from the CPU can't be part of a CUDA graph.
    runs = [torch.arange(run.start, run.stop, device=device) for run in frames]
    positions = torch.meshgrid(
        torch.cat(runs).float(),
        patch_step * torch.arange(rows, device=device, dtype=torch.float32),
        patch_step * torch.arange(cols, device=device, dtype=torch.float32),
        indexing="ij",
    )
    parts: list[Tensor] = []
    for position, dim in zip(positions, axes_dim, strict=True):
        exponent = torch.arange(0, dim, 2, device=device, dtype=torch.float32) / dim
        angle = position.reshape(-1, 1) * ROPE_BASE**-exponent  # (n, dim / 2)
        parts += [angle, angle]
    angles = torch.cat(parts, dim=-1)
    return RotaryTable(angles.cos(), angles.sin())


def rotate(
    heads: Float[Tensor, "b n heads head_dim"],
    table: RotaryTable,
    *,
    axes_dim: tuple[int, int, int],
) -> Float[Tensor, "b n heads head_dim"]:
    """Rotate queries or keys to their tokens' positions; computed in float32.

    Source:
        Paper equations 4-5, with half-split pairs.
    """
    halves = heads.float().split([dim // 2 for dim in axes_dim for _ in range(2)], dim=-1)
    turned: list[Tensor] = []
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        turned += [-second, first]
    cos, sin = table.cos[:, None], table.sin[:, None]  # (n, 1, head_dim)
    return (heads.float() * cos + torch.cat(turned, dim=-1) * sin).to(heads.dtype)
