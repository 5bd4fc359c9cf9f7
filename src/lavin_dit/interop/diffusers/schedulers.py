"""diffusers' flow schedulers, driven along the core's grid.

A scheduler counts sigmas, the share of noise, from 1 down to 0, and expects the derivative by
sigma; `lavin_dit.flow.path` converts both. The network never sees a scheduler's timesteps (sigma
times 1000, to some schedulers a whole number): it gets the grid's own.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.schedulers.scheduling_flow_match_heun_discrete import FlowMatchHeunDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from jaxtyping import Float
from torch import Tensor

from lavin_dit.flow.path import (
    VelocityFunction,
    at_least_float32,
    sigma_from_timestep,
    velocity_along_sigma,
)
from lavin_dit.flow.solvers import SolverStep

FlowScheduler: TypeAlias = (
    FlowMatchEulerDiscreteScheduler
    | FlowMatchHeunDiscreteScheduler
    | DPMSolverMultistepScheduler
    | UniPCMultistepScheduler
)
"""The schedulers that follow the core's grid without adding noise."""

# What a scheduler's settings have to be, of those that it has: anything else would bend the grid,
# add noise, or take the velocity for something it isn't.
_REQUIRED: dict[str, object] = {
    "prediction_type": "flow_prediction",
    "use_flow_sigmas": True,
    "shift": 1.0,
    "flow_shift": 1.0,
    "use_dynamic_shifting": False,
    "shift_terminal": None,
    "invert_sigmas": False,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_lu_lambdas": False,
    "final_sigmas_type": "zero",
    "stochastic_sampling": False,
    "algorithm_type": "dpmsolver++",
    "thresholding": False,
}
# UniPC starts a millionth below 1, where the logarithm of its signal is finite.
_LARGEST_DEVIATION = 2e-6

OnStep = Callable[[SolverStep], Tensor | None]
"""Called after every step; a tensor that it returns takes the state's place."""


def check_scheduler(scheduler: object) -> FlowScheduler:
    """Check that a scheduler can follow the core's grid.

    Args:
        scheduler: One of diffusers'.

    Returns:
        The scheduler.

    Raises:
        TypeError: If it is not one of `FlowScheduler`.
        ValueError: If a setting would change the grid or the result; the message names it.
    """
    name = type(scheduler).__name__
    if not isinstance(scheduler, FlowScheduler):
        known = ", ".join(cls.__name__ for cls in FlowScheduler.__args__)
        raise TypeError(f"{name} is not supported; use one of {known}")
    config: dict[str, Any] = dict(scheduler.config)
    wrong = [
        f"{key}={config[key]!r} (must be {value!r})"
        for key, value in _REQUIRED.items()
        if key in config and config[key] != value
    ]
    if wrong:
        raise ValueError(
            f"{name} would leave the grid: {', '.join(wrong)}; change it with "
            f"{name}.from_config(scheduler.config, ...)"
        )
    return scheduler


