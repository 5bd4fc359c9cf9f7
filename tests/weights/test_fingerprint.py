import pytest
import torch
from torch import nn

from lavin_dit.weights.fingerprint import fingerprint


def _model(width=96):
    model = nn.Sequential(nn.Linear(width, 64), nn.LayerNorm(64), nn.Linear(64, width))
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    return model


def test_same_weights_same_fingerprint():
    first, second = _model(), _model()
    assert fingerprint(first) == fingerprint(second)
    assert len(fingerprint(first)) == 16
    assert int(fingerprint(first), 16) >= 0


def test_it_does_not_move_between_versions():
    model = nn.Linear(3, 2)
    nn.init.constant_(model.weight, 0.5)
    nn.init.constant_(model.bias, -2.0)
    assert fingerprint(model) == "bcbdcd4b7e0bcaf9"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_copy_in_another_precision_has_the_same(dtype):
    assert fingerprint(_model().to(dtype)) == fingerprint(_model())


def test_layout_in_memory_does_not_matter():
    model = _model()
    before = fingerprint(model)
    model[0].weight.data = model[0].weight.data.T.contiguous().T
    assert not model[0].weight.is_contiguous()
    assert fingerprint(model) == before


def test_a_fused_adapter_changes_it():
    """A small change of rank 1, everywhere or in one column only."""
    generator = torch.Generator().manual_seed(2)
    before = fingerprint(_model())
    column = torch.zeros(96)
    column[37] = 1.0
    for right in (torch.randn(96, generator=generator), column):
        model = _model()
        update = torch.outer(torch.randn(64, generator=generator), right)
        model[0].weight.data += 0.02 * update
        assert fingerprint(model) != before


@pytest.mark.parametrize("width", [96, 512, 2304])
def test_every_row_and_column_is_looked_at(width):
    model = nn.Linear(width, width, bias=False)
    nn.init.zeros_(model.weight)
    before = fingerprint(model)
    for index in range(0, width, 17):
        for axis in (0, 1):
            nn.init.zeros_(model.weight)
            model.weight.data.select(axis, index).fill_(1.0)
            if width <= 512:
                assert fingerprint(model) != before, (axis, index)


@pytest.mark.parametrize("position", [0, 31, 63])
def test_a_single_bias_value_changes_it(position):
    model = _model()
    before = fingerprint(model)
    model[0].bias.data[position] += 0.25
    assert fingerprint(model) != before


def test_names_and_shapes_count():
    weight = torch.zeros(4, 6)
    prints = set()
    for name, shape in (("a", (4, 6)), ("b", (4, 6)), ("a", (6, 4)), ("a", (24,))):
        module = nn.Module()
        module.register_buffer(name, weight.reshape(shape))
        prints.add(fingerprint(module))
    assert len(prints) == 4


@pytest.mark.parametrize("tensor", [torch.tensor(3.0), torch.zeros(0, 5), torch.arange(5000)])
def test_odd_tensors(tensor):
    module = nn.Module()
    module.register_buffer("odd", tensor)
    before = fingerprint(module)
    module.odd = tensor + 2
    assert (fingerprint(module) == before) == (tensor.numel() == 0)


def test_a_model_without_values_has_none():
    with torch.device("meta"):
        model = _model()
    with pytest.raises(ValueError, match=r"0\.bias is on the meta device"):
        fingerprint(model)
