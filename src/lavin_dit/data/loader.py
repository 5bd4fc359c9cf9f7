"""Batches in worker processes, over ranks, with exact resume.

A batch is a pure function of (seed, step): a worker makes whole steps, a rank takes its slots of
each step, and to resume is to start at a step. So the number of workers and of ranks may change
from one run to the next without changing what is trained on.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Dataset

from lavin_dit.data.batch import EpisodeBatch, Origin
from lavin_dit.data.mixture import Mixture
from lavin_dit.data.worker_processes import (
    Failure,
    leave_signals_to_the_run,
    made,
    made_or_failure,
)

_log = logging.getLogger(__name__)
_ARRAYS = ("context_inputs", "context_targets", "query", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Processes that make batches ahead of their use.

    Attributes:
        count: Number of processes; 0 makes batches where they are asked for.
        prefetch: Batches that each process makes ahead.
        start_method: How processes are started; None for the platform's way.
    """

    count: int = 0
    prefetch: int = 2
    start_method: Literal["fork", "forkserver", "spawn"] | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.count < 0 or self.prefetch < 1:
            raise ValueError(f"workers need count >= 0 and prefetch >= 1, got {self}")


class EpisodeLoader:
    """An iterator over the batches of a mixture.

    Attributes:
        step: The step that comes next.
        skipped: Samples rejected on the way to the batches handed out, by task, source and
            reason; of this rank.
    """

    def __init__(
        self,
        mixture: Mixture,
        *,
        rank: int = 0,
        world_size: int = 1,
        workers: Workers | None = None,
    ) -> None:
        """Take a rank's share of every batch.

        Args:
            mixture: What to load.
            rank: Which share.
            world_size: Number of shares.
            workers: Processes that make batches; none where None.

        Raises:
            ValueError: If batches do not divide among the ranks, or there is no such rank.
        """
        batch_size = mixture.settings.batch_size
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must lie in 0 to {world_size - 1}, got {rank}")
        if batch_size % world_size:
            raise ValueError(
                f"batch_size {batch_size} must be divisible by the number of ranks, {world_size}"
            )
        self.step = 0
        self.skipped: Counter[str] = Counter()
        self._mixture = mixture
        self._workers = workers or Workers()
        share = batch_size // world_size
        self._slots = range(rank * share, (rank + 1) * share)

    def __iter__(self) -> Iterator[EpisodeBatch]:
        """Hand out batches from ``step`` on, without end.

        Yields:
            This rank's part of each step's batch. Leaving the loop ends the workers.

        Raises:
            NoEpisodeError: If too many samples of a source are rejected.
            ShardError: If shards are damaged.
        """
        for parcel in self._data_loader():
            batch = made(parcel).unpacked()
            for reason, number in batch.skipped.items():
                if reason not in self.skipped:
                    _log.warning("step %d: skipping a sample of %s", batch.step, reason)
                self.skipped[reason] += number
            self.step = batch.step + 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is: plain values that say which batch comes next."""
        return {
            "step": self.step,
            "seed": self._mixture.seed,
            "mixture": self._mixture.fingerprint,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved, on any number of ranks and workers.

        Args:
            state: What ``state_dict`` returned. It takes effect on the next iteration.

        Raises:
            ValueError: If the state was saved from another mixture or seed.
        """
        if state["seed"] != self._mixture.seed:
            raise ValueError(
                f"the state was saved with seed {state['seed']}, but the mixture has seed "
                f"{self._mixture.seed}"
            )
        if state["mixture"] != self._mixture.fingerprint:
            raise ValueError(
                "the state was saved from a mixture with other tasks, sources, weights or batch "
                "settings; start from step 0, or restore what was changed"
            )
        self.step = int(state["step"])

    def _data_loader(self) -> DataLoader[Any]:
        """Torch's loader of whole steps."""
        parallel: dict[str, Any] = {}
        if self._workers.count:
            parallel = {
                "num_workers": self._workers.count,
                "worker_init_fn": leave_signals_to_the_run,
                "prefetch_factor": self._workers.prefetch,
                "multiprocessing_context": self._workers.start_method,
            }
        return DataLoader(
            _Steps(self._mixture, self._slots),
            sampler=count(self.step),
            batch_size=None,
            collate_fn=_as_it_is,
            # A generator of its own: drawing the workers' seeds must not move the global one.
            generator=torch.Generator().manual_seed(0),
            **parallel,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parcel:
    """A batch on its way between processes: arrays travel as tensors, which cross uncopied."""

    tensors: dict[str, torch.Tensor]
    step: int
    origins: tuple[Origin, ...]
    skipped: Mapping[str, int]

    def unpacked(self) -> EpisodeBatch:
        """The batch, on the same memory."""
        arrays = {name: tensor.numpy() for name, tensor in self.tensors.items()}
        return EpisodeBatch(step=self.step, origins=self.origins, skipped=self.skipped, **arrays)


class _Steps(Dataset[_Parcel | Failure]):
    """Steps as items."""

    def __init__(self, mixture: Mixture, slots: range) -> None:
        self._mixture = mixture
        self._slots = slots

    def __getitem__(self, index: int) -> _Parcel | Failure:
        """One step's batch, or why there is none."""
        return made_or_failure(lambda: self._parcel(index))

    def _parcel(self, index: int) -> _Parcel:
        """One step's batch."""
        batch = self._mixture.batch(index, slots=self._slots)
        tensors = {name: torch.from_numpy(getattr(batch, name)) for name in _ARRAYS}
        return _Parcel(
            tensors=tensors, step=batch.step, origins=batch.origins, skipped=batch.skipped
        )


def _as_it_is(parcel: Any) -> Any:  # noqa: ANN401 - torch's type speaks of lists alone
    """What torch would otherwise turn into other tensors."""
    return parcel
