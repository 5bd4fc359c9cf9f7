"""The pipeline for users of diffusers.

Reading, fitting, context, guidance and decoding are the core's. diffusers' part is where networks
live, how they are saved, and which scheduler walks from noise to latent.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from lavin_dit.flow.path import VelocityFunction
from lavin_dit.flow.solvers import SolverStep
from lavin_dit.flow.timesteps import GRIDS
from lavin_dit.interop.diffusers.core_pipeline import CorePipelineMixin
from lavin_dit.interop.diffusers.output import (
    LavinDiTPipelineOutput,
    OutputType,
    check_output_type,
    convert,
)
from lavin_dit.interop.diffusers.placed import PlacedNetworks, PlacedPipeline, Walk
from lavin_dit.interop.diffusers.schedulers import SchedulerSolver
from lavin_dit.pipeline.clips import Source
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.fitting import Fit
from lavin_dit.pipeline.task_contexts import Context

StepEndCallback = Callable[["LavinDiTDiffusionPipeline", int, float, dict[str, Any]], Any]
"""Called with the pipeline, the step's number from 0, the timestep reached (0 to 1) and
``{"latents": state}``; the ``latents`` of what it returns take the state's place."""


class LavinDiTDiffusionPipeline(CorePipelineMixin):
    """In-context vision behind diffusers' interface.

    Saving, loading, sharding, placing and offloading are those of `DiffusionPipeline`. For the same
    settings, seed and scheme of integration, predictions are those of `LavinDiTPipeline` with one
    sample.

    Source:
        Paper section 3.2.
    """

    _callback_tensor_inputs: ClassVar[list[str]] = ["latents"]

    def compile_context(self, context: Context, **settings: Any) -> CompiledTask:  # noqa: ANN401
        """Do once what all queries of a task share.

        Args:
            context: As in `LavinDiTPipeline.stream`.
            **settings: As in `LavinDiTPipeline.compile_context`.

        Raises:
            TypeError: As in a call.
            ValueError: As in a call.
            FileNotFoundError: As in a call.
        """
        generator = torch.Generator()
        task = self._placed(self._walk(generator, None)).compile_context(context, **settings)
        self.maybe_free_model_hooks()
        return task

    def __call__(  # noqa: PLR0913 - a user's settings, all by keyword
        self,
        query: Source | list[Source],
        *,
        context: Context,
        num_context_pairs: int | None = None,
        height: int | None = None,
        width: int | None = None,
        fit: Fit | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        generator: torch.Generator | None = None,
        output_type: OutputType = "pil",
        return_dict: bool = True,
        callback_on_step_end: StepEndCallback | None = None,
    ) -> LavinDiTPipelineOutput | tuple[Any, ...]:
        """Predict the target of one query, or of each query in a list.

        Args:
            query: An image or clip, as in `LavinDiTPipeline`, or a list of them; those with the
                same number of frames share a batch.
            context: What defines the task, as in `LavinDiTPipeline.stream`.
            num_context_pairs: Pairs taken from a folder that has more.
            height: Working height in pixels, rounded up to a multiple of 16.
            width: Working width, likewise.
            fit: ``pad`` (the default) keeps the aspect of pictures; ``stretch`` fills the canvas.
                The core's ``tile`` is refused for queries that one tile does not hold.
            num_inference_steps: Steps of the sampling grid.
            guidance_scale: Strength of classifier-free guidance; 1 is none and costs half.
            generator: Source of the noise, which all queries share; the seed it began with is that
                of all other choices. A fresh one gives the core's result for its seed. None is a
                fresh one with seed 0.
            output_type: See `LavinDiTPipelineOutput`.
            return_dict: Whether to answer a `LavinDiTPipelineOutput` or a tuple of its fields.
            callback_on_step_end: See `StepEndCallback`.

        Raises:
            TypeError: If the scheduler is of an unknown kind.
            ValueError: If something can't be read or is out of range.
            FileNotFoundError: If a path leads nowhere.
        """
        check_output_type(output_type)
        generator = generator or torch.Generator().manual_seed(0)
        queries: list[Source] = query if isinstance(query, list) else [query]
        predictions = self._placed(self._walk(generator, callback_on_step_end)).stream(
            queries,
            context=context,
            num_context_pairs=num_context_pairs,
            height=height,
            width=width,
            fit=fit,
            num_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            seed=generator.initial_seed(),
            batch_size=max(1, len(queries)),
            output_type="latent" if output_type == "latent" else "pixels",
            progress=False,
        )
        frames = [convert(prediction, output_type) for prediction in predictions]
        self.maybe_free_model_hooks()
        return LavinDiTPipelineOutput(frames=frames) if return_dict else (frames,)

    def _placed(self, walk: Walk) -> PlacedPipeline:
        defaults = self.defaults()
        networks = PlacedNetworks(
            st_vae=self.st_vae,
            jdit=self.jdit,
            device=self._execution_device,
            defaults=defaults,
            walk=walk,
        )
        return PlacedPipeline(networks, defaults)

    def _walk(self, generator: torch.Generator, callback: StepEndCallback | None) -> Walk:
        """Make the way from noise to latents: the scheduler's, on the core's grid."""
        solver = SchedulerSolver(self.scheduler)
        at_start = generator.get_state()
        progress_bar: Any = self.progress_bar  # its annotations are lost in a decorator

        def walk(velocity: VelocityFunction, shape: tuple[int, ...], num_steps: int) -> Tensor:
            generator.set_state(at_start)  # a prediction does not depend on the batches before it
            noise = torch.randn((1, *shape[1:]), generator=generator, device=generator.device)
            with progress_bar(total=num_steps) as bar:

                def after_step(step: SolverStep) -> Tensor | None:
                    bar.update()
                    if callback is None:
                        return None
                    tensors = {"latents": step.state}
                    answer = callback(self, step.index - 1, step.timestep, tensors)
                    return (answer or {}).get("latents")

                return solver(
                    velocity,
                    noise=noise.to(self._execution_device).expand(shape),
                    grid=GRIDS[self.defaults().grid](num_steps),
                    on_step=after_step,
                )

        return walk