class SchedulerSolver:
    """One of diffusers' flow schedulers as a solver of the core's.

    On the core's grid, Euler's scheduler and first-order DPM-Solver++ are `euler`. Heun's is `heun`
    up to the last step, which it takes as Euler's. At higher orders DPM-Solver++ and UniPC have no
    counterpart in the core; they converge to the same latent.
    """

    def __init__(self, scheduler: object) -> None:
        """Check the scheduler.

        Args:
            scheduler: Its state is overwritten by every walk.

        Raises:
            TypeError: As `check_scheduler`.
            ValueError: As `check_scheduler`.
        """
        # diffusers' annotations of these classes contradict each other and what they accept.
        self.scheduler: Any = check_scheduler(scheduler)

    def __call__(
        self,
        velocity: VelocityFunction,
        *,
        noise: Float[Tensor, " b *shape"],
        grid: Float[Tensor, " points"],
        on_step: OnStep | None = None,
    ) -> Float[Tensor, " b *shape"]:
        """Walk from noise to latent.

        Args:
            velocity: Velocity at a state and a timestep per sample.
            noise: State at timestep 0.
            grid: Timesteps rising from 0 to 1.
            on_step: Called after every step; a tensor that it returns takes the state's place.

        Returns:
            State at timestep 1.

        Raises:
            ValueError: If the grid does not lead from 0 to 1, or the scheduler bends it.
        """
        if grid.ndim != 1 or len(grid) < 2 or (float(grid[0]), float(grid[-1])) != (0.0, 1.0):
            raise ValueError(f"the grid must lead from 0 to 1, got {grid.tolist()}")
        state = at_least_float32(noise)
        set_grid(self.scheduler, grid, device=state.device)
        times = grid.to(device=state.device, dtype=state.dtype)
        before = state
        for evaluation, index in enumerate(_evaluations(self.scheduler, len(grid) - 1)):
            derivative = velocity_along_sigma(velocity(state, times[index].expand(len(state))))
            state = self.scheduler.step(
                derivative.to(state.dtype),
                self.scheduler.timesteps[evaluation],
                state,
                return_dict=False,
            )[0]
            arrived = _arrived_at(self.scheduler, evaluation, len(grid) - 1)
            if arrived is None or on_step is None:
                continue
            step = SolverStep(
                index=arrived,
                num_steps=len(grid) - 1,
                timestep=float(grid[arrived]),
                state=state,
                velocity=(state - before) / (times[arrived] - times[arrived - 1]),
            )
            replaced = on_step(step)
            state = before = state if replaced is None else replaced.to(state)
        return state


def set_grid(
    scheduler: Any,  # noqa: ANN401 - a FlowScheduler, whose annotations are wrong
    grid: Float[Tensor, " points"],
    *,
    device: torch.device,
) -> None:
    """Make a scheduler follow a grid, from its beginning.

    Args:
        scheduler: A `FlowScheduler`; its state is overwritten.
        grid: Timesteps rising from 0 to 1.
        device: Where the states will be.

    Raises:
        ValueError: If the scheduler ends up with another grid.
    """
    sigmas = sigma_from_timestep(grid.float().cpu())
    num_steps = len(grid) - 1
    takes_sigmas = isinstance(scheduler, FlowMatchEulerDiscreteScheduler | UniPCMultistepScheduler)
    if takes_sigmas:
        # UniPC needs an array, which neither's annotation allows.
        given: Any = sigmas[:-1].numpy()
        scheduler.set_timesteps(sigmas=given, device=device)
    else:
        # These two cannot be given a grid: the call prepares all else, the grid is written over.
        scheduler.set_timesteps(num_steps, device=device)
        order = list(_evaluations(scheduler, num_steps))
        scheduler.sigmas = torch.cat([sigmas[order], sigmas[-1:]])
        scheduler.timesteps = sigmas[order].to(device) * scheduler.config.num_train_timesteps
    scheduler.set_begin_index(0)
    followed = scheduler.sigmas.float().cpu()
    wanted = torch.cat([sigmas[list(_evaluations(scheduler, num_steps))], sigmas[-1:]])
    if followed.shape != wanted.shape or (followed - wanted).abs().max() > _LARGEST_DEVIATION:
        raise ValueError(
            f"{type(scheduler).__name__} bends the grid: sigmas {wanted.tolist()} became "
            f"{followed.tolist()}"
        )


def _evaluations(scheduler: FlowScheduler, num_steps: int) -> Sequence[int]:
    """Tell at which point of the grid each evaluation of the velocity takes place.

    A scheduler of order 2 looks at both ends of an interval, but not at the end of the last one.
    """
    if scheduler.order == 1:
        return range(num_steps)
    return [0, *(index for index in range(1, num_steps) for _ in range(2))]


def _arrived_at(scheduler: FlowScheduler, evaluation: int, num_steps: int) -> int | None:
    """Tell which point of the grid the state reached, or None in the middle of a step."""
    if scheduler.order == 1:
        return evaluation + 1
    if evaluation == 2 * (num_steps - 1):
        return num_steps
    return (evaluation + 1) // 2 if evaluation % 2 else None
