"""The pipeline's parts and settings: how it is made, saved and converted to and from the core."""

import os
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.schedulers.scheduling_flow_match_heun_discrete import FlowMatchHeunDiscreteScheduler
from diffusers.schedulers.scheduling_utils import SchedulerMixin

from lavin_dit.interop.diffusers.models import JDiTModel, STVAEModel
from lavin_dit.jdit.model import JDiT
from lavin_dit.pipeline.devices import default_dtype, resolve_device
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.weights.checkpoint import load_checkpoint, save_checkpoint
from lavin_dit.weights.defaults import RELEASED_DEFAULTS, PipelineDefaults
from lavin_dit.weights.locate import locate

# Self would be shorter, but the shape checks in the tests don't know it.
_Pipeline = TypeVar("_Pipeline", bound="CorePipelineMixin")
_SCHEDULERS: dict[str, type[Any]] = {
    "euler": FlowMatchEulerDiscreteScheduler,
    "heun": FlowMatchHeunDiscreteScheduler,
}


class CorePipelineMixin(DiffusionPipeline):
    """The two networks, a scheduler, and what the core keeps in ``pipeline.json``."""

    # The ST-VAE works first and last. It is small, so it may wait on the device; the J-DiT should
    # be gone when the decoder needs the memory.
    model_cpu_offload_seq = "jdit->st_vae"

    st_vae: STVAEModel
    jdit: JDiTModel
    scheduler: SchedulerMixin

    def __init__(  # noqa: PLR0913 - diffusers saves a pipeline's settings by parameter
        self,
        st_vae: STVAEModel,
        jdit: JDiTModel,
        scheduler: SchedulerMixin,
        *,
        height: int = RELEASED_DEFAULTS.height,
        width: int = RELEASED_DEFAULTS.width,
        num_context_pairs: int = RELEASED_DEFAULTS.num_context_pairs,
        num_inference_steps: int = RELEASED_DEFAULTS.num_steps,
        guidance_scale: float = RELEASED_DEFAULTS.guidance_scale,
        posterior: str = RELEASED_DEFAULTS.posterior,
        grid: str = RELEASED_DEFAULTS.grid,
        num_samples: int = RELEASED_DEFAULTS.num_samples,
        keep_detail: bool = RELEASED_DEFAULTS.keep_detail,
        restoration_guidance_scale: float | None = RELEASED_DEFAULTS.restoration_guidance_scale,
    ) -> None:
        """Put two networks and a scheduler together; the rest is used where a call says nothing.

        Args:
            st_vae: The autoencoder.
            jdit: The velocity network.
            scheduler: What samples; it has to pass `check_scheduler` when the pipeline is called.
            height: Working height in pixels.
            width: Working width in pixels.
            num_context_pairs: Context pairs taken from a folder that has more.
            num_inference_steps: Steps of the sampling grid.
            guidance_scale: Strength of classifier-free guidance; 1 is none.
            posterior: ``mode`` or ``sample``: how pictures are encoded.
            grid: Name of the sampling grid: ``linear_quadratic`` or ``uniform``.
            num_samples: Answers that the core averages; here there is one. Kept for the way back.
            keep_detail: Whether predictions are weighed against queries, given the detail that the
                autoencoder loses of them and drawn after their outlines, as far as pairs say so.
            restoration_guidance_scale: The core's guidance for some tasks that it knows by name;
                kept for the way back.
        """
        super().__init__()
        self.register_modules(st_vae=st_vae, jdit=jdit, scheduler=scheduler)
        self.register_to_config(
            height=height,
            width=width,
            num_context_pairs=num_context_pairs,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            posterior=posterior,
            grid=grid,
            num_samples=num_samples,
            keep_detail=keep_detail,
            restoration_guidance_scale=restoration_guidance_scale,
        )

    @classmethod
    def from_core(
        cls: type[_Pipeline], pipeline: LavinDiTPipeline, *, scheduler: SchedulerMixin | None = None
    ) -> _Pipeline:
        """Give a pipeline of the core diffusers' interface; both share their weights.

        Args:
            pipeline: The core's, without offloading.
            scheduler: What samples; the counterpart of the pipeline's solver if None.

        Raises:
            ValueError: If the pipeline offloads, or its solver has no counterpart.
        """
        if pipeline.networks.offload != "none":
            raise ValueError(
                "the core's pipeline offloads its networks: make it with offload='none' and call "
                "enable_model_cpu_offload() or enable_group_offload() on the result"
            )
        return cls._assemble(pipeline.st_vae, pipeline.jdit, pipeline.defaults, scheduler)

    @classmethod
    def from_core_checkpoint(
        cls: type[_Pipeline],
        name: str | os.PathLike[str],
        *,
        scheduler: SchedulerMixin | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> _Pipeline:
        """Load a pipeline that the core saved.

        Args:
            name: Folder or repository, as in `LavinDiTPipeline.from_pretrained`.
            scheduler: As in `from_core`.
            device: Where to load to.
            dtype: Precision; bfloat16 on CUDA and float32 elsewhere if None.

        Raises:
            FileNotFoundError: If there is no such pipeline.
            ValueError: If its files are damaged, or its solver has no counterpart.
        """
        found = resolve_device(device)
        dtype = dtype or default_dtype(found)
        checkpoint = load_checkpoint(locate(name), dtype=dtype, device=found)
        return cls._assemble(checkpoint.st_vae, checkpoint.jdit, checkpoint.defaults, scheduler)

    @classmethod
    def _assemble(
        cls: type[_Pipeline],
        st_vae: STVAE,
        jdit: JDiT,
        defaults: PipelineDefaults,
        scheduler: SchedulerMixin | None,
    ) -> _Pipeline:
        if scheduler is None and defaults.solver not in _SCHEDULERS:
            raise ValueError(
                f"solver {defaults.solver!r} has no counterpart in diffusers: pass a scheduler"
            )
        return cls(
            STVAEModel.from_core(st_vae),
            JDiTModel.from_core(jdit),
            _SCHEDULERS[defaults.solver]() if scheduler is None else scheduler,
            height=defaults.height,
            width=defaults.width,
            num_context_pairs=defaults.num_context_pairs,
            num_inference_steps=defaults.num_steps,
            guidance_scale=defaults.guidance_scale,
            posterior=defaults.posterior,
            grid=defaults.grid,
            num_samples=defaults.num_samples,
            keep_detail=defaults.keep_detail,
            restoration_guidance_scale=defaults.restoration_guidance_scale,
        )

    def save_core_checkpoint(self, directory: str | os.PathLike[str]) -> None:
        """Save a folder that `LavinDiTPipeline.from_pretrained` loads.

        Args:
            directory: Where to.

        Raises:
            OSError: If it can't be written.
            ValueError: If an adapter is attached, or the scheduler has no counterpart in the core.
        """
        solvers = {scheduler: solver for solver, scheduler in _SCHEDULERS.items()}
        if type(self.scheduler) not in solvers:
            raise ValueError(
                f"{type(self.scheduler).__name__} has no counterpart in the core: set "
                f"pipeline.scheduler to one of {', '.join(cls.__name__ for cls in solvers)} first"
            )
        save_checkpoint(
            Path(directory),
            st_vae=self.st_vae.to_core(),
            jdit=self.jdit.to_core(),
            defaults=self.defaults(solvers[type(self.scheduler)]),
        )

    def enable_sequential_cpu_offload(
        self, gpu_id: int | None = None, device: torch.device | str | None = None
    ) -> None:
        """Refuse: it moves leaves one by one.

        Args:
            gpu_id: Not used.
            device: Not used.

        Raises:
            NotImplementedError: Always; see `CoreModelMixin.enable_group_offload`.
        """
        raise NotImplementedError(
            "sequential offloading is not supported: use enable_group_offload() with "
            "offload_type='block_level' and num_blocks_per_group=1"
        )

    def defaults(self, solver: str = "euler") -> PipelineDefaults:
        """Return the settings as the core has them.

        Args:
            solver: Name of the solver, in whose place a scheduler stands here.
        """
        saved: dict[str, Any] = dict(self.config)
        return PipelineDefaults(
            height=saved["height"],
            width=saved["width"],
            num_context_pairs=saved["num_context_pairs"],
            num_steps=saved["num_inference_steps"],
            guidance_scale=saved["guidance_scale"],
            solver=solver,
            posterior=saved["posterior"],
            grid=saved["grid"],
            num_samples=saved["num_samples"],
            keep_detail=saved["keep_detail"],
            restoration_guidance_scale=saved["restoration_guidance_scale"],
        )
