"""Exponential moving average of weights, in float32."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average that is evaluated and exported instead of the weights themselves.

    The decay rises as ``(1 + updates) / (10 + updates)`` up to its final value, so that a short run
    is not an average of its random start. Works on the shards that a process holds.

    Attributes:
        decay: Final share of the old average at each update.
        updates: Number of updates so far.

    Source:
        Paper table 3: 0.9999; the rise is ours.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        """Start at the network's weights.

        Args:
            network: Whose weights are averaged.
            decay: In [0, 1); 0 follows the weights.

        Raises:
            ValueError: If the decay is outside its range.
        """
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"ema decay must lie in [0, 1), got {decay}")
        self.decay = decay
        self.updates = 0
        self._weights = {
            name: parameter.detach().to(torch.float32, copy=True)
            for name, parameter in network.named_parameters()
        }

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the average a little towards the network's weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        weights = [parameter.detach().float() for parameter in network.parameters()]
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage] - at once
            list(self._weights.values()), weights, 1.0 - decay
        )
        self.updates += 1

    @contextmanager
    def swapped_in(self, network: nn.Module) -> Generator[None]:
        """Put the average in place of the network's weights for a while."""
        with torch.no_grad():
            held = {name: p.detach().clone() for name, p in network.named_parameters()}
            for name, parameter in network.named_parameters():
                parameter.copy_(self._weights[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in network.named_parameters():
                    parameter.copy_(held[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The average, by names of parameters; the number of updates is a tensor among them."""
        return self._weights | {"updates": torch.tensor(self.updates)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            KeyError: If a parameter is missing.
        """
        self.updates = int(state["updates"])
        for name, weight in self._weights.items():
            weight.copy_(state[name])
