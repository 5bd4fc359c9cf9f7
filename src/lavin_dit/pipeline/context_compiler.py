"""Compiling context pairs, and telling whether a compiled task fits."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.context import ContextPair
from lavin_dit.pipeline.detail import NO_DETAIL, SharedDetail, are_comparable, pair_detail
from lavin_dit.pipeline.fitting import Canvas, Fit, Placement, canvas_for, place
from lavin_dit.pipeline.networks import Networks
from lavin_dit.pipeline.seeds import derived_seed
from lavin_dit.pipeline.tiles import middle_of


def compile_pairs(  # noqa: PLR0913 - a context, and all ways to compile it
    networks: Networks,
    pairs: Sequence[ContextPair],
    *,
    canvas: Canvas,
    fit: Fit,
    seed: int,
    keep_detail: bool,
    onto: CompiledTask | None = None,
) -> CompiledTask:
    """Encode pairs, and with causal context attention compute their keys and values.

    Args:
        networks: What to encode and compute with.
        pairs: Examples, in order.
        canvas: Working size.
        fit: How pictures get there. Of pairs for ``tile``, the middle is shown at its own size: the
            task at the scale at which tiles of queries meet it.
        seed: What posterior noise is drawn from, where it is sampled.
        keep_detail: Whether to measure what targets keep of their inputs, which decodes the pairs.
        onto: A task to append to; it stays as it is, and none of it is computed again.

    Raises:
        ValueError: If targets are neither as long as their inputs nor all of one length.
    """
    target_num_frames = _target_num_frames(pairs)
    if onto is not None and target_num_frames != onto.target_num_frames:
        raise ValueError(
            f"{_describe_targets(target_num_frames)} in the new pair, but "
            f"{_describe_targets(onto.target_num_frames)} in the task"
        )
    shown = [middle_of(pair, canvas) for pair in pairs] if fit == "tile" else pairs
    clips = [clip for pair in shown for clip in (pair.input, pair.target)]
    way = "pad" if fit == "tile" else fit
    placements = [place(clip.size, canvas=canvas, fit=way) for clip in clips]
    first = 0 if onto is None else len(onto.clip_frames)
    seeds = [
        derived_seed(seed, "context posterior", index=first + offset)
        for offset in range(len(clips))
    ]
    latents = networks.encode_clips(clips, placements, seeds=seeds)
    latent = torch.cat(latents, dim=2)
    clip_frames = tuple(part.shape[2] for part in latents)
    cache = networks.extend_context(
        None if onto is None else onto.cache, latent, clip_frames=clip_frames
    )
    detail = _detail_of(networks, shown, latents, placements) if keep_detail else None
    pair_names = tuple(pair.name for pair in pairs)
    if onto is not None:
        latent = torch.cat([onto.latent.to(latent), latent], dim=2)
        clip_frames = onto.clip_frames + clip_frames
        pair_names = onto.pair_names + pair_names
        detail = None if detail is None or onto.detail is None else onto.detail + detail
    return CompiledTask(
        latent=latent,
        clip_frames=clip_frames,
        cache=cache,
        canvas=canvas,
        fit=fit,
        pair_names=pair_names,
        target_num_frames=target_num_frames,
        model=networks.fingerprint(),
        detail=detail,
    )


def check_task(
    networks: Networks,
    task: CompiledTask,
    *,
    height: int | None = None,
    width: int | None = None,
    fit: Fit | None = None,
) -> None:
    """Check that a compiled task belongs to these networks and to the settings asked for.

    Raises:
        ValueError: If it doesn't.
    """
    own = networks.fingerprint()
    if task.model != own:
        raise ValueError(
            f"the compiled task belongs to another model ({task.model}, this one is {own}): "
            f"compile it again"
        )
    wanted = canvas_for(
        task.canvas.height if height is None else height,
        task.canvas.width if width is None else width,
    )
    if wanted != task.canvas or (fit or task.fit) != task.fit:
        raise ValueError(
            f"the compiled task was built at {task.canvas.height}x{task.canvas.width} with fit "
            f"{task.fit!r}, but {wanted.height}x{wanted.width} with fit {fit or task.fit!r} is "
            f"asked for: compile it again or leave the settings out"
        )


def _detail_of(
    networks: Networks,
    pairs: Sequence[ContextPair],
    latents: Sequence[Tensor],
    placements: Sequence[Placement],
) -> SharedDetail:
    """What inputs and targets have in common, over all pairs."""
    total = NO_DETAIL
    for number, pair in enumerate(pairs):
        if not are_comparable(pair.input.num_frames, pair.target.num_frames):
            continue
        own = slice(2 * number, 2 * number + 2)
        halves = pair.input, pair.target
        total += pair_detail(
            [clip.frames for clip in halves],
            [
                networks.rebuild(latent, num_frames=clip.num_frames)
                for latent, clip in zip(latents[own], halves, strict=True)
            ],
            placements[own],
        )
    return total


def _describe_targets(num_frames: int | None) -> str:
    return f"targets have {num_frames or 'as many'} frames{'' if num_frames else ' as inputs'}"


def _target_num_frames(pairs: Sequence[ContextPair]) -> int | None:
    """Tell how long targets are; None if each is as long as its input.

    Raises:
        ValueError: If targets follow neither rule.
    """
    if all(pair.input.num_frames == pair.target.num_frames for pair in pairs):
        return None
    lengths = {pair.target.num_frames for pair in pairs}
    if len(lengths) > 1:
        raise ValueError(
            f"targets must be as long as their inputs, or all of one length; got targets of "
            f"{', '.join(map(str, sorted(lengths)))} frames"
        )
    return lengths.pop()
