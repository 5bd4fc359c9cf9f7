import math

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.schedulers.scheduling_flow_match_heun_discrete import FlowMatchHeunDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from lavin_dit.flow.path import velocity as path_velocity
from lavin_dit.flow.solvers import Solver, euler, heun, trajectory
from lavin_dit.flow.timesteps import linear_quadratic_grid, uniform_grid
from lavin_dit.interop.diffusers import SchedulerSolver, check_scheduler

# DPM-Solver++ hands a tensor to NumPy in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning:diffusers"
)

FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}
FIRST_ORDER = [
    pytest.param(FlowMatchEulerDiscreteScheduler(), id="euler"),
    pytest.param(DPMSolverMultistepScheduler(solver_order=1, **FLOW), id="dpm-1"),
    pytest.param(
        UniPCMultistepScheduler(solver_order=1, disable_corrector=list(range(40)), **FLOW),
        id="unipc-1",
    ),
]
HIGHER_ORDER = [
    pytest.param(FlowMatchHeunDiscreteScheduler(), id="heun"),
    pytest.param(DPMSolverMultistepScheduler(solver_order=2, **FLOW), id="dpm-2"),
    pytest.param(UniPCMultistepScheduler(solver_order=2, **FLOW), id="unipc-2"),
]
NOISE = torch.randn(2, 3, 1, 5, 7, generator=torch.Generator().manual_seed(0))


def bent(state: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """A velocity that depends on state and timestep in no simple way."""
    time = timestep.reshape(-1, 1, 1, 1, 1)
    return torch.cos(2.0 * state) - (1.0 + time) * state + torch.sin(5.0 * time)


@pytest.mark.parametrize("num_steps", [1, 2, 5, 19, 39])
@pytest.mark.parametrize("scheduler", FIRST_ORDER)
def test_first_order_is_the_cores_euler(scheduler, num_steps):
    grid = linear_quadratic_grid(num_steps)
    found = SchedulerSolver(scheduler)(bent, noise=NOISE, grid=grid)
    expected = euler(bent, noise=NOISE, grid=grid)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("num_steps", [1, 2, 5, 19, 39])
def test_heun_is_the_cores_but_for_its_last_step(num_steps):
    grid = linear_quadratic_grid(num_steps)
    found = SchedulerSolver(FlowMatchHeunDiscreteScheduler())(bent, noise=NOISE, grid=grid)
    before_last = heun(bent, noise=NOISE, grid=grid[:-1]) if num_steps > 1 else NOISE
    expected = euler(bent, noise=before_last, grid=grid[-2:])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scheduler", HIGHER_ORDER)
def test_higher_orders_converge_to_the_cores_end_faster_than_euler(scheduler):
    truth = heun(bent, noise=NOISE, grid=uniform_grid(2000))

    def error(solver: Solver, num_steps: int) -> float:
        end = solver(bent, noise=NOISE, grid=linear_quadratic_grid(num_steps))
        return float((end - truth).abs().max())

    solver = SchedulerSolver(scheduler)
    assert error(solver, 80) < 0.4 * error(solver, 40)
    assert error(solver, 80) < 0.4 * error(euler, 80)


@pytest.mark.parametrize("scheduler", FIRST_ORDER + HIGHER_ORDER)
def test_the_exact_velocity_reaches_the_latent(scheduler):
    latent = torch.ones_like(NOISE)
    exact = path_velocity(latent, noise=NOISE)
    found = SchedulerSolver(scheduler)(
        lambda state, _time: exact, noise=NOISE, grid=linear_quadratic_grid(7)
    )
    torch.testing.assert_close(found, latent, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scheduler", FIRST_ORDER + HIGHER_ORDER)
def test_the_network_gets_the_grids_own_timesteps(scheduler):
    grid = linear_quadratic_grid(6)
    seen = []

    def velocity(state, timestep):
        assert timestep.shape == (2,)
        seen.append(timestep[0].item())
        return bent(state, timestep)

    SchedulerSolver(scheduler)(velocity, noise=NOISE, grid=grid)
    assert sorted(set(seen)) == grid[:-1].tolist()
    assert len(seen) == (11 if scheduler.order == 2 else 6)


@pytest.mark.parametrize("scheduler", FIRST_ORDER + HIGHER_ORDER)
def test_steps_are_told_as_the_core_tells_them(scheduler):
    grid = linear_quadratic_grid(4)
    steps = []
    end = SchedulerSolver(scheduler)(bent, noise=NOISE, grid=grid, on_step=steps.append)
    assert [step.index for step in steps] == [1, 2, 3, 4]
    assert {step.num_steps for step in steps} == {4}
    assert [step.timestep for step in steps] == grid[1:].tolist()
    torch.testing.assert_close(steps[-1].state, end, rtol=0, atol=0)
    start, state = grid[0], NOISE
    for step in steps:
        width = step.timestep - start
        torch.testing.assert_close(state + width * step.velocity, step.state)
        start, state = step.timestep, step.state


def test_is_one_of_the_cores_solvers():
    solver = SchedulerSolver(FlowMatchEulerDiscreteScheduler())
    assert isinstance(solver, Solver)
    grid = linear_quadratic_grid(5)
    torch.testing.assert_close(
        trajectory(solver, bent, noise=NOISE, grid=grid),
        trajectory(euler, bent, noise=NOISE, grid=grid),
        rtol=0,
        atol=1e-5,
    )


@pytest.mark.parametrize("scheduler", [FIRST_ORDER[0], FIRST_ORDER[1], HIGHER_ORDER[0]])
def test_a_state_can_be_replaced(scheduler):
    def restart(step):
        return torch.zeros_like(step.state) if step.index == 3 else None

    grid = linear_quadratic_grid(4)
    found = SchedulerSolver(scheduler)(
        lambda state, _time: torch.ones_like(state), noise=NOISE, grid=grid, on_step=restart
    )
    torch.testing.assert_close(found, (grid[4] - grid[3]).expand_as(NOISE), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (FlowMatchEulerDiscreteScheduler(shift=3.0), "shift=3.0"),
        (FlowMatchEulerDiscreteScheduler(use_karras_sigmas=True), "use_karras_sigmas"),
        (FlowMatchEulerDiscreteScheduler(stochastic_sampling=True), "stochastic_sampling"),
        (FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), "use_dynamic_shifting"),
        (FlowMatchHeunDiscreteScheduler(shift=2.0), "shift=2.0"),
        (UniPCMultistepScheduler(), "prediction_type='epsilon'"),
        (DPMSolverMultistepScheduler(prediction_type="flow_prediction"), "use_flow_sigmas=False"),
        (
            DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++", **FLOW),
            "algorithm_type='sde-dpmsolver",
        ),
    ],
)
def test_settings_that_leave_the_grid_are_refused(scheduler, message):
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        check_scheduler(scheduler)


