"""Training low-rank changes of a J-DiT with peft, and nothing else of it.

What peft trains is taken out as plain factors (`trained_factors`), whose scale is part of them.
"""

import math
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lavin_dit.extras import how_to_install
from lavin_dit.jdit.low_rank import LowRankFactors
from lavin_dit.jdit.model import JDiT
from lavin_dit.training.config import JDiTLossConfig
from lavin_dit.training.jdit_objective import JDiTObjective, LatentEpisodes
from lavin_dit.training.objective import Losses

_ADAPTER = "default"
_LAYERS = ("joint_attn", "cond_mlp", "x_mlp")


def adapted_layers(jdit: JDiT) -> list[str]:
    """Name the linear layers that an adapter changes: attention and feed-forward of both streams.

    Layers that no prediction depends on are left out.
    """
    idle = {name.rpartition(".")[0] for name, _ in jdit.idle_parameters()}
    return [
        name
        for name, layer in jdit.named_modules()
        if isinstance(layer, nn.Linear)
        and name not in idle
        and any(part in _LAYERS for part in name.split("."))
    ]


class LowRankObjective(nn.Module):
    """A J-DiT's loss, of which low-rank changes of its layers alone are trained.

    Attributes:
        inner: The loss.
    """

    def __init__(
        self, jdit: JDiT, config: JDiTLossConfig, *, rank: int, generator: torch.Generator
    ) -> None:
        """Freeze a network and put trainable changes into its layers; at first they change nothing.

        Args:
            jdit: The network; it is altered in place.
            config: How it is supervised.
            rank: Rank of each change.
            generator: Source of the starting values, on the CPU.

        Raises:
            ImportError: If peft is missing.
            ValueError: If the rank is below 1, or the network can't be supervised so.
        """
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        _inject(jdit, rank)
        self.inner = JDiTObjective(jdit, config)
        for name, layer in _changed(jdit):
            del name
            down: nn.Parameter = layer.lora_A[_ADAPTER].weight
            start = torch.empty(down.shape)
            nn.init.kaiming_uniform_(start, a=math.sqrt(5), generator=generator)
            with torch.no_grad():
                down.copy_(start)
        # Outside the module tree: it holds parameters that are in it already.
        self._trained = [
            nn.ParameterDict(
                {
                    name.replace(".", "/"): parameter
                    for name, parameter in jdit.named_parameters()
                    if parameter.requires_grad
                }
            )
        ]

    @property
    def jdit(self) -> JDiT:
        """The network, with the changes in it."""
        return self.inner.jdit

    @property
    def trained(self) -> nn.Module:
        """The changes alone."""
        return self._trained[0]

    def parameter_groups(self) -> Mapping[str, list[nn.Parameter]]:
        """One player."""
        return {"adapter": list(self.trained.parameters())}

    def forward(self, batch: LatentEpisodes, step: int) -> Losses:
        """The network's loss."""
        return self.inner(batch, step)

    @contextmanager
    def without_changes(self) -> Generator[None]:
        """Switch the changes off for a while."""
        layers = [layer for _, layer in _changed(self.jdit)]
        for layer in layers:
            layer.enable_adapters(enabled=False)
        try:
            yield
        finally:
            for layer in layers:
                layer.enable_adapters(enabled=True)


def trained_factors(jdit: JDiT) -> dict[str, LowRankFactors]:
    """Copy the changes out of a network, by name of the layer, on the CPU."""
    factors: dict[str, LowRankFactors] = {}
    for name, layer in _changed(jdit):
        down: Tensor = layer.lora_A[_ADAPTER].weight
        up: Tensor = layer.lora_B[_ADAPTER].weight
        scale = float(layer.scaling[_ADAPTER])
        factors[name] = LowRankFactors(down.detach().cpu().clone(), up.detach().cpu() * scale)
    return factors


def _inject(jdit: JDiT, rank: int) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError(f"training an adapter needs peft: {how_to_install('train')}") from error
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=adapted_layers(jdit))
    with torch.random.fork_rng(devices=[]):  # peft draws from the global generator
        inject_adapter_in_model(config, jdit, adapter_name=_ADAPTER)


def _changed(jdit: JDiT) -> Iterator[tuple[str, Any]]:
    """Layers with a change of peft's, by name."""
    for name, layer in jdit.named_modules():
        if hasattr(layer, "lora_A") and hasattr(layer, "base_layer"):
            yield name, layer
