from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError
from safetensors.torch import load_file

from lavin_dit.flow.guidance import (
    draw_dropped_conditions,
    guide,
    guided_velocity,
    null_condition,
)

PARITY = Path(__file__).parents[1] / "parity" / "sampler.safetensors"


class _Velocity:
    """A velocity function that counts its calls."""

    def __init__(self, factor):
        self.factor = factor
        self.calls = []

    def __call__(self, state, timestep):
        self.calls.append((state, timestep))
        return self.factor * state


def _draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_guidance_at_its_landmarks():
    conditional, unconditional = _draw(2, 3, 5, seed=1), _draw(2, 3, 5, seed=2)
    for scale, expected in (
        (0.0, unconditional),
        (1.0, conditional),
        (1.5, 1.5 * conditional - 0.5 * unconditional),
        (2.0, 2.0 * conditional - unconditional),
    ):
        guided = guided_velocity(conditional, unconditional=unconditional, scale=scale)
        torch.testing.assert_close(guided, expected, rtol=0, atol=2e-6)


def test_guidance_of_half_precision_is_float32():
    conditional, unconditional = _draw(2, 3, seed=1).bfloat16(), _draw(2, 3, seed=2).bfloat16()
    guided = guided_velocity(conditional, unconditional=unconditional, scale=1.5)
    wide = guided_velocity(conditional.float(), unconditional=unconditional.float(), scale=1.5)
    assert guided.dtype == torch.float32
    assert torch.equal(guided, wide)


def test_the_null_pass_is_skipped_at_scale_1():
    conditional, unconditional = _Velocity(3.0), _Velocity(1.0)
    state, timestep = _draw(2, 3), torch.tensor([0.5, 0.5])
    velocity = guide(conditional, unconditional=unconditional, scale=1.0)
    assert torch.equal(velocity(state, timestep), 3.0 * state)
    assert (len(conditional.calls), len(unconditional.calls)) == (1, 0)


@pytest.mark.parametrize("scale", [0.0, 0.999, 1.5])
def test_both_passes_get_the_same_arguments(scale):
    conditional, unconditional = _Velocity(3.0), _Velocity(1.0)
    state, timestep = _draw(2, 3), torch.tensor([0.5, 0.5])
    velocity = guide(conditional, unconditional=unconditional, scale=scale)
    torch.testing.assert_close(velocity(state, timestep), (1.0 + 2.0 * scale) * state)
    for function in (conditional, unconditional):
        ((seen_state, seen_timestep),) = function.calls
        assert seen_state is state
        assert seen_timestep is timestep


@pytest.mark.parametrize("scale", [-0.5, float("nan"), float("inf")])
def test_bad_scale_is_refused(scale):
    message = f"guidance scale must be a finite number of at least 0, got {scale}"
    with pytest.raises(ValueError, match=message):
        guided_velocity(torch.zeros(1), unconditional=torch.zeros(1), scale=scale)
    with pytest.raises(ValueError, match=message):
        guide(_Velocity(1.0), unconditional=_Velocity(1.0), scale=scale)


def test_velocities_that_would_broadcast_are_refused():
    with pytest.raises((ValueError, TypeCheckError), match="unconditional"):
        guided_velocity(torch.zeros(2, 3), unconditional=torch.zeros(1, 3), scale=1.5)


def test_null_condition_is_the_released_one():
    recorded = load_file(PARITY)
    query = recorded["cond"][:, :, -1:]
    assert torch.equal(null_condition(query), recorded["cond_null"])


def test_null_condition_keeps_every_frame_of_the_query():
    query = _draw(2, 3, 4, 5, 7).bfloat16()
    null = null_condition(query)
    assert null.dtype == torch.bfloat16
    assert null.shape == (2, 3, 5, 5, 7)
    assert not null[:, :, 0].any()
    assert torch.equal(null[:, :, 1:], query)


def test_dropped_conditions_come_at_their_rate_from_the_generator_alone():
    dropped = draw_dropped_conditions(20_000, generator=torch.Generator().manual_seed(3))
    assert dropped.dtype == torch.bool
    assert float(dropped.double().mean()) == pytest.approx(0.1, abs=0.01)
    again = draw_dropped_conditions(20_000, generator=torch.Generator().manual_seed(3))
    assert torch.equal(dropped, again)


@pytest.mark.parametrize(("probability", "expected"), [(0.0, False), (1.0, True)])
def test_certain_drops(probability, expected):
    dropped = draw_dropped_conditions(50, generator=torch.Generator(), probability=probability)
    assert dropped.tolist() == [expected] * 50


def test_bad_drops_are_refused():
    with pytest.raises(ValueError, match=r"probability must lie in \[0, 1\], got 1.5"):
        draw_dropped_conditions(2, generator=torch.Generator(), probability=1.5)
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        draw_dropped_conditions(0, generator=torch.Generator())
