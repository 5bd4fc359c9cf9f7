import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from lavin_dit.flow import path
from lavin_dit.flow.solvers import SOLVERS, adams_bashforth, euler, heun, trajectory
from lavin_dit.flow.timesteps import linear_quadratic_grid, uniform_grid

PARITY = Path(__file__).parents[1] / "parity" / "sampler.safetensors"
ORDERS = {"euler": 1, "heun": 2, "adams_bashforth": 2}
EVALUATIONS = {"euler": 1, "heun": 2, "adams_bashforth": 1}
GRIDS = {"uniform": uniform_grid, "linear_quadratic": linear_quadratic_grid}

every_solver = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS.keys())


def _draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def _per_sample(timestep, state):
    return timestep.reshape(-1, *(1,) * (state.ndim - 1))


def _swinging(state, timestep):
    """An ODE with a known solution: exp(sin(3 t)) times the start."""
    return 3.0 * torch.cos(3.0 * _per_sample(timestep, state)) * state


def _towards(latent):
    """The exact velocity at any state of the path to a latent (undefined at timestep 1)."""
    return lambda state, timestep: (latent - state) / (1.0 - _per_sample(timestep, state))


@every_solver
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
@pytest.mark.parametrize("num_steps", [1, 2, 7, 19])
def test_the_exact_velocity_reaches_the_latent(solver, grid, num_steps):
    latent, noise = _draw(2, 3, 5, seed=1), _draw(2, 3, 5, seed=2)
    velocity = path.velocity(latent, noise=noise)
    end = solver(lambda _state, _timestep: velocity, noise=noise, grid=grid(num_steps))
    torch.testing.assert_close(end, latent, rtol=0, atol=2e-6)


@pytest.mark.parametrize("num_steps", [1, 4, 19])
def test_euler_with_the_velocity_that_points_at_the_latent_arrives(num_steps):
    latent, noise = _draw(2, 3, seed=1), _draw(2, 3, seed=2)
    end = euler(_towards(latent), noise=noise, grid=linear_quadratic_grid(num_steps))
    torch.testing.assert_close(end, latent, rtol=0, atol=2e-6)


