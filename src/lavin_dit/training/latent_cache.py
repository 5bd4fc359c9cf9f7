"""Latents of episodes, computed once and kept on disk.

A cache holds whole episodes: ``max_pairs + 1`` pairs that share one rule, as latents. Each time an
episode is used, some of its pairs are taken in a new order, so that any of them may be the query;
a small cache so gives many different episodes. What cannot vary any more is how a sample was
framed.

Files: ``latents.json``, and for each entry chunks of episodes in safetensors, each of which appears
whole or not at all; a build that was stopped goes on where it was.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lavin_dit.data.episodes import EpisodeDrawer
from lavin_dit.data.mixture import Mixture
from lavin_dit.data.one_thread import one_thread
from lavin_dit.data.order import Order, Schedule, derived_seed
from lavin_dit.pipeline.atomic import written_atomically
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.training.batches import Share, TrainingBatch, encode_pixels, stack_draws
from lavin_dit.training.config import DrawSettings
from lavin_dit.training.draws import draw_episode
from lavin_dit.training.jdit_objective import LatentEpisodes
from lavin_dit.weights.fingerprint import fingerprint

INDEX_FILE = "latents.json"
_VERSION = 1
_EPISODES_PER_CHUNK = 16
_BUILD, _SHAPES, _ENTRIES, _WALKS, _PAIRS, _MEMBERS = range(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedEntry:
    """Episodes of one task from one source.

    Attributes:
        task: Name of the task.
        source: Name of the source.
        weight: Share in the mixture, before weights are made to sum to 1.
        shape: Frames of inputs and of targets, as latents.
        chunks: Files of the episodes.
        num_episodes: Episodes in all chunks.
    """

    task: str
    source: str
    weight: float
    shape: tuple[int, int]
    chunks: tuple[str, ...]
    num_episodes: int


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
        folder: Where to; chunks of an earlier run with the same mixture and autoencoder are kept.
        num_episodes: Episodes of an entry of weight 1; others have more or fewer in proportion.
        workers: Processes that draw episodes.
        on_chunk: Called after each chunk with the number done and the number of all.

    Raises:
        ValueError: If the folder holds another mixture's latents, or the number is not positive.
        NoEpisodeError: If too many samples of a source are rejected.
    """
    if num_episodes < 1:
        raise ValueError(f"num_episodes must be at least 1, got {num_episodes}")
    identity = _identity(mixture, st_vae)
    folder.mkdir(parents=True, exist_ok=True)
    plan = [
        (place, chunk, start, min(start + _EPISODES_PER_CHUNK, count))
        for place, entry in enumerate(mixture.entries)
        for count in [max(2, round(num_episodes * entry.weight))]
        for chunk, start in enumerate(range(0, count, _EPISODES_PER_CHUNK))
    ]
    waiting = [item for item in plan if not (folder / _chunk_name(identity, *item[:2])).is_file()]
    drawn = DataLoader(
        _Chunks(mixture, waiting), batch_size=None, num_workers=workers, collate_fn=_as_it_is
    )
    done = len(plan) - len(waiting)
    for (place, chunk, _, _), (inputs, targets) in zip(waiting, drawn, strict=True):
        tensors = {
            name: encode_pixels(st_vae, clips.flatten(0, 1).numpy())
            .unflatten(0, clips.shape[:2])
            .half()
            .cpu()
            .contiguous()
            for name, clips in (("inputs", inputs), ("targets", targets))
        }
        with written_atomically(folder / _chunk_name(identity, place, chunk)) as partial:
            save_file(tensors, partial)
        done += 1
        if on_chunk is not None:
            on_chunk(done, len(plan))
    _write_index(folder, identity, mixture, plan)


def is_complete(folder: Path, mixture: Mixture, st_vae: STVAE) -> bool:
    """Whether a folder holds this mixture's latents by this autoencoder."""
    path = folder / INDEX_FILE
    if not path.is_file():
        return False
    return json.loads(path.read_text())["identity"] == _identity(mixture, st_vae)