def test_other_schedulers_are_refused():
    with pytest.raises(
        TypeError, match="DDIMScheduler is not supported; use one of FlowMatchEuler"
    ):
        SchedulerSolver(DDIMScheduler())


def test_a_shift_set_later_is_noticed():
    scheduler = FlowMatchEulerDiscreteScheduler()
    solver = SchedulerSolver(scheduler)
    scheduler.set_shift(2.0)
    with pytest.raises(ValueError, match="bends the grid"):
        solver(bent, noise=NOISE, grid=uniform_grid(3))


@pytest.mark.parametrize("grid", [[0.0], [0.1, 1.0], [0.0, 0.9]])
def test_grids_from_elsewhere_to_elsewhere_are_refused(grid):
    with pytest.raises(ValueError, match="must lead from 0 to 1"):
        SchedulerSolver(FlowMatchEulerDiscreteScheduler())(
            bent, noise=NOISE, grid=torch.tensor(grid)
        )


def test_half_precision_states_are_followed_in_float32():
    end = SchedulerSolver(FlowMatchEulerDiscreteScheduler())(
        lambda state, _time: torch.ones_like(state).bfloat16(),
        noise=torch.zeros(1, 2).bfloat16(),
        grid=linear_quadratic_grid(19),
    )
    assert end.dtype == torch.float32
    assert math.isclose(float(end[0, 0]), 1.0, rel_tol=1e-6)
