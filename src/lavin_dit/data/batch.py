"""Episodes of one shape stacked into arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.episode import Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an episode comes from, and what its target means.

    Attributes:
        task: Name of the task.
        source: Name of the source.
        context_names: Names of the context's samples.
        query_name: Name of the query's sample.
        rule: What the pairs of the episode share; None for a task without rules, and where targets
            have other colours than the task's.
        target_key: What turns the query's target into exact numbers; None where it says it all, or
            has other colours.
    """

    task: str
    source: str
    context_names: tuple[str, ...]
    query_name: str
    rule: object
    target_key: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeBatch:
    """Episodes with the same number of pairs and the same clip shapes.

    Attributes:
        step: The step of the mixture that this is.
        context_inputs: Inputs of the context pairs.
        context_targets: Targets of the context pairs.
        query: Inputs of the queries.
        target: Targets of the queries.
        origins: Where each episode comes from.
        skipped: Samples rejected while drawing these episodes, by task, source and reason.
    """

    step: int
    context_inputs: UInt8[np.ndarray, "b p s h w 3"]
    context_targets: UInt8[np.ndarray, "b p t h w 3"]
    query: UInt8[np.ndarray, "b s h w 3"]
    target: UInt8[np.ndarray, "b t h w 3"]
    origins: tuple[Origin, ...]
    skipped: Mapping[str, int]

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.origins)


def stack_episodes(
    episodes: Sequence[Episode], *, step: int, skipped: Mapping[str, int]
) -> EpisodeBatch:
    """Stack episodes.

    Args:
        episodes: At least one; all of one shape.
        step: The step that they belong to.
        skipped: Samples rejected while drawing them.

    Returns:
        The batch, in the episodes' order.
    """
    return EpisodeBatch(
        step=step,
        context_inputs=np.stack([np.stack(one.context_inputs) for one in episodes]),
        context_targets=np.stack([np.stack(one.context_targets) for one in episodes]),
        query=np.stack([one.query.input for one in episodes]),
        target=np.stack([one.query.target for one in episodes]),
        origins=tuple(map(_origin, episodes)),
        skipped=dict(skipped),
    )


def _origin(episode: Episode) -> Origin:
    return Origin(
        task=episode.task,
        source=episode.source,
        context_names=episode.context_names,
        query_name=episode.query_name,
        rule=episode.rule,
        target_key=episode.query.key,
    )
