"""Episodes: a task shown by example pairs, and a query to solve; all a model sees of the world.

Clips are ``t h w 3`` uint8. All inputs of an episode have one shape, and so have all targets.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.task import Pair

MAX_PAIRS = 8
"""Most context pairs of an episode (paper, section 4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Context pairs, and a query with its target.

    Attributes:
        context: The pairs that show the task; their samples are not the query's.
        query: The query's input and target, rendered by the same rule as the context.
        rule: What all pairs share; None for a task that has no rule.
        task: Name of the task.
        source: Name of the source that all samples come from.
        context_names: Names of the context's samples within their source.
        query_name: Name of the query's sample.
        is_recoloured: Whether targets have other colours than the task paints with
            (`data/recolouring.py`): rule and keys are then None, as they would not hold.
    """

    context: tuple[Pair[Any], ...]
    query: Pair[Any]
    rule: object
    task: str
    source: str
    context_names: tuple[str, ...]
    query_name: str
    is_recoloured: bool = False

    def __post_init__(self) -> None:
        """Check the number of pairs, and that all clips stack."""
        check_num_pairs(len(self.context))
        if len(self.context_names) != len(self.context):
            raise ValueError(
                f"{len(self.context)} context pairs but {len(self.context_names)} names"
            )
        shapes = self.query.input.shape, self.query.target.shape
        for name, pair in zip(self.context_names, self.context, strict=True):
            if (pair.input.shape, pair.target.shape) != shapes:
                raise ValueError(
                    f"{self.task}: the pair of {name!r} has clips of {pair.input.shape} and "
                    f"{pair.target.shape}, but the query's are {shapes[0]} and {shapes[1]}"
                )

    @property
    def num_pairs(self) -> int:
        """Number of context pairs."""
        return len(self.context)

    @property
    def context_inputs(self) -> tuple[UInt8[np.ndarray, "s h w 3"], ...]:
        """Inputs of the context pairs."""
        return tuple(pair.input for pair in self.context)

    @property
    def context_targets(self) -> tuple[UInt8[np.ndarray, "t h w 3"], ...]:
        """Targets of the context pairs."""
        return tuple(pair.target for pair in self.context)


def check_num_pairs(num_pairs: int) -> None:
    """Check a number of context pairs.

    Args:
        num_pairs: Number of context pairs.

    Raises:
        ValueError: If it is not 1 to 8.
    """
    if not 1 <= num_pairs <= MAX_PAIRS:
        raise ValueError(f"an episode has 1 to {MAX_PAIRS} context pairs, got {num_pairs}")
