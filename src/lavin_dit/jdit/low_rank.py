"""Low-rank changes of linear layers: what an adapter is at inference.

A change of a layer's weight is ``up @ down``, whose scale is part of ``up``. While it is attached,
the layer keeps its weight and computes the change beside it; merging adds the change to the weight.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LowRankFactors(NamedTuple):
    """The change of one linear layer."""

    down: Float[Tensor, "r i"]
    """From the layer's input to the rank."""
    up: Float[Tensor, "o r"]
    """From the rank to the layer's output."""


class LowRankLinear(nn.Linear):
    """A linear layer with a change computed beside it.

    Parameters keep their names; those of the change are ``lora_A.weight`` and ``lora_B.weight``.

    Source:
        Hu et al., LoRA, arXiv 2106.09685.
    """

    def __init__(self, base: nn.Linear, factors: LowRankFactors) -> None:
        """Take over a layer's weight, shared with the layer, and a change of it."""
        rank = factors.down.shape[0]
        with torch.device("meta"):
            super().__init__(base.in_features, base.out_features, bias=base.bias is not None)  # pyright: ignore[reportUnnecessaryComparison]
            self.lora_A = nn.Linear(base.in_features, rank, bias=False)
            self.lora_B = nn.Linear(rank, base.out_features, bias=False)
        self.weight, self.bias = base.weight, base.bias
        for layer, factor in ((self.lora_A, factors.down), (self.lora_B, factors.up)):
            layer.weight = nn.Parameter(factor.to(base.weight), requires_grad=False)

    def forward(self, input: Float[Tensor, "... i"]) -> Float[Tensor, "... o"]:
        """Apply the layer and its change."""
        return super().forward(input) + self.lora_B(self.lora_A(input))

    def without_change(self, *, merged: bool) -> nn.Linear:
        """Return a plain layer: with the change added to the weight, or without it."""
        with torch.device("meta"):
            plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None)  # pyright: ignore[reportUnnecessaryComparison]
        plain.weight, plain.bias = self.weight, self.bias
        if merged:
            change = self.lora_B.weight.float() @ self.lora_A.weight.float()
            weight = (self.weight.float() + change).to(self.weight.dtype)
            plain.weight = nn.Parameter(weight.detach(), requires_grad=self.weight.requires_grad)
        return plain


def attach_low_rank(network: nn.Module, factors: Mapping[str, LowRankFactors]) -> None:
    """Attach changes to linear layers, in place.

    Args:
        network: No change is attached to it yet.
        factors: Changes by name of the layer.

    Raises:
        ValueError: If a layer is not there, has another shape or has a change already; all such
            layers are listed and the network stays as it was.
    """
    layers = dict(network.named_modules())
    wrong = [
        reason
        for name, change in factors.items()
        if (reason := _misfit(name, layers.get(name), change)) is not None
    ]
    if wrong:
        raise ValueError(f"low-rank changes do not fit the network: {'; '.join(wrong)}")
    for name, change in factors.items():
        layer = layers[name]
        assert isinstance(layer, nn.Linear), "checked above"
        _replace(network, name, LowRankLinear(layer, change))


def detach_low_rank(network: nn.Module, *, merged: bool) -> None:
    """Put plain layers back, in place; a network without changes stays as it is.

    Args:
        network: Changes are attached to it, or not.
        merged: Whether the changes are added to the weights, for good, or dropped.
    """
    for name, layer in list(low_rank_layers(network)):
        _replace(network, name, layer.without_change(merged=merged))


def low_rank_layers(network: nn.Module) -> Iterator[tuple[str, LowRankLinear]]:
    """Name the layers that have a change."""
    for name, layer in network.named_modules():
        if isinstance(layer, LowRankLinear):
            yield name, layer


def _misfit(name: str, layer: nn.Module | None, change: LowRankFactors) -> str | None:
    """Why a change does not fit a layer; None if it does."""
    if not isinstance(layer, nn.Linear):
        return f"{name} is no linear layer here"
    if isinstance(layer, LowRankLinear):
        return f"{name} has a change already"
    shape = change.up.shape[0], change.down.shape[1]
    if shape != (layer.out_features, layer.in_features):
        return (
            f"{name} is {layer.out_features} x {layer.in_features}, the change {shape[0]} x "
            f"{shape[1]}"
        )
    return None


def _replace(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(parent), attribute, layer)
