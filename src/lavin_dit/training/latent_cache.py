"""Latents of episodes, computed once and kept on disk.

A cache holds whole episodes: ``max_pairs + 1`` pairs that share one rule, as latents. How they are
used is in `lavin_dit.training.cached_episodes`.

Files: ``latents.json``, and for each entry chunks of episodes in safetensors, each of which appears
whole or not at all; a build that was stopped goes on where it was.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lavin_dit.data.episodes import EpisodeDrawer
from lavin_dit.data.mixture import Mixture
from lavin_dit.data.one_thread import one_thread
from lavin_dit.data.order import Order, derived_seed
from lavin_dit.data.worker_processes import (
    Failure,
    leave_signals_to_the_run,
    made,
    made_or_failure,
)
from lavin_dit.pipeline.atomic import written_atomically
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.training.batches import encode_pixels, encoding_copy, latent_space

INDEX_FILE = "latents.json"
_VERSION = 1
_EPISODES_PER_CHUNK = 16
_BUILD = 0


def build_latent_cache(
    mixture: Mixture,
    st_vae: STVAE,
    folder: Path,
    *,
    num_episodes: int,
    workers: int = 0,
    on_chunk: Callable[[int, int], object] | None = None,
) -> None:
    """Compute the latents of a mixture's episodes.

    Args:
        mixture: Which tasks and sources, how samples are framed, and how many pairs at most.
        st_vae: The autoencoder, on the device that is to compute.
        folder: Where to; chunks of an earlier run with the same mixture and encoder are kept.
        num_episodes: Episodes of an entry of weight 1; others have more or fewer in proportion.
            Where the folder has fewer, those are added that are missing.
        workers: Processes that draw episodes.
        on_chunk: Called after each chunk with the number done and the number of all.

    Raises:
        ValueError: If the number is not positive.
        NoEpisodeError: If too many samples of a source are rejected.
    """
    if num_episodes < 1:
        raise ValueError(f"num_episodes must be at least 1, got {num_episodes}")
    identity = latents_identity(mixture, st_vae)
    folder.mkdir(parents=True, exist_ok=True)
    plan = [
        (place, chunk, start, min(start + _EPISODES_PER_CHUNK, count))
        for place, count in enumerate(_counts(mixture, num_episodes))
        for chunk, start in enumerate(range(0, count, _EPISODES_PER_CHUNK))
    ]
    waiting = [item for item in plan if not (folder / _chunk_name(identity, *item)).is_file()]
    drawn = DataLoader(
        _Chunks(mixture, waiting),
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=leave_signals_to_the_run,
    )
    done = len(plan) - len(waiting)
    encoder = encoding_copy(st_vae, next(st_vae.parameters()).device)
    for item, (inputs, targets) in zip(waiting, map(made, drawn), strict=True):
        tensors = {
            name: encode_pixels(encoder, clips.flatten(0, 1).numpy())
            .unflatten(0, clips.shape[:2])
            .half()
            .cpu()
            .contiguous()
            for name, clips in (("inputs", inputs), ("targets", targets))
        }
        with written_atomically(folder / _chunk_name(identity, *item)) as partial:
            save_file(tensors, partial)
        done += 1
        if on_chunk is not None:
            on_chunk(done, len(plan))
    _write_index(folder, identity, mixture, plan)


def is_complete(folder: Path, mixture: Mixture, st_vae: STVAE, *, num_episodes: int) -> bool:
    """Whether a folder holds as many of this mixture's latents by this autoencoder's encoder."""
    path = folder / INDEX_FILE
    if not path.is_file():
        return False
    index = json.loads(path.read_text())
    found = [entry["num_episodes"] for entry in index["entries"]]
    wanted = _counts(mixture, num_episodes)
    return index["identity"] == latents_identity(mixture, st_vae) and found == wanted


class _Chunks(Dataset[tuple[Tensor, Tensor] | Failure]):
    """Chunks of episodes as pixels, to be drawn in worker processes."""

    def __init__(self, mixture: Mixture, plan: Sequence[tuple[int, int, int, int]]) -> None:
        self._plan = plan
        self._seed = mixture.seed
        self._num_pairs = mixture.settings.max_pairs
        self._drawers = [
            EpisodeDrawer(
                entry.task,
                entry.source,
                framing=mixture.settings.framing,
                max_rejections=mixture.settings.max_rejections,
                recolour=mixture.settings.recolour,
            )
            for entry in mixture.entries
        ]
        self._orders = [
            Order(
                len(entry.source),
                seed=derived_seed(mixture.seed, _BUILD, place),
                block_size=entry.block_size,
            )
            for place, entry in enumerate(mixture.entries)
        ]

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor] | Failure:
        """A chunk, or why there is none."""
        return made_or_failure(lambda: self._chunk(index))

    def _chunk(self, index: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a chunk's episodes, ``episodes pairs t h w 3``."""
        place, _, start, stop = self._plan[index]
        inputs: list[np.ndarray] = []
        targets: list[np.ndarray] = []
        with one_thread():
            for number in range(start, stop):
                query, block = self._orders[place].at(number)
                episode = self._drawers[place].episode(
                    np.random.default_rng([self._seed, _BUILD, place, number]),
                    num_pairs=self._num_pairs,
                    query=query,
                    among=block,
                )
                pairs = (*episode.context, episode.query)
                inputs.append(np.stack([pair.input for pair in pairs]))
                targets.append(np.stack([pair.target for pair in pairs]))
        return torch.from_numpy(np.stack(inputs)), torch.from_numpy(np.stack(targets))


def _as_it_is(chunk: Any) -> Any:  # noqa: ANN401 - torch's type speaks of lists alone
    """What torch would otherwise stack."""
    return chunk


def latents_identity(mixture: Mixture, st_vae: STVAE) -> str:
    """A short name for what decides the latents, but for how many there are."""
    text = f"{_VERSION} {mixture.fingerprint} {latent_space(st_vae)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _counts(mixture: Mixture, num_episodes: int) -> list[int]:
    """Episodes of each entry."""
    return [max(2, round(num_episodes * entry.weight)) for entry in mixture.entries]


def _chunk_name(identity: str, place: int, chunk: int, start: int, stop: int) -> str:
    """The file of a chunk; the name tells how many it holds, as the last one may be filled up."""
    return f"{identity}-{place:03}-{chunk:05}-of-{stop - start}.safetensors"


def _write_index(
    folder: Path, identity: str, mixture: Mixture, plan: Sequence[tuple[int, int, int, int]]
) -> None:
    """Write the index, which marks the cache as complete."""
    entries: list[dict[str, Any]] = []
    for place, entry in enumerate(mixture.entries):
        own = [item for item in plan if item[0] == place]
        groups = [
            1 + (frames - 1) // STVAE.TEMPORAL_COMPRESSION
            for frames in (entry.task.num_input_frames, entry.task.num_frames)
        ]
        entries.append(
            {
                "task": entry.task.name,
                "source": entry.source.name,
                "weight": entry.weight,
                "shape": groups,
                "chunks": [_chunk_name(identity, *item) for item in own],
                "num_episodes": own[-1][3],
            }
        )
    index = {
        "version": _VERSION,
        "identity": identity,
        "max_pairs": mixture.settings.max_pairs,
        "entries": entries,
    }
    with written_atomically(folder / INDEX_FILE) as partial:
        partial.write_text(json.dumps(index, indent=1), encoding="utf-8")
