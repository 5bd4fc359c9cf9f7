"""What the loop asks of the thing that is trained: a batch becomes a loss, and that is all.

An objective is a module, so that wrapping it for several processes sees every parameter and every
call. All players (the ST-VAE and its discriminator, say) take part in one forward and one backward
pass; each has gradients of its own.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn


class Losses(NamedTuple):
    """What one forward pass of an objective returns.

    A tuple, because sharding looks for tensors in what a module returns, and knows no records.
    """

    total: Float[Tensor, ""]
    """What is differentiated."""
    logged: Mapping[str, Float[Tensor, ""]]
    """Detached values to be shown, by name."""


@runtime_checkable
class Objective(Protocol):
    """A module whose forward pass is a loss."""

    @property
    def trained(self) -> nn.Module:
        """The network that a run is for: its weights are averaged and exported."""
        ...

    def parameter_groups(self) -> Mapping[str, list[nn.Parameter]]:
        """All parameters that are trained, by player; each player's gradient is clipped by itself.

        Returns:
            Lists of parameters by a name such as ``st_vae`` or ``discriminator``.
        """
        ...

    def __call__(self, batch: Any, step: int) -> Losses:  # noqa: ANN401 - each has its own batch
        """Compute the loss of a micro batch.

        Args:
            batch: What this objective is trained on, on the parameters' device.
            step: Number of optimizer steps before this one.
        """
        ...