@pytest.mark.parametrize("num_steps", [1, 4, 20])
def test_the_update_printed_in_the_paper_walks_away_from_the_latent(num_steps):
    """Equations 2 and 3 as printed, with the velocity of equation 1 (decision 0001)."""
    latent, noise = _draw(2, 3, seed=1), _draw(2, 3, seed=2)
    step = -1.0 / num_steps
    state, timestep = noise, 1.0
    for _ in range(num_steps):
        state = state + path.velocity(latent, noise=noise) * step
        timestep = timestep + step
    assert timestep == pytest.approx(0.0)
    torch.testing.assert_close(state, 2.0 * noise - latent, rtol=0, atol=1e-5)
    assert float((state - latent).norm()) > 1.9 * float((noise - latent).norm())


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_order_of_convergence(name, grid):
    noise = _draw(1, 3, dtype=torch.float64)
    exact = noise * math.exp(math.sin(3.0))
    errors = [
        float((SOLVERS[name](_swinging, noise=noise, grid=grid(steps)) - exact).norm())
        for steps in (399, 799)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(ORDERS[name], abs=0.1)
    assert errors[1] < (2e-2 if ORDERS[name] == 1 else 4e-4)


@given(cuts=st.lists(st.integers(1, 999), min_size=1, max_size=9, unique=True))
def test_second_order_solvers_follow_a_parabola_on_any_grid(cuts):
    """They integrate a velocity linear in time exactly."""
    grid = torch.tensor([0.0, *(cut / 1000.0 for cut in sorted(cuts)), 1.0])
    noise = _draw(2, 3, dtype=torch.float64)

    def linear(state, timestep):
        return 1.0 + 2.0 * _per_sample(timestep, state).expand_as(state)

    end = heun(linear, noise=noise, grid=grid)
    torch.testing.assert_close(end, noise + 2.0, rtol=0, atol=1e-12)
    # Adams-Bashforth's first step is Euler's, whose error here is the square of its length.
    first = grid.double()[1]
    end = adams_bashforth(linear, noise=noise, grid=grid)
    torch.testing.assert_close(end, noise + 2.0 - first**2, rtol=0, atol=1e-12)


def test_euler_against_a_float64_oracle():
    noise, grid = _draw(2, 3, 5), linear_quadratic_grid(19)
    oracle = noise.double()
    for start, end in zip(grid[:-1].double(), grid[1:].double(), strict=True):
        oracle = oracle + (end - start) * _swinging(oracle, start.expand(2))
    result = euler(_swinging, noise=noise, grid=grid)
    torch.testing.assert_close(result.double(), oracle, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SOLVERS)
def test_velocity_evaluations(name):
    seen = []

    def velocity(state, timestep):
        seen.append(timestep)
        return _swinging(state, timestep)

    grid = linear_quadratic_grid(7)
    SOLVERS[name](velocity, noise=_draw(2, 3), grid=grid)
    assert len(seen) == 7 * EVALUATIONS[name]
    assert all(timestep.shape == (2,) and timestep.dtype == torch.float32 for timestep in seen)
    starts = torch.stack(seen)[:: EVALUATIONS[name], 0]
    assert torch.equal(starts, grid[:-1])
    assert float(seen[-1][0]) == (1.0 if name == "heun" else float(grid[-2]))


@every_solver
def test_the_state_stays_float32_whatever_the_network_returns(solver):
    latent, noise = _draw(2, 3, seed=1), _draw(2, 3, seed=2).bfloat16()
    rounded = path.velocity(latent, noise=noise).bfloat16()
    states = []

    def velocity(state, _timestep):
        states.append(state)
        return rounded

    end = solver(velocity, noise=noise, grid=uniform_grid(100))
    assert {state.dtype for state in states} == {torch.float32}
    torch.testing.assert_close(end, noise.float() + rounded.float(), rtol=0, atol=2e-6)


@every_solver
def test_on_step_tells_every_step(solver):
    noise, grid, steps = _draw(2, 3), linear_quadratic_grid(5), []
    end = solver(_swinging, noise=noise, grid=grid, on_step=steps.append)
    assert [step.index for step in steps] == [1, 2, 3, 4, 5]
    assert {step.num_steps for step in steps} == {5}
    assert [step.timestep for step in steps] == grid[1:].tolist()
    assert steps[-1].state is end
    before = noise
    for step, length in zip(steps, grid.diff(), strict=True):
        torch.testing.assert_close(step.state, before + length * step.velocity)
        before = step.state


@every_solver
def test_trajectory_keeps_every_state(solver):
    noise, grid = _draw(2, 3), linear_quadratic_grid(5)
    states = trajectory(solver, _swinging, noise=noise, grid=grid)
    assert states.shape == (6, 2, 3)
    assert torch.equal(states[0], noise)
    assert torch.equal(states[-1], solver(_swinging, noise=noise, grid=grid))
    assert torch.equal(states[2], solver(_swinging, noise=noise, grid=grid[:3]))


def test_euler_retraces_the_released_trajectory():
    """Its own steps tell the network's velocities; the solver must walk on them as it did."""
    recorded = load_file(PARITY)
    grid, states = recorded["t_grid_20"], recorded["trajectory_20_cfg1.5"]
    velocities = iter(states.diff(dim=0) / grid.diff()[:, None, None, None, None])

    def velocity(_state, _timestep):
        return next(velocities)[None]

    retraced = trajectory(euler, velocity, noise=recorded["noise"], grid=linear_quadratic_grid(19))
    torch.testing.assert_close(retraced[:, 0], states, rtol=0, atol=1e-5)
    torch.testing.assert_close(retraced[-1], recorded["end_20_cfg1.5"], rtol=0, atol=1e-5)


@every_solver
def test_samples_do_not_touch_each_other(solver):
    noise, grid = _draw(3, 2), uniform_grid(4)
    together = solver(_swinging, noise=noise, grid=grid)
    torch.testing.assert_close(together[1:2], solver(_swinging, noise=noise[1:2], grid=grid))


@every_solver
def test_gradients_flow_through_the_walk(solver):
    noise = _draw(1, 3, dtype=torch.float64).requires_grad_()
    solver(_swinging, noise=noise, grid=uniform_grid(200)).sum().backward()
    torch.testing.assert_close(
        noise.grad, torch.full_like(noise, math.exp(math.sin(3.0))), rtol=0.05, atol=0
    )


@every_solver
@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ([1.0, 0.5, 0.0], r"grid must rise strictly, from noise \(0\) toward the latent \(1\)"),
        ([0.0, 0.5, 0.5, 1.0], "grid must rise strictly"),
        ([0.0, float("nan"), 1.0], "grid must rise strictly"),
        ([0.0, 500.0, 1000.0], r"grid must lie within \[0, 1\], got 0.0 to 1000.0"),
        ([-0.5, 1.0], r"grid must lie within \[0, 1\], got -0.5 to 1.0"),
        ([0.0], r"grid must be a vector of two or more, got shape \(1,\)"),
        ([], "grid must be a vector of two or more"),
    ],
)
def test_bad_grids_are_refused(solver, grid, message):
    with pytest.raises(ValueError, match=message):
        solver(_swinging, noise=_draw(2, 3), grid=torch.tensor(grid))


@every_solver
def test_a_velocity_that_would_broadcast_is_refused(solver):
    with pytest.raises(ValueError, match=r"the velocity \(1, 3\) must have the state's shape"):
        solver(lambda state, _timestep: state[:1], noise=_draw(2, 3), grid=uniform_grid(2))
