"""What a perceptual network offers, and the distance of pictures that is made of it.

The convention: pixels are RGB in [-1, 1], one picture a sample; a network brings them into the
range that it was trained on. Weights are buffers that no state dict holds: they move with the
module that contains the network, but are neither trained, averaged, sharded nor saved with it.
"""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_EPS = 1e-10


class PerceptualNetwork(nn.Module):
    """A frozen network with features of several depths.

    Gradients reach the pixels, never the weights. Pictures smaller than the network's last stride
    are taken as they are, but the deepest features then see mostly padding.
    """

    name: str
    """What the network is, such as ``efficientnet-lite0``; goes with every score made of it."""

    @property
    def channel_weights(self) -> tuple[Tensor, ...] | None:
        """Weights of the channels in `perceptual_distance`, a vector a stage; None: all 1."""
        return None

    @abstractmethod
    def features(self, pixels: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Feature maps ``b c y x``, from the highest resolution to the lowest.

        Args:
            pixels: RGB in [-1, 1].
        """

    @abstractmethod
    def pooled(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """One vector for each picture, for distances between sets of pictures.

        Args:
            pixels: RGB in [-1, 1].
        """


def perceptual_distance(
    network: PerceptualNetwork, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, " b"]:
    """How different two pictures look, 0 for equal ones, at most 4 for each stage.

    The features of each position are scaled to length 1; their squared difference is summed over
    the channels, averaged over the positions and summed over the stages. Not comparable across
    networks, and called LPIPS only if the network carries that score's weights.

    Args:
        network: Where the features come from.
        first: RGB in [-1, 1].
        second: RGB in [-1, 1], of the same shape.

    Raises:
        ValueError: If the shapes differ.

    Source:
        Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
        equation 1; weights of 1 unless the network has trained ones.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"pictures of shape {tuple(first.shape)} and {tuple(second.shape)} cannot be compared"
        )
    stages = list(zip(network.features(first), network.features(second), strict=True))
    weights: Sequence[Tensor | None] = network.channel_weights or [None] * len(stages)
    distance = torch.zeros(len(first), device=first.device)
    for (of_first, of_second), weight in zip(stages, weights, strict=True):
        squared = (_unit_length(of_first) - _unit_length(of_second)).square()
        if weight is not None:
            squared = squared * weight.view(-1, 1, 1)
        distance = distance + squared.sum(dim=1).mean(dim=(1, 2))
    return distance


class FrozenConvolution(nn.Module):
    """Two-dimensional convolution with given weights.

    The borders are padded with zeros such that the output has a position for every stride begun;
    where an uneven number of them is needed, the surplus one is at the end.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, *, stride: int = 1, groups: int = 1) -> None:
        """Keep the weights.

        Args:
            weight: ``out in/groups kernel kernel``.
            bias: One number for each output channel.
            stride: Of both axes.
            groups: Groups of channels that don't see each other.
        """
        super().__init__()
        self.stride, self.groups = stride, groups
        self.register_buffer("weight", weight.detach().clone(), persistent=False)
        self.register_buffer("bias", bias.detach().clone(), persistent=False)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d y x"]:
        """Convolve."""
        kernel = self.weight.shape[-1]
        if self.stride == 1:
            return functional.conv2d(
                features, self.weight, self.bias, padding=kernel // 2, groups=self.groups
            )
        vertical, horizontal = (self._padding(size, kernel) for size in features.shape[-2:])
        padded = functional.pad(features, (*horizontal, *vertical))
        return functional.conv2d(
            padded, self.weight, self.bias, stride=self.stride, groups=self.groups
        )

    def _padding(self, size: int, kernel: int) -> tuple[int, int]:
        num_positions = -(-size // self.stride)
        total = max((num_positions - 1) * self.stride + kernel - size, 0)
        return total // 2, total - total // 2


def _unit_length(features: Float[Tensor, "b c y x"]) -> Float[Tensor, "b c y x"]:
    values = features.float()
    # The small number is inside the root, whose gradient at 0 is infinite.
    return values * torch.rsqrt(values.square().sum(dim=1, keepdim=True) + _EPS)
