"""Checks of what a network is given, before anything is computed."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.context_cache import ContextCache


class Grid(NamedTuple):
    """Tokens of a latent clip along its axes.

    Attributes:
        frames: Latent frames.
        rows: Patches from top to bottom.
        cols: Patches from left to right.
    """

    frames: int
    rows: int
    cols: int


def check_latent(latent: Tensor, name: str, *, config: JDiTConfig) -> Grid:
    """Check a latent clip.

    Args:
        latent: ``b c t h w``.
        name: What to call it.
        config: Of the network.

    Returns:
        Its tokens.

    Raises:
        ValueError: If it has other axes or channels, or no frame.
    """
    channels, size = config.latent_channels, config.patch_size
    if latent.ndim != 5 or latent.shape[1] != channels or latent.shape[2] < 1:
        raise ValueError(
            f"{name} must be (batch, {channels}, frames, height, width) with at least one "
            f"frame, got {tuple(latent.shape)}"
        )
    return Grid(latent.shape[2], latent.shape[3] // size, latent.shape[4] // size)


def check_pair(noisy_target: Tensor, condition: Tensor, *, config: JDiTConfig) -> Grid:
    """Check that a target and a condition belong together.

    Args:
        noisy_target: ``b c t h w``.
        condition: ``b c s h w``.
        config: Of the network.

    Returns:
        Tokens of the target.

    Raises:
        ValueError: If either is no latent clip, or batch, height or width differ.
    """
    grid = check_latent(noisy_target, "noisy_target", config=config)
    check_latent(condition, "condition", config=config)
    if noisy_target.shape[-2:] != condition.shape[-2:]:
        raise ValueError(
            f"noisy_target {tuple(noisy_target.shape)} and condition {tuple(condition.shape)} "
            f"must have the same height and width"
        )
    if noisy_target.shape[0] != condition.shape[0]:
        raise ValueError(
            f"noisy_target {tuple(noisy_target.shape)} and condition {tuple(condition.shape)} "
            f"must have the same batch"
        )
    return grid


def check_clip_frames(clip_frames: Sequence[int] | None, grid: Grid) -> tuple[int, ...]:
    """Check the lengths of a condition's clips.

    Args:
        clip_frames: Latent frames of each clip; a clip per frame if None.
        grid: Tokens of the condition.

    Returns:
        Tokens of each clip.

    Raises:
        ValueError: If a clip is empty, or the condition has another number of frames.
    """
    clip_frames = (1,) * grid.frames if clip_frames is None else tuple(clip_frames)
    if sum(clip_frames) != grid.frames or min(clip_frames, default=0) < 1:
        raise ValueError(
            f"clip_frames {clip_frames} must be positive and sum to the condition's "
            f"{grid.frames} latent frames"
        )
    return tuple(length * grid.rows * grid.cols for length in clip_frames)


def check_causal(config: JDiTConfig) -> None:
    """Check that a network's condition can be computed without a target.

    Raises:
        ValueError: If it has joint context.
    """
    if config.context_attention != "causal":
        raise ValueError(
            "this model has joint context attention: its condition depends on the noisy target "
            "and the timestep, so it cannot be cached"
        )


def check_cache(cache: ContextCache, grid: Grid, *, batch: int, config: JDiTConfig) -> None:
    """Check that a cached condition serves a latent clip.

    Args:
        cache: The condition so far.
        grid: Tokens of the new clip.
        batch: Samples of the new clip; a cache of fewer serves any multiple of them.
        config: Of the network.

    Raises:
        ValueError: If the cache belongs to another batch, size of picture or network.
    """
    cached_batch = cache.blocks[0].keys.shape[0]
    if batch % cached_batch:
        raise ValueError(f"the cache holds a batch of {cached_batch}, the new latent {batch}")
    if (cache.rows, cache.cols) != (grid.rows, grid.cols):
        raise ValueError(
            f"the cache holds frames of {cache.rows}x{cache.cols} patches, "
            f"the new latent has {grid.rows}x{grid.cols}"
        )
    expected = (config.num_layers, config.num_kv_heads, config.head_dim)
    found = (len(cache.blocks), *cache.blocks[0].keys.shape[2:])
    if found != expected:
        raise ValueError(
            f"the cache has {found} blocks, key-value heads and head size, the model {expected}"
        )
