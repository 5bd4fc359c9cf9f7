"""The rebuilt networks, held against ones written down a second way."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lavin_dit.perceptual.efficientnet_lite import EfficientNetLite0
from lavin_dit.perceptual.vgg import VGG16
from perceptual_weights import LITE0_BLOCKS, VGG_CONVOLUTIONS, lite0_weights, vgg16_weights


def pixels(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 1


def norm(weights: dict[str, Tensor], name: str, features: Tensor) -> Tensor:
    parts = (weights[f"{name}.{part}"] for part in ("running_mean", "running_var"))
    scale, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return functional.batch_norm(features, *parts, scale, bias, eps=1e-3)


def strided(features: Tensor, weight: Tensor, *, stride: int, groups: int = 1) -> Tensor:
    """TensorFlow's "same", by trying every position: kernels centred, surplus at the end."""
    kernel = weight.shape[-1]
    for axis in (-1, -2):
        size = features.shape[axis]
        total = max(kernel - (size % stride or stride), 0)
        pads = (total // 2, total - total // 2)
        features = functional.pad(features, pads if axis == -1 else (0, 0, *pads))
    return functional.conv2d(features, weight, stride=stride, groups=groups)


def lite0_oracle(weights: dict[str, Tensor], picture: Tensor) -> list[Tensor]:
    levels = 255 * (picture + 1) / 2
    hidden = strided((levels - 127) / 128, weights["_conv_stem.weight"], stride=2)
    hidden = functional.relu6(norm(weights, "_bn0", hidden))
    outputs = []
    for index, (_, stride, before, after) in enumerate(LITE0_BLOCKS):
        name, inner = f"_blocks.{index}", hidden
        if index > 0:
            inner = functional.conv2d(inner, weights[f"{name}._expand_conv.weight"])
            inner = functional.relu6(norm(weights, f"{name}._bn0", inner))
        depthwise = weights[f"{name}._depthwise_conv.weight"]
        inner = strided(inner, depthwise, stride=stride, groups=len(depthwise))
        inner = functional.relu6(norm(weights, f"{name}._bn1", inner))
        inner = functional.conv2d(inner, weights[f"{name}._project_conv.weight"])
        inner = norm(weights, f"{name}._bn2", inner)
        hidden = hidden + inner if stride == 1 and before == after else inner
        outputs.append(hidden)
    head = functional.conv2d(hidden, weights["_conv_head.weight"])
    head = functional.relu6(norm(weights, "_bn1", head)).mean(dim=(2, 3))
    return [*(outputs[index] for index in (0, 2, 4, 10, 15)), head]


@pytest.mark.parametrize("size", [(38, 51), (64, 96)])
def test_lite0_is_the_published_architecture(size):
    weights = {name: tensor.double() for name, tensor in lite0_weights().items()}
    network = EfficientNetLite0(weights)
    picture = pixels(2, 3, *size)
    *expected, pooled = lite0_oracle(weights, picture.double())
    for found, stage in zip(network.features(picture), expected, strict=True):
        torch.testing.assert_close(found, stage.float(), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(network.pooled(picture), pooled.float(), rtol=1e-3, atol=1e-4)


def test_vgg16_is_the_published_architecture():
    weights = vgg16_weights()
    picture = pixels(1, 3, 33, 50)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    hidden, expected = ((picture + 1) / 2 - mean) / std, []
    for place in range(30):
        if place in VGG_CONVOLUTIONS:
            weight, bias = (weights[f"features.{place}.{part}"] for part in ("weight", "bias"))
            hidden = functional.conv2d(hidden, weight, bias, padding=1)
        elif place in (4, 9, 16, 23):
            hidden = functional.max_pool2d(hidden, 2)
        else:
            hidden = functional.relu(hidden)
            if place in (3, 8, 15, 22, 29):
                expected.append(hidden)
    network = VGG16(weights)
    for found, stage in zip(network.features(picture), expected, strict=True):
        torch.testing.assert_close(found, stage, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.pooled(picture), expected[-1].mean(dim=(2, 3)))
    assert network.name == "vgg16"
    assert network.channel_weights is None


def test_weights_are_frozen_and_in_no_state_dict():
    network = EfficientNetLite0(lite0_weights())
    assert not list(network.parameters())
    assert not network.state_dict()
    assert len(list(network.buffers())) > 50


@pytest.mark.parametrize("make", [EfficientNetLite0, VGG16])
def test_what_lacks_or_does_not_fit_is_named(make):
    weights = lite0_weights() if make is EfficientNetLite0 else vgg16_weights()
    name = "_conv_head.weight" if make is EfficientNetLite0 else "features.28.weight"
    with pytest.raises(ValueError, match=f"{name} has shape"):
        make({**weights, name: torch.zeros(2, 2)})
    del weights[name]
    with pytest.raises(ValueError, match=f"lack {name}"):
        make(weights)
