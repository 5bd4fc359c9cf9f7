"""The Inception network whose features define the FID; no other network's distance is called that.

It is a third version trained in 2015, with 1,008 classes, and pools by the mean of those positions
that are inside the picture, but before its very last convolution by their maximum.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lavin_dit.perceptual.network import PerceptualNetwork

_SIDE_PX = 299
_NORM_EPS = 1e-3

Layer: TypeAlias = tuple[str, int, int, int]
"""A convolution: name, width, height and width of the kernel."""

Branch: TypeAlias = tuple[tuple[Layer, ...], ...]
"""Convolutions one after another; where there are two at a time, their results are joined."""

Pool: TypeAlias = Literal["mean", "max", "halve"]


def _chain(*layers: Layer) -> Branch:
    return tuple((layer,) for layer in layers)


def _block_35(pooled: int) -> tuple[Branch, ...]:
    """At 35 x 35 positions."""
    return (
        _chain(("branch1x1", 64, 1, 1)),
        _chain(("branch5x5_1", 48, 1, 1), ("branch5x5_2", 64, 5, 5)),
        _chain(
            ("branch3x3dbl_1", 64, 1, 1),
            ("branch3x3dbl_2", 96, 3, 3),
            ("branch3x3dbl_3", 96, 3, 3),
        ),
        _chain(("branch_pool", pooled, 1, 1)),
    )


def _block_17(inner: int) -> tuple[Branch, ...]:
    """At 17 x 17 positions."""
    return (
        _chain(("branch1x1", 192, 1, 1)),
        _chain(
            ("branch7x7_1", inner, 1, 1), ("branch7x7_2", inner, 1, 7), ("branch7x7_3", 192, 7, 1)
        ),
        _chain(
            ("branch7x7dbl_1", inner, 1, 1),
            ("branch7x7dbl_2", inner, 7, 1),
            ("branch7x7dbl_3", inner, 1, 7),
            ("branch7x7dbl_4", inner, 7, 1),
            ("branch7x7dbl_5", 192, 1, 7),
        ),
        _chain(("branch_pool", 192, 1, 1)),
    )


_TO_17 = (
    _chain(("branch3x3", 384, 3, 3)),
    _chain(
        ("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 3), ("branch3x3dbl_3", 96, 3, 3)
    ),
)
_TO_8 = (
    _chain(("branch3x3_1", 192, 1, 1), ("branch3x3_2", 320, 3, 3)),
    _chain(
        ("branch7x7x3_1", 192, 1, 1),
        ("branch7x7x3_2", 192, 1, 7),
        ("branch7x7x3_3", 192, 7, 1),
        ("branch7x7x3_4", 192, 3, 3),
    ),
)
_BLOCK_8: tuple[Branch, ...] = (
    _chain(("branch1x1", 320, 1, 1)),
    (
        (("branch3x3_1", 384, 1, 1),),
        (("branch3x3_2a", 384, 1, 3), ("branch3x3_2b", 384, 3, 1)),
    ),
    (
        (("branch3x3dbl_1", 448, 1, 1),),
        (("branch3x3dbl_2", 384, 3, 3),),
        (("branch3x3dbl_3a", 384, 1, 3), ("branch3x3dbl_3b", 384, 3, 1)),
    ),
    _chain(("branch_pool", 192, 1, 1)),
)
_BLOCKS: tuple[tuple[str, Pool, tuple[Branch, ...]], ...] = (
    ("Mixed_5b", "mean", _block_35(32)),
    ("Mixed_5c", "mean", _block_35(64)),
    ("Mixed_5d", "mean", _block_35(64)),
    ("Mixed_6a", "halve", _TO_17),
    ("Mixed_6b", "mean", _block_17(128)),
    ("Mixed_6c", "mean", _block_17(160)),
    ("Mixed_6d", "mean", _block_17(160)),
    ("Mixed_6e", "mean", _block_17(192)),
    ("Mixed_7a", "halve", _TO_8),
    ("Mixed_7b", "mean", _BLOCK_8),
    ("Mixed_7c", "max", _BLOCK_8),
)
_STEM: tuple[tuple[Layer, ...], ...] = (
    (("Conv2d_1a_3x3", 32, 3, 3), ("Conv2d_2a_3x3", 32, 3, 3), ("Conv2d_2b_3x3", 64, 3, 3)),
    (("Conv2d_3b_1x1", 80, 1, 1), ("Conv2d_4a_3x3", 192, 3, 3)),
)
_UNPADDED = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_4a_3x3")
_STAGES = ("Mixed_5d", "Mixed_6e", "Mixed_7c")


class FIDInception(PerceptualNetwork):
    """2,048 pooled features; feature maps at 299 x 299 pixels, to which pictures are brought.

    Source:
        Szegedy et al., "Rethinking the Inception Architecture for Computer Vision"; Heusel et al.
        (2017) for the network itself and what goes into it: levels minus 128 over 128, resized by
        a bilinear rule whose first positions coincide.
    """

    name = "fid-inception"

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the weights over.

        Args:
            tensors: Convolutions and norms by torchvision's names
                (``Mixed_5b.branch1x1.conv.weight``, ``.bn.running_mean``, ...), as the usual
                conversion of the FID's network to PyTorch has them; others are passed over.

        Raises:
            ValueError: If a tensor is missing or has another shape.
        """
        super().__init__()
        self._kernels: dict[str, tuple[int, int]] = {}
        for name, before, (_, width, *kernel) in _layers():
            weight = _take(tensors, f"{name}.conv.weight", (width, before, *kernel))
            scale, shift, mean, variance = (
                _take(tensors, f"{name}.bn.{part}", (width,))
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            # The norm is a scale and a shift of each channel: they go into the convolution.
            factor = scale * torch.rsqrt(variance + _NORM_EPS)
            key = name.replace(".", "_")
            self.register_buffer(
                f"{key}_weight", weight * factor.view(-1, 1, 1, 1), persistent=False
            )
            self.register_buffer(f"{key}_bias", shift - mean * factor, persistent=False)
            self._kernels[name] = (kernel[0], kernel[1])

    def features(self, pixels: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """See `PerceptualNetwork.features`."""
        levels = (pixels.float() + 1) * 127.5
        hidden = (_resize(levels) - 128) / 128
        for layers in _STEM:
            for name, *_ in layers:
                stride = 2 if name == "Conv2d_1a_3x3" else 1
                hidden = self._convolve(hidden, name, stride=stride, padded=name not in _UNPADDED)
            hidden = functional.max_pool2d(hidden, 3, stride=2)
        found: list[Tensor] = []
        for name, pool, branches in _BLOCKS:
            hidden = self._block(hidden, name, pool=pool, branches=branches)
            if name in _STAGES:
                found.append(hidden)
        return found

    def pooled(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """See `PerceptualNetwork.pooled`; pixels that were levels of a byte must be so exactly."""
        return self.features(pixels)[-1].mean(dim=(2, 3))

    def _block(
        self, hidden: Tensor, block: str, *, pool: Pool, branches: tuple[Branch, ...]
    ) -> Tensor:
        """All branches on the same features, joined."""
        halved = pool == "halve"
        results: list[Tensor] = []
        for branch in branches:
            own = _pooled(hidden, pool) if branch[0][0][0] == "branch_pool" else hidden
            for step, layers in enumerate(branch):
                last = halved and step == len(branch) - 1
                parts = [
                    self._convolve(own, f"{block}.{name}", stride=2 if last else 1, padded=not last)
                    for name, *_ in layers
                ]
                own = torch.cat(parts, dim=1)
            results.append(own)
        if halved:
            results.append(_pooled(hidden, pool))
        return torch.cat(results, dim=1)

    def _convolve(self, hidden: Tensor, name: str, *, stride: int, padded: bool) -> Tensor:
        key = name.replace(".", "_")
        height, width = self._kernels[name]
        return functional.relu(
            functional.conv2d(
                hidden,
                self.get_buffer(f"{key}_weight"),
                self.get_buffer(f"{key}_bias"),
                stride=stride,
                padding=(height // 2, width // 2) if padded else 0,
            )
        )


def _layers() -> Iterator[tuple[str, int, Layer]]:
    """Every convolution with its full name and the number of its input channels."""
    before = 3
    for layers in _STEM:
        for layer in layers:
            yield layer[0], before, layer
            before = layer[1]
    for block, pool, branches in _BLOCKS:
        after = before if pool == "halve" else 0
        for branch in branches:
            own = before
            for layers in branch:
                for layer in layers:
                    yield f"{block}.{layer[0]}", own, layer
                own = sum(width for _, width, *_ in layers)
            after += own
        before = after


def _pooled(hidden: Tensor, pool: Pool) -> Tensor:
    if pool == "halve":
        return functional.max_pool2d(hidden, 3, stride=2)
    if pool == "max":
        return functional.max_pool2d(hidden, 3, stride=1, padding=1)
    return functional.avg_pool2d(hidden, 3, stride=1, padding=1, count_include_pad=False)


def _resize(pixels: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 299 299"]:
    """Bilinear, with the first positions of both grids on each other."""
    for axis in (2, 3):
        size = pixels.shape[axis]
        places = torch.arange(_SIDE_PX, device=pixels.device) * (size / _SIDE_PX)
        low = places.floor().long()
        share = (places - low).view([-1 if dim == axis else 1 for dim in range(4)])
        first = pixels.index_select(axis, low)
        second = pixels.index_select(axis, (low + 1).clamp(max=size - 1))
        pixels = first + (second - first) * share
    return pixels


def _take(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    tensor = tensors.get(name)
    if tensor is None:
        raise ValueError(f"the weights of the FID's Inception lack {name}")
    if tensor.shape != shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}; expected {shape}")
    return tensor.float()
