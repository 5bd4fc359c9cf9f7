"""The sampler ends where the authors' released code ends, and passes through the same states."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from lavin_dit.flow.guidance import guide, guided_velocity, null_condition
from lavin_dit.flow.solvers import SolverStep, euler
from lavin_dit.flow.timesteps import linear_quadratic_grid
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import jdit_config

HERE = Path(__file__).parent
TOLERANCE = {"atol": 1.5e-5, "rtol": 0.0}
CONFIGS = {
    "dit_a": jdit_config(hidden_size=96, num_layers=2, num_heads=4, num_kv_heads=2, drop_path=0.0),
    "dit_b": jdit_config(hidden_size=60, num_layers=1, num_heads=5, num_kv_heads=5, drop_path=0.0),
}
CASES = load_file(HERE / "sampler.safetensors")


def load(name: str) -> JDiT:
    model = JDiT(CONFIGS[name]).eval().requires_grad_(False)
    model.load_state_dict(load_file(HERE / f"{name}.weights.safetensors"))
    return model


@pytest.fixture(scope="module")
def dit_a() -> JDiT:
    return load("dit_a")


def walk(model: JDiT, *, num_points: int, scale: float) -> tuple[Tensor, list[Tensor]]:
    """Sample as the release does; return the end and all states, the noise first."""
    condition = CASES["cond"]
    null = null_condition(condition[:, :, -1:])
    velocity = guide(
        lambda state, timestep: model(state, timestep, condition),
        unconditional=lambda state, timestep: model(state, timestep, null),
        scale=scale,
    )
    states = [CASES["noise"]]

    def keep(step: SolverStep) -> None:
        states.append(step.state)

    end = euler(
        velocity, noise=CASES["noise"], grid=linear_quadratic_grid(num_points - 1), on_step=keep
    )
    return end, states


def test_every_stored_tensor_is_compared():
    assert set(CASES) == {
        *("cond", "cond_null", "noise"),
        *(f"t_grid_{points}" for points in (20, 30, 40)),
        *("trajectory_20_cfg1.0", "trajectory_20_cfg1.5"),
        *("end_20_cfg1.0", "end_20_cfg1.5", "end_30_cfg1.5", "end_40_cfg1.5"),
    }


@pytest.mark.parametrize("num_points", [20, 30, 40])
def test_grid(num_points):
    assert torch.equal(linear_quadratic_grid(num_points - 1), CASES[f"t_grid_{num_points}"])


def test_null_condition():
    assert torch.equal(null_condition(CASES["cond"][:, :, -1:]), CASES["cond_null"])


@pytest.mark.parametrize(("num_points", "scale"), [(20, 1.0), (20, 1.5), (30, 1.5), (40, 1.5)])
def test_end_and_states(dit_a, num_points, scale):
    end, states = walk(dit_a, num_points=num_points, scale=scale)
    torch.testing.assert_close(end, CASES[f"end_{num_points}_cfg{scale}"], **TOLERANCE)
    if num_points == 20:
        trajectory = CASES[f"trajectory_20_cfg{scale}"]
        torch.testing.assert_close(torch.cat(states), trajectory, **TOLERANCE)


@pytest.mark.parametrize("scale", [1.0, 1.5])
@pytest.mark.parametrize(
    ("name", "case"), [("dit_a", "case1"), ("dit_a", "case2"), ("dit_b", "case1")]
)
def test_guided_velocity(name, case, scale):
    model, tensors = load(name), load_file(HERE / f"{name}.cases.safetensors")
    conditional, unconditional = (
        model(tensors[f"{case}.x"], tensors[f"{case}.t"], tensors[f"{case}.cond{kind}"])
        for kind in ("", "_null")
    )
    velocity = guided_velocity(conditional, unconditional=unconditional, scale=scale)
    torch.testing.assert_close(velocity, tensors[f"{case}.cfg{scale}"], **TOLERANCE)
