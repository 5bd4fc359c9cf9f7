"""The core's pipeline around networks that diffusers has put in their place.

Everything but two things is the core's: networks are not moved, and whoever builds the pipeline
says how to get from noise to latent.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from lavin_dit.flow.path import VelocityFunction
from lavin_dit.interop.diffusers.models import JDiTModel, STVAEModel
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.devices import resolve_device
from lavin_dit.pipeline.networks import Networks
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.pipeline.sampling import SamplingSettings, target_velocity
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.weights.defaults import PipelineDefaults

Walk: TypeAlias = Callable[[VelocityFunction, tuple[int, ...], int], Tensor]
"""From noise to latents: given the velocity, the shape of the states and the number of steps."""


class PlacedNetworks(Networks):
    """The two networks, where somebody else decides on which device their weights are."""

    def __init__(
        self,
        *,
        st_vae: STVAEModel,
        jdit: JDiTModel,
        device: torch.device,
        defaults: PipelineDefaults,
        walk: Walk,
    ) -> None:
        """Take networks as they are.

        Args:
            st_vae: The autoencoder.
            jdit: The velocity network.
            device: Where they compute.
            defaults: Whose posterior setting counts.
            walk: Draws the noise and integrates.

        Raises:
            ValueError: If the networks don't share a latent space.
        """
        super().__init__(
            st_vae=st_vae,
            jdit=jdit,
            device=device,
            dtype=None,
            offload="none",
            posterior=defaults.posterior,
        )
        self._adapters = jdit.adapter_fingerprint()
        self._walk = walk

    def to(self, *, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        """Leave the weights where they are, in their precision."""
        del dtype
        if device is not None:
            self.device = resolve_device(device)

    def fingerprint(self) -> str:
        """Identify the networks, as the core does, and the adapters that act."""
        return "-".join(filter(None, [super().fingerprint(), self._adapters]))

    def sample(
        self,
        task: CompiledTask,
        *,
        query_latent: Float[Tensor, "b c q y x"],
        num_frames: int,
        settings: SamplingSettings,
        seed: int,
        on_step: Callable[[], object],
    ) -> Float[Tensor, "b c s y x"]:
        """Sample target latents.

        Args:
            task: The context.
            query_latent: Normalised latents of the queries.
            num_frames: Pixel frames of a target.
            settings: Steps and guidance; the walk is in the solver's place.
            seed: Not used: the walk has its own source of noise.
            on_step: Not used: the walk tells of its steps itself.
        """
        del seed, on_step
        batch, channels, _, rows, cols = query_latent.shape
        num_groups = -(-(num_frames - 1) // STVAE.TEMPORAL_COMPRESSION)
        with torch.no_grad():
            velocity = target_velocity(
                self.jdit,
                task.to(device=self.device, dtype=self.dtype),
                query_latent,
                guidance_scale=settings.guidance_scale,
            )
            shape = (batch, channels, 1 + num_groups, rows, cols)
            return self._walk(velocity, shape, settings.num_steps)

    def sample_from(
        self,
        noise: Float[Tensor, "n b c s y x"],
        task: CompiledTask,
        *,
        query_latent: Float[Tensor, "b c q y x"],
        settings: SamplingSettings,
        on_step: Callable[[], object],
    ) -> Float[Tensor, "b c s y x"]:
        """Refuse: the walk draws noise of its own, and tiles need that of one sheet.

        Raises:
            ValueError: Always.
        """
        del noise, task, query_latent, settings, on_step
        raise ValueError("fit='tile' is not for the pipeline of diffusers: use LavinDiTPipeline")


class PlacedPipeline(LavinDiTPipeline):
    """The core's pipeline of such networks."""

    def __init__(  # pyright: ignore[reportMissingSuperCall] - which would move them
        self, networks: PlacedNetworks, defaults: PipelineDefaults
    ) -> None:
        """Put a pipeline around networks.

        Args:
            networks: Both, in their place.
            defaults: Settings for what a call leaves open.
        """
        self.networks = networks
        self.defaults = defaults
