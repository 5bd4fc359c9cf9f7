"""What the training engine knows of a model: an objective that turns a batch into losses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """What one micro batch gives."""

    total: Float[Tensor, ""]
    """What the backward pass starts from, once."""

    logged: Mapping[str, Float[Tensor, ""]]
    """Values to watch, by name, without gradients."""


class Objective(Protocol):
    """A module whose forward pass computes the losses of a batch."""

    @property
    def trained(self) -> nn.Module:
        """The model that training is for, whose moving average is kept."""
        ...

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Everything that is trained, by groups with a learning rate and a clipped norm each."""
        ...

    def __call__(self, batch: Any, step: int) -> Losses:  # noqa: ANN401
        """Compute the losses.

        Args:
            batch: What the objective's data give.
            step: Steps taken before this one.
        """
        ...
