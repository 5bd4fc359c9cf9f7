"""What is looked at during a run: losses on episodes that it does not train on, and pictures."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from lavin_dit.data.batch import EpisodeBatch
from lavin_dit.jdit.model import JDiT
from lavin_dit.pipeline.sampling import SamplingSettings, sample_episodes
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.training.batches import TrainingBatch, clips_at_once, clips_of, encode_pixels
from lavin_dit.training.jdit_objective import interleaved
from lavin_dit.training.objective import Losses
from lavin_dit.vision.contact_sheet import Cell, Strip, draw_sheet
from lavin_dit.vision.psnr import psnr_db

_SHEET_SEED = 0
_PAIRS_SHOWN = 3


@torch.no_grad()
def mean_losses(
    objective: Callable[[Any, int], Losses],
    batches: Iterable[TrainingBatch],
    *,
    at_once: int | None = None,
) -> dict[str, float]:
    """Mean of what an objective logs, over batches that are always the same.

    Args:
        objective: Or what wraps it, in evaluation mode, with the weights that are judged.
        batches: Validation batches; each counts alike, be it of images or of clips. Their draws are
            fixed, so that values of one run compare.
        at_once: Samples that are computed at once, for an objective that logs means over samples;
            all of a batch if None.
    """
    sums: dict[str, list[float]] = {}
    for batch in batches:
        size = at_once or len(batch)
        values: dict[str, float] = {}
        for start in range(0, len(batch), size):
            stop = min(start + size, len(batch))
            losses = objective(batch.part(start, stop), batch.step)
            share = (stop - start) / len(batch)
            for name, value in losses.logged.items():
                values[name] = values.get(name, 0.0) + share * float(value)
        for name, value in values.items():
            sums.setdefault(name, []).append(value)
    return {f"validation/{name}": float(np.mean(values)) for name, values in sums.items()}


@torch.no_grad()
def predict_targets(
    jdit: JDiT, st_vae: STVAE, batch: EpisodeBatch, *, settings: SamplingSettings
) -> UInt8[np.ndarray, "b t h w 3"]:
    """Solve the queries of a batch of episodes.

    Args:
        jdit: The network.
        st_vae: The autoencoder, on the same device.
        batch: Episodes.
        settings: How to integrate.
    """
    inputs, targets = (
        encode_pixels(st_vae, np.concatenate(clips)).unflatten(0, (len(clips), -1))
        for clips in clips_of(batch)
    )
    condition, clip_frames = interleaved(inputs, targets)
    generator = torch.Generator().manual_seed(_SHEET_SEED)
    noise = torch.randn(targets[:, -1].shape, generator=generator).to(condition)
    latent = sample_episodes(
        jdit, condition, clip_frames=clip_frames, noise=noise, settings=settings
    )
    return decode_to_bytes(st_vae, latent)


@torch.no_grad()
def decode_to_bytes(
    st_vae: STVAE, latent: Float[Tensor, "b c s y x"]
) -> UInt8[np.ndarray, "b t h w 3"]:
    """Decode normalised latents to 8-bit clips."""
    dtype = next(st_vae.parameters()).dtype
    pixels = st_vae.decode(st_vae.denormalize(latent).to(dtype)).float()
    levels = ((pixels.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return rearrange(levels, "b c t h w -> b t h w c").cpu().numpy()


@torch.no_grad()
def reconstruct(
    st_vae: STVAE, clips: UInt8[np.ndarray, "n t h w 3"]
) -> UInt8[np.ndarray, "n t h w 3"]:
    """Encode clips to their modes, and decode them, some at a time."""
    size = clips_at_once(st_vae, clips.shape)
    return np.concatenate(
        [
            decode_to_bytes(st_vae, encode_pixels(st_vae, clips[start : start + size]))
            for start in range(0, len(clips), size)
        ]
    )


def clip_psnr_db(found: UInt8[np.ndarray, "..."], expected: UInt8[np.ndarray, "..."]) -> float:
    """Peak signal-to-noise ratio of 8-bit clips; see `psnr_db`."""
    return psnr_db(float(np.mean(((found.astype(np.float64) - expected) / 255) ** 2)))


def prediction_strips(
    batch: EpisodeBatch, predicted: UInt8[np.ndarray, "b t h w 3"]
) -> list[Strip]:
    """A row for each episode: some of its pairs, the query, the prediction and the truth."""
    strips: list[Strip] = []
    for place, origin in enumerate(batch.origins):
        shown = min(_PAIRS_SHOWN, batch.context_inputs.shape[1])
        cells: list[Cell] = []
        for pair in range(shown):
            cells.append(Cell(caption="input", frames=batch.context_inputs[place, pair]))
            cells.append(Cell(caption="target", frames=batch.context_targets[place, pair]))
        cells += [
            Cell(caption="query", frames=batch.query[place]),
            Cell(caption="prediction", frames=predicted[place]),
            Cell(caption="truth", frames=batch.target[place]),
        ]
        title = f"{origin.task} from {origin.source}, {batch.context_inputs.shape[1]} pairs"
        strips.append(Strip(title=title, cells=tuple(cells)))
    return strips


def reconstruction_strips(
    clips: Sequence[UInt8[np.ndarray, "n t h w 3"]], st_vae: STVAE
) -> list[Strip]:
    """A row for each group of clips: every clip above its reconstruction."""
    strips: list[Strip] = []
    for group in clips:
        rebuilt = reconstruct(st_vae, group)
        for name, frames in (("clips", group), (f"{clip_psnr_db(rebuilt, group):.1f} dB", rebuilt)):
            cells = tuple(Cell(caption="", frames=clip) for clip in frames)
            strips.append(Strip(title=name, cells=cells))
    return strips


def save_sheet(path: Path, strips: Sequence[Strip]) -> None:
    """Write a sheet as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_sheet(strips)).save(path)
