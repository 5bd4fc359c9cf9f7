"""Solvers of the sampling ODE: they walk a state along a grid, led by a velocity function.

All have one signature, and none turns gradients off: the caller does. The state is float32 whatever
precision the network runs in (float64 if the noise is), because a small step times a velocity is
lost in 16 bits. The velocity function gets the state in that precision and one timestep per sample.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from lavin_dit.flow.path import VelocityFunction, at_least_float32


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverStep:
    """What a solver tells after each step: enough for a progress bar, a preview or a trajectory."""

    index: int
    """Number of the step, counted from 1; ``num_steps`` is the last."""
    num_steps: int
    """Number of steps in all."""
    timestep: float
    """Place on the path that the step arrived at."""
    state: Float[Tensor, " b *shape"]
    """State there; the solver never writes into it again."""
    velocity: Float[Tensor, " b *shape"]
    """Velocity that the step followed, averaged over its evaluations: the difference of two states
    divided by that of their timesteps."""


StepCallback = Callable[[SolverStep], object]


@runtime_checkable
class Solver(Protocol):
    """A solver of the sampling ODE; see `euler` for the arguments."""

    def __call__(
        self,
        velocity: VelocityFunction,
        *,
        noise: Float[Tensor, " b *shape"],
        grid: Float[Tensor, " points"],
        on_step: StepCallback | None = None,
    ) -> Float[Tensor, " b *shape"]:
        """Walk from the grid's first timestep to its last."""
        ...


def euler(
    velocity: VelocityFunction,
    *,
    noise: Float[Tensor, " b *shape"],
    grid: Float[Tensor, " points"],
    on_step: StepCallback | None = None,
) -> Float[Tensor, " b *shape"]:
    """Euler's method: order 1, one velocity evaluation a step.

    Args:
        velocity: Velocity at a state and a timestep per sample.
        noise: State at the grid's first timestep; pure noise when that is 0.
        grid: Strictly rising timesteps within [0, 1], at least two.
        on_step: Called after every step.

    Returns:
        State at the grid's last timestep; the predicted latent when that is 1.

    Raises:
        ValueError: If the grid does not rise within [0, 1], or a velocity has another shape than
            the state.

    Source:
        Paper equations 2 and 3, with time running from noise to latent (decision 0001).
    """

    def follow(state: Tensor, start: Tensor, _end: Tensor) -> Tensor:
        return _evaluate(velocity, state, start)

    return _walk(follow, noise=noise, grid=grid, on_step=on_step)


def heun(
    velocity: VelocityFunction,
    *,
    noise: Float[Tensor, " b *shape"],
    grid: Float[Tensor, " points"],
    on_step: StepCallback | None = None,
) -> Float[Tensor, " b *shape"]:
    """Heun's method: order 2, two velocity evaluations a step.

    The last step has two as well, the second at the grid's last timestep itself (unlike samplers
    whose time ends in a singularity and which finish with a step of Euler's).

    Args:
        velocity: As in `euler`.
        noise: As in `euler`.
        grid: As in `euler`.
        on_step: As in `euler`.

    Returns:
        As in `euler`.

    Raises:
        ValueError: As in `euler`.

    Source:
        Ours: the textbook method; the paper has Euler's only.
    """

    def follow(state: Tensor, start: Tensor, end: Tensor) -> Tensor:
        here = _evaluate(velocity, state, start)
        there = _evaluate(velocity, state + (end - start) * here, end)
        return (here + there) / 2.0

    return _walk(follow, noise=noise, grid=grid, on_step=on_step)


def adams_bashforth(
    velocity: VelocityFunction,
    *,
    noise: Float[Tensor, " b *shape"],
    grid: Float[Tensor, " points"],
    on_step: StepCallback | None = None,
) -> Float[Tensor, " b *shape"]:
    """Two-step Adams-Bashforth for unequal steps: order 2, one velocity evaluation a step.

    Each step extrapolates the line through the last two velocities to its own middle; the first
    step is Euler's. A step much longer than the one before it extrapolates far.

    Args:
        velocity: As in `euler`.
        noise: As in `euler`.
        grid: As in `euler`.
        on_step: As in `euler`.

    Returns:
        As in `euler`.

    Raises:
        ValueError: As in `euler`.

    Source:
        Ours: the textbook method; the paper has Euler's only.
    """
    before: tuple[Tensor, Tensor] | None = None

    def follow(state: Tensor, start: Tensor, end: Tensor) -> Tensor:
        nonlocal before
        here = _evaluate(velocity, state, start)
        average = here
        if before is not None:
            last_velocity, last_start = before
            average = here + (end - start) / (start - last_start) / 2.0 * (here - last_velocity)
        before = here, start
        return average

    return _walk(follow, noise=noise, grid=grid, on_step=on_step)


SOLVERS: Mapping[str, Solver] = MappingProxyType(
    {"euler": euler, "heun": heun, "adams_bashforth": adams_bashforth}
)
"""Solvers by name. Velocity evaluations a step: 1, 2 and 1."""


def trajectory(
    solver: Solver,
    velocity: VelocityFunction,
    *,
    noise: Float[Tensor, " b *shape"],
    grid: Float[Tensor, " points"],
) -> Float[Tensor, "points b *shape"]:
    """Run a solver and keep every state, the noise first.

    Args:
        solver: One of `SOLVERS`.
        velocity: As in `euler`.
        noise: As in `euler`.
        grid: As in `euler`.

    Raises:
        ValueError: As in `euler`.
    """
    states = [at_least_float32(noise)]
    solver(velocity, noise=noise, grid=grid, on_step=lambda step: states.append(step.state))
    return torch.stack(states)


def _walk(
    follow: Callable[[Tensor, Tensor, Tensor], Tensor],
    *,
    noise: Tensor,
    grid: Tensor,
    on_step: StepCallback | None,
) -> Tensor:
    """Take a step for each interval of the grid, along the velocity that ``follow`` finds for it.

    ``follow`` is called with the state, the interval's start and its end, the latter two as scalar
    tensors beside the state.
    """
    timesteps = _checked_timesteps(grid)
    state = at_least_float32(noise)
    times = grid.to(device=state.device, dtype=state.dtype)
    for index in range(1, len(timesteps)):
        start, end = times[index - 1], times[index]
        step_velocity = follow(state, start, end)
        state = state + (end - start) * step_velocity
        if on_step is not None:
            on_step(
                SolverStep(
                    index=index,
                    num_steps=len(timesteps) - 1,
                    timestep=timesteps[index],
                    state=state,
                    velocity=step_velocity,
                )
            )
    return state


def _evaluate(velocity: VelocityFunction, state: Tensor, time: Tensor) -> Tensor:
    result = velocity(state, time.expand(state.shape[0]))
    if result.shape != state.shape:
        raise ValueError(
            f"the velocity {tuple(result.shape)} must have the state's shape {tuple(state.shape)}"
        )
    return result.to(state.dtype)


def _checked_timesteps(grid: Tensor) -> list[float]:
    if grid.ndim != 1 or grid.shape[0] < 2:
        raise ValueError(f"grid must be a vector of two or more, got shape {tuple(grid.shape)}")
    timesteps: list[float] = grid.tolist()
    if not all(before < after for before, after in itertools.pairwise(timesteps)):
        raise ValueError(
            f"grid must rise strictly, from noise (0) toward the latent (1), got {timesteps}"
        )
    if timesteps[0] < 0.0 or timesteps[-1] > 1.0:
        raise ValueError(f"grid must lie within [0, 1], got {timesteps[0]} to {timesteps[-1]}")
    return timesteps
