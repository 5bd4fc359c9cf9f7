import copy

import pytest
import torch
from torch import nn
from torch.optim import Muon

from lavin_dit.pipeline.devices import multiplies_bfloat16
from lavin_dit.training.muon import Float32Muon, orthogonal
from lavin_dit.training.optimizer import make_optimizers
from tiny_training import MUON

SETTINGS = {"lr": 0.1, "weight_decay": 0.2, "adjust_lr_fn": "match_rms_adamw"}
SHAPES = [(24, 8), (8, 24), (16, 16)]
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def matrices() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def give_gradients(parameters: list[nn.Parameter], *, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_its_steps_are_torchs_but_for_rounding() -> None:
    ours, theirs = matrices(), matrices()
    starts = [parameter.detach().clone() for parameter in ours]
    optimizers = Float32Muon(ours, **SETTINGS), Muon(theirs, **SETTINGS)
    for step in range(3):
        for parameters, optimizer in zip((ours, theirs), optimizers, strict=True):
            give_gradients(parameters, seed=step)
            optimizer.step()
    for start, one, other in zip(starts, ours, theirs, strict=True):
        moved = (other - start).norm()
        assert (one - other).norm() < 0.02 * moved


def test_a_run_can_go_on_with_the_other_one() -> None:
    before = matrices()
    first = Muon(before, **SETTINGS)
    give_gradients(before, seed=0)
    first.step()
    after = [nn.Parameter(parameter.detach().clone()) for parameter in before]
    second = Float32Muon(after, **SETTINGS)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for parameters, optimizer in ((before, first), (after, second)):
        give_gradients(parameters, seed=1)
        optimizer.step()
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=0.002, rtol=0)
    assert second.state_dict()["state"].keys() == first.state_dict()["state"].keys()


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    found = orthogonal(matrix, coefficients=COEFFICIENTS, num_iterations=5, eps=1e-7)
    values = torch.linalg.svdvals(found)
    assert values.amin() > 0.3
    assert values.amax() < 1.3


@pytest.mark.parametrize("shape", SHAPES)
def test_rounding_is_that_of_float32(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    settings = {"coefficients": COEFFICIENTS, "num_iterations": 5, "eps": 1e-7}
    exact = orthogonal(matrix.double(), **settings)
    torch.testing.assert_close(orthogonal(matrix, **settings).double(), exact, atol=1e-4, rtol=0)


def test_other_lengths_of_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="adjust_lr_fn must be 'match_rms_adamw', got None"):
        Float32Muon(matrices(), lr=0.1)


def test_what_has_no_gradient_stays() -> None:
    still, moving = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(4, 4))
    optimizer = Float32Muon([still, moving], **SETTINGS)
    moving.grad = torch.eye(4)
    assert optimizer.step(lambda: 3.5) == 3.5
    assert torch.equal(still, torch.ones(4, 4))
    assert not torch.equal(moving, torch.ones(4, 4))


@pytest.mark.parametrize(
    ("capabilities", "kind"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, Float32Muon),
        ({"avx512_bf16": True}, Muon),
        ({"amx_bf16": True}, Muon),
        ({"bf16": True}, Muon),
        ({}, Float32Muon),
    ],
)
def test_which_one_is_taken_is_the_cpus(
    capabilities: dict[str, bool], kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    parameters = matrices()
    assert type(make_optimizers({"network": parameters}, MUON, matrices=parameters)[1]) is kind
    assert multiplies_bfloat16(torch.device("cuda"))


@pytest.mark.parametrize("has_it", [True, False])
def test_an_older_torch_is_asked_in_its_own_way(
    has_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_it)
    assert multiplies_bfloat16(torch.device("cpu")) == has_it