class CachedEpisodes:
    """Training batches from a folder of latents; a pure function of (seed, step)."""

    def __init__(
        self,
        folder: Path,
        *,
        batch_size: int,
        min_pairs: int,
        max_pairs: int,
        share: Share,
        draws: DrawSettings,
    ) -> None:
        """Open a folder that `build_latent_cache` wrote.

        Args:
            folder: The folder.
            batch_size: Episodes of a batch, over all processes.
            min_pairs: Fewest context pairs.
            max_pairs: Most context pairs; no more than the cache's episodes have.
            share: This process's share.
            draws: What chance decides.

        Raises:
            FileNotFoundError: If there is no such cache.
            ValueError: If batches don't divide among processes, or there are fewer pairs.
        """
        path = folder / INDEX_FILE
        if not path.is_file():
            raise FileNotFoundError(f"no latents at {path}")
        index = json.loads(path.read_text(encoding="utf-8"))
        if batch_size % share.world_size:
            raise ValueError(
                f"batch_size {batch_size} must be divisible by the {share.world_size} processes"
            )
        if not 1 <= min_pairs <= max_pairs <= index["max_pairs"]:
            raise ValueError(
                f"min_pairs {min_pairs} and max_pairs {max_pairs} must lie in 1 to "
                f"{index['max_pairs']}, the pairs of the episodes in {folder}"
            )
        self._entries = [_read_entry(entry) for entry in index["entries"]]
        self._identity = index["identity"]
        self._folder = folder
        self._batch_size = batch_size
        self._pairs = min_pairs, max_pairs
        self._members = index["max_pairs"] + 1
        self._share = share
        self._draws = draws
        self._step = 0
        self._files: dict[str, Any] = {}
        self._plan()

    def _plan(self) -> None:
        """Orders and schedules of all entries, grouped by shape so that episodes stack."""
        seed = self._share.seed
        groups: dict[tuple[int, int], list[int]] = {}
        for place, entry in enumerate(self._entries):
            groups.setdefault(entry.shape, []).append(place)
        self._groups = list(groups.values())
        weights = [[self._entries[place].weight for place in group] for group in self._groups]
        self._shapes = Schedule([sum(group) for group in weights], seed=derived_seed(seed, _SHAPES))
        self._schedules = [
            Schedule(group, seed=derived_seed(seed, _ENTRIES, number))
            for number, group in enumerate(weights)
        ]
        self._orders = [
            Order(entry.num_episodes, seed=derived_seed(seed, _WALKS, place))
            for place, entry in enumerate(self._entries)
        ]

    def __iter__(self) -> Iterator[TrainingBatch]:
        """Hand out this process's share of each step."""
        while True:
            batch = _CachedBatch(owner=self, step=self._step)
            self._step += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Which batch comes next."""
        return {"step": self._step, "seed": self._share.seed, "latents": self._identity}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved.

        Raises:
            ValueError: If it was saved from other latents or with another seed.
        """
        if state.get("latents") != self._identity or state["seed"] != self._share.seed:
            raise ValueError(
                f"the state was saved from latents {state.get('latents')} with seed "
                f"{state['seed']}, but these are {self._identity} with seed {self._share.seed}"
            )
        self._step = int(state["step"])

    @property
    def share_size(self) -> int:
        """Episodes of each batch that belong to this process."""
        return self._batch_size // self._share.world_size

    def num_pairs(self, step: int) -> int:
        """Context pairs of all episodes of a step."""
        low, high = self._pairs
        return int(np.random.default_rng([self._share.seed, _PAIRS, step]).integers(low, high + 1))

    def shape(self, step: int) -> tuple[int, int]:
        """Latent frames of the inputs and targets of a step."""
        return self._entries[self._groups[self._shapes.at(step)[0]][0]].shape

    def place(self, step: int, slot: int) -> tuple[int, int]:
        """Entry and episode of one slot of a step."""
        group, before = self._shapes.at(step)
        choice, episodes_before = self._schedules[group].at(before * self._batch_size + slot)
        place = self._groups[group][choice]
        return place, self._orders[place].at(episodes_before)[0]

    def read(self, step: int, places: range) -> LatentEpisodes:
        """Read some of this process's episodes, and draw what chance decides about them."""
        first = self._share.rank * self.share_size
        inputs: list[Tensor] = []
        targets: list[Tensor] = []
        tasks: list[str] = []
        for number in places:
            entry, episode = self.place(step, first + number)
            generator = np.random.default_rng([self._share.seed, _MEMBERS, step, first + number])
            chosen = generator.permutation(self._members)[: self.num_pairs(step) + 1]
            of_episode = self._episode(self._entries[entry], episode)
            inputs.append(of_episode["inputs"][chosen].float())
            targets.append(of_episode["targets"][chosen].float())
            tasks.append(self._entries[entry].task)
        generators = self._share.generators(step, count=self.share_size)
        draws = [
            draw_episode(self._draws, target_shape=target.shape, generator=generators[number])
            for target, number in zip(targets, places, strict=True)
        ]
        device = self._share.device
        return stack_draws(
            draws,
            inputs=torch.stack(inputs).to(device),
            targets=torch.stack(targets).to(device),
            tasks=tuple(tasks),
            generators=[generators[number] for number in places],
        )

    def names(self, step: int) -> list[str]:
        """Where this process's episodes of a step come from."""
        first = self._share.rank * self.share_size
        lines: list[str] = []
        for slot in range(first, first + self.share_size):
            place, episode = self.place(step, slot)
            entry = self._entries[place]
            lines.append(f"{entry.task} from {entry.source}: cached episode {episode}")
        return lines

    def clip_tokens(self, step: int) -> tuple[int, int]:
        """Clips of each episode of a step, and tokens of each target."""
        entry = self._entries[self.place(step, 0)[0]]
        height, width = self._file(entry.chunks[0]).get_slice("targets").get_shape()[-2:]
        return 2 * (self.num_pairs(step) + 1), entry.shape[1] * (height // 2) * (width // 2)

    def _episode(self, entry: CachedEntry, episode: int) -> dict[str, Float[Tensor, "..."]]:
        """Latents of all pairs of one episode."""
        chunk, place = divmod(episode, _EPISODES_PER_CHUNK)
        file = self._file(entry.chunks[chunk])
        return {part: file.get_slice(part)[place] for part in ("inputs", "targets")}

    def _file(self, name: str) -> Any:  # noqa: ANN401 - safetensors has no public type for it
        """A chunk, which stays open."""
        if name not in self._files:
            self._files[name] = safe_open(self._folder / name, framework="pt").__enter__()
        return self._files[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CachedBatch:
    """This process's share of a step."""

    owner: CachedEpisodes
    step: int

    def __len__(self) -> int:
        return self.owner.share_size

    def part(self, start: int, stop: int) -> LatentEpisodes:
        return self.owner.read(self.step, range(start, stop))

    def describe(self) -> list[str]:
        return self.owner.names(self.step)

    @property
    def clip_tokens(self) -> tuple[int, int]:
        return self.owner.clip_tokens(self.step)


class _Chunks(Dataset[tuple[Tensor, Tensor]]):
    """Chunks of episodes as pixels, to be drawn in worker processes."""

    def __init__(self, mixture: Mixture, plan: Sequence[tuple[int, int, int, int]]) -> None:
        self._plan = plan
        self._seed = mixture.seed
        self._num_pairs = mixture.settings.max_pairs
        self._drawers = [
            EpisodeDrawer(entry.task, entry.source, framing=mixture.settings.framing)
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

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
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


def _read_entry(stored: Mapping[str, Any]) -> CachedEntry:
    """An entry of the index."""
    tuples = {name: tuple(stored[name]) for name in ("shape", "chunks")}
    values: dict[str, Any] = {**stored, **tuples}
    return CachedEntry(**values)


def _identity(mixture: Mixture, st_vae: STVAE) -> str:
    """What decides the latents."""
    text = f"{_VERSION} {mixture.fingerprint} {fingerprint(st_vae)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _chunk_name(identity: str, place: int, chunk: int) -> str:
    return f"{identity}-{place:03}-{chunk:05}.safetensors"


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
                "chunks": [_chunk_name(identity, place, chunk) for _, chunk, _, _ in own],
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
