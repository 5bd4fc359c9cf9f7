"""State dicts of the perceptual networks in their published names, every number drawn at random."""

import math

import torch
from torch import Tensor

# Kernel, stride, channels before and after of each block of EfficientNet-Lite0.
LITE0_BLOCKS = [
    (3, 1, 32, 16),
    (3, 2, 16, 24),
    (3, 1, 24, 24),
    (5, 2, 24, 40),
    (5, 1, 40, 40),
    (3, 2, 40, 80),
    (3, 1, 80, 80),
    (3, 1, 80, 80),
    (5, 1, 80, 112),
    (5, 1, 112, 112),
    (5, 1, 112, 112),
    (5, 2, 112, 192),
    (5, 1, 192, 192),
    (5, 1, 192, 192),
    (5, 1, 192, 192),
    (3, 1, 192, 320),
]
VGG_CONVOLUTIONS = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
    17: (256, 512),
    19: (512, 512),
    21: (512, 512),
    24: (512, 512),
    26: (512, 512),
    28: (512, 512),
}


class _Weights:
    def __init__(self, seed: int) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._generator = torch.Generator().manual_seed(seed)

    def convolution(self, name: str, *shape: int) -> None:
        scale = math.sqrt(2 / math.prod(shape[1:]))
        self.tensors[f"{name}.weight"] = scale * torch.randn(shape, generator=self._generator)

    def vector(self, name: str, size: int, *, around: float) -> None:
        drawn = torch.rand(size, generator=self._generator)
        self.tensors[name] = around + 0.2 * (drawn - 0.5)

    def norm(self, name: str, size: int) -> None:
        for part, around in (
            ("weight", 1.0),
            ("bias", 0.3),
            ("running_mean", 0.0),
            ("running_var", 0.8),
        ):
            self.vector(f"{name}.{part}", size, around=around)


def lite0_weights(seed: int = 0) -> dict[str, Tensor]:
    """All of EfficientNet-Lite0 but its classifier."""
    weights = _Weights(seed)
    weights.convolution("_conv_stem", 32, 3, 3, 3)
    weights.norm("_bn0", 32)
    for index, (kernel, _, before, after) in enumerate(LITE0_BLOCKS):
        name, inner = f"_blocks.{index}", before if index == 0 else 6 * before
        if index > 0:
            weights.convolution(f"{name}._expand_conv", inner, before, 1, 1)
            weights.norm(f"{name}._bn0", inner)
        weights.convolution(f"{name}._depthwise_conv", inner, 1, kernel, kernel)
        weights.norm(f"{name}._bn1", inner)
        weights.convolution(f"{name}._project_conv", after, inner, 1, 1)
        weights.norm(f"{name}._bn2", after)
    weights.convolution("_conv_head", 1280, 320, 1, 1)
    weights.norm("_bn1", 1280)
    return weights.tensors


def vgg16_weights(seed: int = 0) -> dict[str, Tensor]:
    """The convolutions of VGG16, and one tensor of its classifier."""
    weights = _Weights(seed)
    for place, (before, after) in VGG_CONVOLUTIONS.items():
        weights.convolution(f"features.{place}", after, before, 3, 3)
        weights.vector(f"features.{place}.bias", after, around=0.0)
    weights.vector("classifier.0.bias", 7, around=0.0)
    return weights.tensors
