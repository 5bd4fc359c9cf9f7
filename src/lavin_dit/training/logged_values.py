"""Values of a step that are logged: means over its micro batches, and over processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lavin_dit.training.processes import Processes


@dataclass(slots=True)
class LoggedValues:
    """Sums of values, each with the share of the batch that had it.

    A task that is not in every micro batch has a mean over those that it is in, whichever process
    computes them.
    """

    _sums: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    _shares: dict[str, float] = field(default_factory=dict[str, float])

    def add(self, values: Mapping[str, Tensor], *, share: float) -> None:
        """Add the values of a micro batch.

        Args:
            values: Detached means over it.
            share: Its share of this process's part of the batch, above 0.
        """
        for name, value in values.items():
            self._sums.setdefault(name, torch.zeros_like(value)).add_(value, alpha=share)
            self._shares[name] = self._shares.get(name, 0.0) + share

    def own(self) -> dict[str, Tensor]:
        """Means over this process's micro batches, without waiting for them."""
        return {name: value / self._shares[name] for name, value in self._sums.items()}

    def joined(self, processes: Processes) -> dict[str, float]:
        """Means over the micro batches of all processes, which call it together.

        Args:
            processes: This process among its peers.
        """
        if processes.world_size == 1:
            return {name: float(value) for name, value in self.own().items()}
        sums: dict[str, float] = {}
        shares: dict[str, float] = {}
        own = {name: (float(value), self._shares[name]) for name, value in self._sums.items()}
        for values in processes.gather(own):
            for name, (value, share) in values.items():
                sums[name] = sums.get(name, 0.0) + value
                shares[name] = shares.get(name, 0.0) + share
        return {name: value / shares[name] for name, value in sums.items()}
