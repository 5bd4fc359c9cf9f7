"""Episodes drawn from a few pairs: one of them is the query, others are its context."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lavin_dit.data.order import Order, derived_seed
from lavin_dit.training.batches import Share, TrainingBatch, stack_draws
from lavin_dit.training.config import DrawSettings
from lavin_dit.training.draws import draw_episode
from lavin_dit.training.jdit_objective import LatentEpisodes
from lavin_dit.training.pair_latents import PairLatents

_QUERIES, _NUM_PAIRS, _MEMBERS = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which pairs do what.

    Attributes:
        queries: Pairs that are queries in turn, equally often.
        context: Pairs that the context is drawn from, never the query itself.
        min_pairs: Fewest context pairs; the number is drawn for each step.
        max_pairs: Most context pairs.

    Raises:
        ValueError: If there are too few pairs for that.
    """

    queries: tuple[int, ...]
    context: tuple[int, ...]
    min_pairs: int
    max_pairs: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        most = len(self.context) - bool(set(self.queries) & set(self.context))
        if not self.queries or not 1 <= self.min_pairs <= self.max_pairs <= most:
            raise ValueError(
                f"min_pairs {self.min_pairs} and max_pairs {self.max_pairs} must lie in 1 to "
                f"{most}, the pairs that a query can have for context"
            )


class PairEpisodes:
    """Batches from the latents of a few pairs; a pure function of (seed, step)."""

    def __init__(
        self,
        latents: PairLatents,
        roles: Roles,
        *,
        batch_size: int,
        share: Share,
        draws: DrawSettings,
        task: str,
    ) -> None:
        """Take pairs.

        Args:
            latents: Their latents.
            roles: Which of them do what.
            batch_size: Episodes of a batch, over all processes.
            share: This process's share.
            draws: What chance decides.
            task: What the task is called in the log.

        Raises:
            ValueError: If batches don't divide among processes.
        """
        if batch_size % share.world_size:
            raise ValueError(
                f"batch_size {batch_size} must be divisible by the {share.world_size} processes"
            )
        self._latents = latents
        self._roles = roles
        self._batch_size = batch_size
        self._share = share
        self._draws = draws
        self._task = task
        self._step = 0
        self._order = Order(len(roles.queries), seed=derived_seed(share.seed, _QUERIES))

    def __iter__(self) -> Iterator[TrainingBatch]:
        """Hand out this process's share of each step."""
        while True:
            batch = self.batch(self._step)
            self._step += 1
            yield batch

    def batch(self, step: int) -> TrainingBatch:
        """This process's share of one step."""
        return _PairBatch(owner=self, step=step)

    def state_dict(self) -> dict[str, Any]:
        """Which batch comes next."""
        return {"step": self._step, "seed": self._share.seed, "pairs": list(self._latents.names)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved.

        Raises:
            ValueError: If it was saved with other pairs or another seed.
        """
        own = self.state_dict()
        if state["pairs"] != own["pairs"] or state["seed"] != own["seed"]:
            raise ValueError(
                f"the state was saved with seed {state['seed']} and pairs "
                f"{', '.join(state['pairs'])}; now they are {own['seed']} and "
                f"{', '.join(own['pairs'])}"
            )
        self._step = int(state["step"])

    @property
    def share_size(self) -> int:
        """Episodes of each batch that belong to this process."""
        return self._batch_size // self._share.world_size

    def members(self, step: int, place: int) -> list[int]:
        """Pairs of one of this process's episodes; the query is the last."""
        roles, slot = self._roles, self._slot(place)
        query = roles.queries[self._order.at(step * self._batch_size + slot)[0]]
        others = [pair for pair in roles.context if pair != query]
        seed = self._share.seed
        count = int(
            np.random.default_rng([seed, _NUM_PAIRS, step]).integers(
                roles.min_pairs, roles.max_pairs + 1
            )
        )
        chosen = np.random.default_rng([seed, _MEMBERS, step, slot]).permutation(others)[:count]
        return [*chosen.tolist(), query]

    def read(self, step: int, places: range) -> LatentEpisodes:
        """Some of this process's episodes, with what chance decides about them."""
        all_generators = self._share.generators(step, count=self.share_size)
        generators = [all_generators[place] for place in places]
        latents = self._latents
        pairs = torch.tensor([self.members(step, place) for place in places])
        views = torch.stack(
            [
                torch.randint(latents.inputs.shape[1], pairs.shape[1:], generator=one)
                for one in generators
            ]
        )
        inputs, targets = (
            of_half[pairs, views].to(self._share.device)
            for of_half in (latents.inputs, latents.targets)
        )
        draws = [
            draw_episode(
                self._draws,
                target_shape=target.shape,
                generator=one,
                device=target.device,
            )
            for target, one in zip(targets, generators, strict=True)
        ]
        return stack_draws(
            draws,
            inputs=inputs,
            targets=targets,
            tasks=(self._task,) * len(places),
            generators=generators,
        )

    def names(self, step: int) -> list[str]:
        """Which pairs this process's episodes of a step are made of."""
        lines: list[str] = []
        for place in range(self.share_size):
            *context, query = (self._latents.names[pair] for pair in self.members(step, place))
            lines.append(f"{self._task}: query {query}, context {', '.join(context)}")
        return lines

    def clip_cells(self, step: int) -> tuple[int, int]:
        """Clips of each episode of a step, and latent cells of each target."""
        frames, height, width = self._latents.targets.shape[3:]
        return 2 * len(self.members(step, 0)), frames * height * width

    def _slot(self, place: int) -> int:
        return self._share.rank * self.share_size + place


@dataclass(frozen=True, slots=True, kw_only=True)
class _PairBatch:
    """This process's share of a step."""

    owner: PairEpisodes
    step: int

    def __len__(self) -> int:
        return self.owner.share_size

    def part(self, start: int, stop: int) -> LatentEpisodes:
        return self.owner.read(self.step, range(start, stop))

    def describe(self) -> list[str]:
        return self.owner.names(self.step)

    @property
    def clip_cells(self) -> tuple[int, int]:
        return self.owner.clip_cells(self.step)
