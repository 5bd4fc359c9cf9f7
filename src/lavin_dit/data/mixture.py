"""Batches drawn from several tasks and sources, as a pure function of (seed, step).

All episodes of a batch have one number of pairs and one clip length, so that they stack. Each
entry walks through its source in shuffled epochs: every sample is the query once per epoch.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lavin_dit.data.augment import Framing
from lavin_dit.data.batch import EpisodeBatch, stack_episodes
from lavin_dit.data.episodes import EpisodeDrawer, check_task_fits
from lavin_dit.data.one_thread import one_thread
from lavin_dit.data.order import Order, Schedule, derived_seed
from lavin_dit.datasets.source import Source
from lavin_dit.vision.episode import MAX_PAIRS, Episode, check_num_pairs
from lavin_dit.vision.task import AnyTask

# What a seed is for, so that no two uses share their random numbers.
_SHAPES, _TASKS, _WALKS, _PAIRS, _EPISODES = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureEntry:
    """One task shown on one source.

    Attributes:
        task: What is shown.
        source: Where samples come from.
        weight: Share of all batches' episodes, before the weights are made to sum to 1.
        block_size: About how many neighbouring samples an episode draws from, and are used before
            the walk moves on; for sources of which only a part is near. None for all.
        source_settings: What the source was constructed with, as words such as ``size=96x96``: one
            of other settings may look the same, and gives other batches.
    """

    task: AnyTask
    source: Source
    weight: float = 1.0
    block_size: int | None = None
    source_settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """What all batches of a mixture have in common.

    Attributes:
        batch_size: Number of episodes of a batch, over all ranks together.
        framing: How samples come to the size of the episodes.
        min_pairs: Fewest context pairs.
        max_pairs: Most context pairs; each number between is as likely.
        max_rejections: Most samples rejected for each one of an episode, on average.
        recolour: Share of the episodes of annotations whose targets get other colours.
    """

    batch_size: int
    framing: Framing
    min_pairs: int = 1
    max_pairs: int = MAX_PAIRS
    max_rejections: int = 100
    recolour: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_num_pairs(self.min_pairs)
        check_num_pairs(self.max_pairs)
        if self.min_pairs > self.max_pairs:
            raise ValueError(
                f"min_pairs {self.min_pairs} must not exceed max_pairs {self.max_pairs}"
            )
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if not 0 <= self.recolour <= 1:
            raise ValueError(f"recolour must lie in [0, 1], got {self.recolour}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """An entry with what draws from it."""

    drawer: EpisodeDrawer
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The entries whose episodes stack."""

    members: tuple[_Member, ...]
    schedule: Schedule


