"""What a predictor is asked: example pairs and a query, and nothing of the query's target.

Everything that answers is a :class:`Predictor`: the trained model, a baseline, another method. So
all are asked the same, scored the same, and none can see what it should not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.episode import Episode

Clip: TypeAlias = UInt8[np.ndarray, "_ _ _ 3"]
"""Frames, height, width and channels; inputs and targets may differ in length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Example pairs and a query, all of one size.

    Attributes:
        inputs: Inputs of the context pairs, in order.
        targets: Their targets.
        query: The clip whose target is wanted.
        task: Name of the task, where it has one: it says how answers are used, and no network is
            told.
    """

    inputs: tuple[UInt8[np.ndarray, "s h w 3"], ...]
    targets: tuple[UInt8[np.ndarray, "t h w 3"], ...]
    query: UInt8[np.ndarray, "s h w 3"]
    task: str | None = None

    def __post_init__(self) -> None:
        """Check that there is an example, and that inputs and targets belong together."""
        if not self.inputs or len(self.inputs) != len(self.targets):
            raise ValueError(
                f"a question needs pairs, got {len(self.inputs)} inputs and {len(self.targets)} "
                "targets"
            )

    @property
    def num_target_frames(self) -> int:
        """Frames of the target that is wanted: as many as the examples' targets have."""
        return len(self.targets[0])


def question_of(episode: Episode) -> Question:
    """What of an episode a predictor may see.

    Args:
        episode: The episode.

    Returns:
        Its context and its query's input.
    """
    return Question(
        inputs=episode.context_inputs,
        targets=episode.context_targets,
        query=episode.query.input,
        task=episode.task,
    )


@runtime_checkable
class Predictor(Protocol):
    """Paints targets."""

    @property
    def name(self) -> str:
        """What reports and folders call it: letters, digits and hyphens."""
        ...

    def predict(self, questions: Sequence[Question]) -> list[Clip]:
        """Paint the target of each question.

        An answer depends on its own question alone, not on those that it is asked with.

        Args:
            questions: Of one shape: equally many pairs, all clips equally long and large.

        Returns:
            One clip of ``num_target_frames`` frames, of the query's size, for each.
        """
        ...
