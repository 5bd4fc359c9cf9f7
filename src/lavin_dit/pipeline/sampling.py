"""From noise to a target latent, given context and query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lavin_dit.flow.guidance import guide, null_condition
from lavin_dit.flow.path import VelocityFunction
from lavin_dit.flow.solvers import SOLVERS, SolverStep
from lavin_dit.flow.timesteps import GRIDS
from lavin_dit.jdit.context_cache import ContextCache
from lavin_dit.jdit.model import JDiT
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.weights.defaults import PipelineDefaults

AVERAGED_TASKS = frozenset(
    {
        "colorization",
        "deraining",
        "depth_estimation",
        "edge_detection",
        "frame_prediction",
        "glass_deblurring",
        "inpainting",
        "instance_segmentation",
        "motion_deblurring",
        "optical_flow",
        "surface_normal_estimation",
        "video_depth",
        "video_instance_segmentation",
        "video_normals",
    }
)
"""Tasks in which the mean of several answers is a better one: those that ask for a quantity at each
pixel, edges, instances, and frames that follow. Two classes' colours or two boxes have no mean
(decision 0019)."""

RESTORATION_TASKS = frozenset(
    {
        "colorization",
        "deraining",
        "frame_prediction",
        "glass_deblurring",
        "inpainting",
        "motion_deblurring",
    }
)
"""Tasks that give a photo back what it lost, or what followed it. They want less guidance
than tasks that annotate (docs/experiments.md, entries 21 and 23)."""


def guidance_for(
    task: str | None, *, given: float | None, default: float, restoring: float | None
) -> float:
    """How strongly the context pulls.

    Args:
        task: Name of the task, if it is known.
        given: What the user says.
        default: What the pipeline says for most tasks.
        restoring: What it says for those that restore photos, if that is something else.
    """
    if given is not None:
        return given
    return restoring if task in RESTORATION_TASKS and restoring is not None else default


def samples_for(task: str | None, *, given: int | None, default: int) -> int:
    """How many answers to average.

    Args:
        task: Name of the task; None where pairs alone show it, and most tasks gain.
        given: What the user says.
        default: What the pipeline says for tasks that are averaged.
    """
    if given is not None:
        return given
    return default if task is None or task in AVERAGED_TASKS else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How to integrate.

    Raises:
        ValueError: If a number is out of range, or the solver or the grid unknown.
    """

    num_steps: int
    """Steps of the sampling grid."""
    guidance_scale: float
    """Strength of classifier-free guidance; 1 is none and costs half."""
    solver: str
    """Name of the solver."""
    grid: str = "linear_quadratic"
    """Name of the sampling grid."""
    num_samples: int = 1
    """Answers, each from noise of its own, whose latents are averaged."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("num_steps", "num_samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.guidance_scale < float("inf"):
            raise ValueError(
                f"guidance_scale must be a finite number of at least 0, got {self.guidance_scale}"
            )
        if self.solver not in SOLVERS:
            raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {self.solver!r}")
        if self.grid not in GRIDS:
            raise ValueError(f"grid must be one of {', '.join(GRIDS)}, got {self.grid!r}")

    @staticmethod
    def of(defaults: PipelineDefaults) -> "SamplingSettings":
        """How a pipeline samples by itself, one answer at a time."""
        return SamplingSettings(
            num_steps=defaults.num_steps,
            guidance_scale=defaults.guidance_scale,
            solver=defaults.solver,
            grid=defaults.grid,
        )


def sample_target(
    jdit: JDiT,
    task: CompiledTask,
    *,
    query_latent: Float[Tensor, "b c q y x"],
    noise: Float[Tensor, "n b c s y x"],
    settings: SamplingSettings,
    on_step: Callable[[], object] = lambda: None,
) -> Float[Tensor, "b c s y x"]:
    """Sample the latents of the targets of a batch of queries, or the means of several samples.

    With causal context all samples of all queries are one batch, as they share the queries' keys
    and values. With joint context each goes through the whole sequence: one after another.

    Args:
        jdit: The network.
        task: Context, on the network's device.
        query_latent: Normalised latents of the queries.
        noise: Starts of the path, ``num_samples`` for each query; its frames are the target's.
        settings: How to integrate.
        on_step: Called after every step of every sample.

    Raises:
        ValueError: If there are not as many starts as samples.

    Source:
        Paper section 3.2 and algorithm 2, with time running from noise to latent.
    """
    if len(noise) != settings.num_samples:
        raise ValueError(f"{settings.num_samples} samples need as many starts, got {len(noise)}")
    velocity = target_velocity(jdit, task, query_latent, guidance_scale=settings.guidance_scale)
    grid = GRIDS[settings.grid](settings.num_steps).to(noise.device)
    solver = SOLVERS[settings.solver]
    together = jdit.config.context_attention == "causal"
    starts = [noise.flatten(0, 1)] if together else list(noise)

    def after_step(_step: SolverStep) -> None:
        for _ in range(len(noise) // len(starts)):
            on_step()

    ends = [solver(velocity, noise=start, grid=grid, on_step=after_step) for start in starts]
    return torch.cat(ends).unflatten(0, noise.shape[:2]).mean(0)


def sample_episodes(
    jdit: JDiT,
    condition: Float[Tensor, "b c s y x"],
    *,
    clip_frames: Sequence[int],
    noise: Float[Tensor, "b c t y x"],
    settings: SamplingSettings,
) -> Float[Tensor, "b c t y x"]:
    """Sample the targets of a batch of episodes, each of which has a context of its own.

    Args:
        jdit: The network.
        condition: Normalised latents of each episode's pairs and query.
        clip_frames: Latent frames of each clip of the condition; the query's are the last.
        noise: Start of the path; its frames are the target's.
        settings: How to integrate.
    """
    query = condition[:, :, condition.shape[2] - clip_frames[-1] :]
    if jdit.config.context_attention == "causal":
        cache = extend_context(jdit, None, condition, clip_frames=clip_frames)

        def conditional(state: Tensor, timestep: Tensor) -> Tensor:
            return jdit.denoise(state, timestep, cache)
    else:

        def conditional(state: Tensor, timestep: Tensor) -> Tensor:
            return jdit(state, timestep, condition, clip_frames=clip_frames)

    velocity: VelocityFunction = conditional
    if settings.guidance_scale != 1.0:
        unconditional = _unconditional_velocity(jdit, query)
        velocity = guide(conditional, unconditional=unconditional, scale=settings.guidance_scale)
    grid = GRIDS[settings.grid](settings.num_steps).to(noise.device)
    return SOLVERS[settings.solver](velocity, noise=noise, grid=grid)


def target_velocity(
    jdit: JDiT,
    task: CompiledTask,
    query_latent: Float[Tensor, "b c q y x"],
    *,
    guidance_scale: float,
) -> VelocityFunction:
    """Make the velocity function of a batch of queries; what of the condition can be is computed.

    Args:
        jdit: The network.
        task: Context, on the network's device.
        query_latent: Normalised latents of the queries.
        guidance_scale: Strength of classifier-free guidance; at 1 there is no second evaluation.

    Raises:
        ValueError: If the scale is negative or not finite.
    """
    conditional = _conditional_velocity(jdit, task, query_latent)
    if guidance_scale == 1.0:
        return conditional
    unconditional = _unconditional_velocity(jdit, query_latent)
    return guide(conditional, unconditional=unconditional, scale=guidance_scale)


def _conditional_velocity(
    jdit: JDiT, task: CompiledTask, query_latent: Float[Tensor, "b c q y x"]
) -> VelocityFunction:
    num_frames = query_latent.shape[2]
    if task.cache is not None:
        cache = extend_context(jdit, task.cache, query_latent, clip_frames=(num_frames,))
        return lambda state, timestep: jdit.denoise(state, timestep, cache)
    context = task.latent.to(query_latent.dtype).expand(query_latent.shape[0], -1, -1, -1, -1)
    condition = torch.cat([context, query_latent], dim=2)
    clip_frames = (*task.clip_frames, num_frames)
    return lambda state, timestep: jdit(state, timestep, condition, clip_frames=clip_frames)


def _unconditional_velocity(
    jdit: JDiT, query_latent: Float[Tensor, "b c q y x"]
) -> VelocityFunction:
    condition = null_condition(query_latent)
    clip_frames = (1, query_latent.shape[2])
    if jdit.config.context_attention == "causal":
        cache = extend_context(jdit, None, condition, clip_frames=clip_frames)
        return lambda state, timestep: jdit.denoise(state, timestep, cache)
    return lambda state, timestep: jdit(state, timestep, condition, clip_frames=clip_frames)


def extend_context(
    jdit: JDiT,
    cache: ContextCache | None,
    condition: Float[Tensor, "b c s y x"],
    *,
    clip_frames: Sequence[int],
) -> ContextCache:
    """Append clips to a causal model's context, never compiled.

    It runs once per task or query, in ever new shapes: compiling it would cost more than it saves,
    and use up the recompilations that the sampling step needs.
    """
    with torch.compiler.set_stance("force_eager"):
        return jdit.extend_context(cache, condition, clip_frames=clip_frames)
