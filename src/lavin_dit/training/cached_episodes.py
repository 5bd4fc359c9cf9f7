"""Training batches from a folder of latents.

Each time an episode of the folder is used, some of its pairs are taken in a new order, so that any
of them may be the query; few latents so give many different episodes. What cannot vary any more is
how a sample was framed.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lavin_dit.data.order import Order, Schedule, derived_seed
from lavin_dit.training.batches import Share, TrainingBatch, stack_draws
from lavin_dit.training.config import DrawSettings
from lavin_dit.training.draws import draw_episode
from lavin_dit.training.jdit_objective import LatentEpisodes
from lavin_dit.training.latent_cache import INDEX_FILE
from lavin_dit.training.latent_storage import CachedEntry, Members, open_latents

_SHAPES, _ENTRIES, _WALKS, _PAIRS, _MEMBERS = range(1, 6)


class CachedEpisodes:
    """Training batches from a folder of latents; a pure function of (seed, step).

    Attributes:
        identity: What the latents are of, from `lavin_dit.training.latent_cache.latents_identity`.
    """

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
        """Open a folder that `lavin_dit.training.latent_cache.build_latent_cache` wrote.

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
        self.identity: str = index["identity"]
        self._folder = folder
        self._batch_size = batch_size
        self._pairs = min_pairs, max_pairs
        self._members = index["max_pairs"] + 1
        self._share = share
        self._draws = draws
        self._step = 0
        self._storage = open_latents(folder, self._entries, device=share.device)
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
        """Hand out this process's share of each step.

        For a GPU the next batch is put together while the loop waits for it to finish the last.
        """
        if self._share.device.type == "cpu":
            while True:
                self._step += 1
                yield _CachedBatch(owner=self, step=self._step - 1, ahead=None)
        everything = range(self.share_size)
        with ThreadPoolExecutor(max_workers=1) as reader:
            ahead = reader.submit(self.read, self._step, everything)
            while True:
                batch = _CachedBatch(owner=self, step=self._step, ahead=ahead)
                self._step += 1
                ahead = reader.submit(self.read, self._step, everything)
                yield batch

    def state_dict(self) -> dict[str, Any]:
        """Which batch comes next."""
        return {
            "step": self._step,
            "seed": self._share.seed,
            "latents": self.identity,
            "num_episodes": [entry.num_episodes for entry in self._entries],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved.

        Raises:
            ValueError: If it was saved from other latents, from fewer or more of them, or with
                another seed.
        """
        counts = [entry.num_episodes for entry in self._entries]
        if state.get("num_episodes", counts) != counts:  # once they were not saved
            raise ValueError(
                f"the state was saved from {sum(state['num_episodes'])} cached episodes, but "
                f"{self._folder} has {sum(counts)}: set data.latent_episodes as it was"
            )
        if state.get("latents") != self.identity or state["seed"] != self._share.seed:
            raise ValueError(
                f"the state was saved from latents {state.get('latents')} with seed "
                f"{state['seed']}, but these are {self.identity} with seed {self._share.seed}"
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
        wanted = [self._members_of(step, first + number) for number in places]
        latents = self._storage.read(wanted)
        generators = self._share.generators(step, count=self.share_size)
        draws = [
            draw_episode(
                self._draws,
                target_shape=latents.targets.shape[1:],
                generator=generators[number],
                device=self._share.device,
            )
            for number in places
        ]
        return stack_draws(
            draws,
            inputs=latents.inputs,
            targets=latents.targets,
            tasks=tuple(self._entries[one.place].task for one in wanted),
            generators=[generators[number] for number in places],
        )

    def _members_of(self, step: int, slot: int) -> Members:
        """Which stored pairs, in which order, are the episode of one slot of a step."""
        place, episode = self.place(step, slot)
        generator = np.random.default_rng([self._share.seed, _MEMBERS, step, slot])
        pairs = generator.permutation(self._members)[: self.num_pairs(step) + 1]
        return Members(place, episode, pairs)

    def names(self, step: int) -> list[str]:
        """Where this process's episodes of a step come from."""
        first = self._share.rank * self.share_size
        lines: list[str] = []
        for slot in range(first, first + self.share_size):
            place, episode = self.place(step, slot)
            entry = self._entries[place]
            lines.append(f"{entry.task} from {entry.source}: cached episode {episode}")
        return lines

    def clip_cells(self, step: int) -> tuple[int, int]:
        """Clips of each episode of a step, and latent cells of each target."""
        place, _ = self.place(step, 0)
        height, width = self._storage.picture_size(place)
        frames = self._entries[place].shape[1]
        return 2 * (self.num_pairs(step) + 1), frames * height * width


@dataclass(frozen=True, slots=True, kw_only=True)
class _CachedBatch:
    """This process's share of a step."""

    owner: CachedEpisodes
    step: int
    ahead: Future[LatentEpisodes] | None

    def __len__(self) -> int:
        return self.owner.share_size

    def part(self, start: int, stop: int) -> LatentEpisodes:
        if self.ahead is None:
            return self.owner.read(self.step, range(start, stop))
        return self.ahead.result().slice_episodes(start, stop)

    def describe(self) -> list[str]:
        return self.owner.names(self.step)

    @property
    def clip_cells(self) -> tuple[int, int]:
        return self.owner.clip_cells(self.step)


def _read_entry(stored: Mapping[str, Any]) -> CachedEntry:
    """An entry of the index."""
    tuples = {name: tuple(stored[name]) for name in ("shape", "chunks")}
    values: dict[str, Any] = {**stored, **tuples}
    return CachedEntry(**values)