class Mixture:
    """Training batches; holds no state but caches, so that any batch can be made anywhere."""

    def __init__(
        self, entries: Sequence[MixtureEntry], *, settings: BatchSettings, seed: int
    ) -> None:
        """Check all entries.

        Args:
            entries: What to mix.
            settings: What batches have in common.
            seed: Decides everything that is drawn; not negative.

        Raises:
            ValueError: If there are no entries, a task is held out of training, a source lacks
                what a task needs or is too small, or a weight or the seed is out of range.
        """
        if not entries:
            raise ValueError("a mixture needs at least one task and source")
        if seed < 0:
            raise ValueError(f"seed must not be negative, got {seed}")
        for entry in entries:
            _check_entry(entry, settings=settings)
        self.settings = settings
        self.seed = seed
        self._entries = tuple(entries)
        shapes: dict[tuple[int, int], list[int]] = {}
        for place, entry in enumerate(entries):
            shape = entry.task.num_input_frames, entry.task.num_frames
            shapes.setdefault(shape, []).append(place)
        self._groups = tuple(self._group(places) for places in shapes.values())
        weights = [sum(entries[place].weight for place in places) for places in shapes.values()]
        self._shapes = Schedule(weights, seed=derived_seed(seed, _SHAPES))

    @property
    def entries(self) -> tuple[MixtureEntry, ...]:
        """What is mixed."""
        return self._entries

    @property
    def fingerprint(self) -> str:
        """A digest of all that decides the batches, the contents of the sources' files aside."""
        parts = [
            [
                repr(entry.task),
                entry.source.name,
                entry.source.split,
                len(entry.source),
                entry.weight,
                entry.block_size,
                *sorted(entry.source_settings),
            ]
            for entry in self._entries
        ]
        recolour = [self.settings.recolour] if self.settings.recolour else []
        few = [getattr(entry.task, "few_classes", 0.0) for entry in self._entries]
        text = json.dumps(
            [self.seed, repr(self.settings), parts, *recolour, *([few] if any(few) else [])]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def num_pairs(self, step: int) -> int:
        """Number of context pairs of all episodes of a step."""
        generator = np.random.default_rng([self.seed, _PAIRS, step])
        return int(
            generator.integers(self.settings.min_pairs, self.settings.max_pairs, endpoint=True)
        )

    def episode(self, step: int, slot: int, *, skipped: Counter[str] | None = None) -> Episode:
        """One episode of a batch.

        Args:
            step: Which batch, from 0 on.
            slot: Which of its episodes, below ``batch_size``.
            skipped: Counts the samples rejected on the way.

        Returns:
            The episode.

        Raises:
            NoEpisodeError: If too many samples are rejected.
        """
        group, batches_before = self._shapes.at(step)
        position = batches_before * self.settings.batch_size + slot
        choice, episodes_before = self._groups[group].schedule.at(position)
        member = self._groups[group].members[choice]
        query, block = member.order.at(episodes_before)
        return member.drawer.episode(
            np.random.default_rng([self.seed, _EPISODES, step, slot]),
            num_pairs=self.num_pairs(step),
            query=query,
            among=block,
            skipped=skipped,
        )

    def batch(self, step: int, *, slots: range | None = None) -> EpisodeBatch:
        """A batch, or a rank's part of it.

        Args:
            step: Which batch, from 0 on.
            slots: Which of its episodes; all where None.

        Returns:
            The episodes, stacked.

        Raises:
            NoEpisodeError: If too many samples are rejected.
        """
        skipped: Counter[str] = Counter()
        slots = range(self.settings.batch_size) if slots is None else slots
        with one_thread():
            episodes = [self.episode(step, slot, skipped=skipped) for slot in slots]
        return stack_episodes(episodes, step=step, skipped=skipped)

    def _group(self, places: Sequence[int]) -> _Group:
        """Drawers, orders and the schedule of the entries of one clip length."""
        entries = [self._entries[place] for place in places]
        members = [
            _Member(
                drawer=EpisodeDrawer(
                    entry.task,
                    entry.source,
                    framing=self.settings.framing,
                    max_rejections=self.settings.max_rejections,
                    recolour=self.settings.recolour,
                ),
                order=Order(
                    len(entry.source),
                    seed=derived_seed(self.seed, _WALKS, place),
                    block_size=entry.block_size,
                ),
            )
            for place, entry in zip(places, entries, strict=True)
        ]
        schedule = Schedule(
            [entry.weight for entry in entries], seed=derived_seed(self.seed, _TASKS, places[0])
        )
        return _Group(members=tuple(members), schedule=schedule)


def _check_entry(entry: MixtureEntry, *, settings: BatchSettings) -> None:
    """Refuse an entry that must not or cannot be trained on."""
    task, source = entry.task, entry.source
    where = f"{task.name} on {source.name} ({source.split})"
    if task.held_out:
        raise ValueError(
            f"{where}: {task.name} is held out of all training and evaluated only; leave it out"
        )
    if len(source) <= settings.max_pairs:
        raise ValueError(
            f"{where}: {settings.max_pairs} context pairs and a query need "
            f"{settings.max_pairs + 1} samples, but the source has {len(source)}"
        )
    check_task_fits(task, source)
    if entry.block_size is not None and entry.block_size < 2 * (settings.max_pairs + 1):
        raise ValueError(
            f"{where}: block_size must be at least {2 * (settings.max_pairs + 1)}, twice the "
            f"samples of an episode, got {entry.block_size}"
        )
