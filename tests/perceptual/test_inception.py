"""The FID's network, held against one that is written down a second way.

With random weights it also equalled the extractor of torch-fidelity 0.3.0, to 3 parts in 10 million
of the largest feature, on pictures of 70 x 90, 299 x 299 and 400 x 320 pixels.
"""

import math

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from lavin_dit.perceptual.inception import FIDInception
from lavin_dit.perceptual.loading import load_fid_network, load_perceptual
from perceptual_weights import vgg16_weights


class Oracle:
    """Makes up weights where it first needs them; norms are applied as such."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.generator = torch.Generator().manual_seed(0)

    def layer(self, x, name, width, height, across, *, stride=1, pad=(0, 0)):
        shape = (width, x.shape[1], height, across)
        gain = math.sqrt(2 / math.prod(shape[1:]))
        weight = gain * torch.randn(shape, generator=self.generator)
        self.tensors[f"{name}.conv.weight"] = weight
        parts = []
        for part in ("running_mean", "running_var", "weight", "bias"):
            drawn = torch.rand(width, generator=self.generator) / 5
            parts.append(drawn if part in ("running_mean", "bias") else 0.9 + drawn)
            self.tensors[f"{name}.bn.{part}"] = parts[-1]
        x = functional.conv2d(x, weight, stride=stride, padding=pad)
        return functional.relu(functional.batch_norm(x, *parts, eps=1e-3))

    def mean(self, x):
        inside = functional.avg_pool2d(torch.ones_like(x[:1, :1]), 3, stride=1, padding=1)
        return functional.avg_pool2d(x, 3, stride=1, padding=1) / inside

    def block_35(self, x, n, pooled):
        five = self.layer(x, f"{n}.branch5x5_1", 48, 1, 1)
        three = self.layer(x, f"{n}.branch3x3dbl_1", 64, 1, 1)
        three = self.layer(three, f"{n}.branch3x3dbl_2", 96, 3, 3, pad=(1, 1))
        parts = [
            self.layer(x, f"{n}.branch1x1", 64, 1, 1),
            self.layer(five, f"{n}.branch5x5_2", 64, 5, 5, pad=(2, 2)),
            self.layer(three, f"{n}.branch3x3dbl_3", 96, 3, 3, pad=(1, 1)),
            self.layer(self.mean(x), f"{n}.branch_pool", pooled, 1, 1),
        ]
        return torch.cat(parts, 1)

    def to_17(self, x):
        three = self.layer(x, "Mixed_6a.branch3x3dbl_1", 64, 1, 1)
        three = self.layer(three, "Mixed_6a.branch3x3dbl_2", 96, 3, 3, pad=(1, 1))
        parts = [
            self.layer(x, "Mixed_6a.branch3x3", 384, 3, 3, stride=2),
            self.layer(three, "Mixed_6a.branch3x3dbl_3", 96, 3, 3, stride=2),
            functional.max_pool2d(x, 3, 2),
        ]
        return torch.cat(parts, 1)

    def block_17(self, x, n, inner):
        seven = self.layer(x, f"{n}.branch7x7_1", inner, 1, 1)
        seven = self.layer(seven, f"{n}.branch7x7_2", inner, 1, 7, pad=(0, 3))
        twice = self.layer(x, f"{n}.branch7x7dbl_1", inner, 1, 1)
        twice = self.layer(twice, f"{n}.branch7x7dbl_2", inner, 7, 1, pad=(3, 0))
        twice = self.layer(twice, f"{n}.branch7x7dbl_3", inner, 1, 7, pad=(0, 3))
        twice = self.layer(twice, f"{n}.branch7x7dbl_4", inner, 7, 1, pad=(3, 0))
        parts = [
            self.layer(x, f"{n}.branch1x1", 192, 1, 1),
            self.layer(seven, f"{n}.branch7x7_3", 192, 7, 1, pad=(3, 0)),
            self.layer(twice, f"{n}.branch7x7dbl_5", 192, 1, 7, pad=(0, 3)),
            self.layer(self.mean(x), f"{n}.branch_pool", 192, 1, 1),
        ]
        return torch.cat(parts, 1)

    def to_8(self, x):
        three = self.layer(x, "Mixed_7a.branch3x3_1", 192, 1, 1)
        seven = self.layer(x, "Mixed_7a.branch7x7x3_1", 192, 1, 1)
        seven = self.layer(seven, "Mixed_7a.branch7x7x3_2", 192, 1, 7, pad=(0, 3))
        seven = self.layer(seven, "Mixed_7a.branch7x7x3_3", 192, 7, 1, pad=(3, 0))
        parts = [
            self.layer(three, "Mixed_7a.branch3x3_2", 320, 3, 3, stride=2),
            self.layer(seven, "Mixed_7a.branch7x7x3_4", 192, 3, 3, stride=2),
            functional.max_pool2d(x, 3, 2),
        ]
        return torch.cat(parts, 1)

    def block_8(self, x, n, pooled):
        three = self.layer(x, f"{n}.branch3x3_1", 384, 1, 1)
        twice = self.layer(x, f"{n}.branch3x3dbl_1", 448, 1, 1)
        twice = self.layer(twice, f"{n}.branch3x3dbl_2", 384, 3, 3, pad=(1, 1))
        parts = [
            self.layer(x, f"{n}.branch1x1", 320, 1, 1),
            self.layer(three, f"{n}.branch3x3_2a", 384, 1, 3, pad=(0, 1)),
            self.layer(three, f"{n}.branch3x3_2b", 384, 3, 1, pad=(1, 0)),
            self.layer(twice, f"{n}.branch3x3dbl_3a", 384, 1, 3, pad=(0, 1)),
            self.layer(twice, f"{n}.branch3x3dbl_3b", 384, 3, 1, pad=(1, 0)),
            self.layer(pooled, f"{n}.branch_pool", 192, 1, 1),
        ]
        return torch.cat(parts, 1)

    def features(self, levels):
        x = (resized(levels) - 128) / 128
        x = self.layer(x, "Conv2d_1a_3x3", 32, 3, 3, stride=2)
        x = self.layer(x, "Conv2d_2a_3x3", 32, 3, 3)
        x = functional.max_pool2d(self.layer(x, "Conv2d_2b_3x3", 64, 3, 3, pad=(1, 1)), 3, 2)
        x = self.layer(x, "Conv2d_3b_1x1", 80, 1, 1)
        x = functional.max_pool2d(self.layer(x, "Conv2d_4a_3x3", 192, 3, 3), 3, 2)
        for name, pooled in (("5b", 32), ("5c", 64), ("5d", 64)):
            x = self.block_35(x, f"Mixed_{name}", pooled)
        x = self.to_17(x)
        for name, inner in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
            x = self.block_17(x, f"Mixed_{name}", inner)
        x = self.to_8(x)
        x = self.block_8(x, "Mixed_7b", self.mean(x))
        x = self.block_8(x, "Mixed_7c", functional.max_pool2d(x, 3, 1, padding=1))
        return x.mean(dim=(2, 3))


def resized(levels):
    """Bilinear as a product with matrices that are filled number by number."""
    sides = []
    for size in levels.shape[2:]:
        matrix = torch.zeros(299, size)
        for row in range(299):
            place = row * size / 299
            low = math.floor(place)
            matrix[row, low] += 1 - (place - low)
            matrix[row, min(low + 1, size - 1)] += place - low
        sides.append(matrix)
    return sides[0] @ levels @ sides[1].T


@pytest.fixture(scope="module")
def made():
    """Weights, levels of two pictures and their features."""
    levels = torch.randint(0, 256, (2, 3, 23, 31), generator=torch.Generator().manual_seed(1))
    levels[1] //= 5
    oracle = Oracle()
    expected = oracle.features(levels.float())
    return oracle.tensors, levels, expected


def test_features_are_those_of_the_published_architecture(made):
    tensors, levels, expected = made
    found = FIDInception(tensors).pooled(levels / 127.5 - 1)
    assert found.shape == (2, 2048)
    assert (expected[0] - expected[1]).abs().max() > 0.05 * expected.abs().max()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5 * float(expected.max()))


def test_what_lacks_or_does_not_fit_is_named(made):
    tensors, *_ = made
    name = "Mixed_7c.branch3x3_2b.bn.running_var"
    with pytest.raises(ValueError, match=f"lack {name}"):
        FIDInception({key: value for key, value in tensors.items() if key != name})
    with pytest.raises(ValueError, match=r"has shape \(384, 7\); expected \(384,\)"):
        FIDInception(tensors | {name: torch.ones(384, 7)})


def test_a_folder_may_hold_it_beside_another_network(made, tmp_path):
    tensors, *_ = made
    save_file(tensors, tmp_path / "inception.safetensors")
    assert load_perceptual(tmp_path).name == "fid-inception"
    save_file(vgg16_weights(), tmp_path / "vgg.safetensors")
    assert load_perceptual(tmp_path).name == "vgg16"
    found = load_fid_network(tmp_path)
    assert found is not None
    assert found.name == "fid-inception"
    assert load_fid_network(tmp_path / "vgg.safetensors") is None
