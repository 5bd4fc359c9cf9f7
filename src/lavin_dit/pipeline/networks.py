"""The two networks at work: pixels to latents, context to keys, noise to targets, and back.

Everything that touches a device happens here; the pipeline above deals in clips and pairs.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.context_cache import ContextCache
from lavin_dit.jdit.model import JDiT
from lavin_dit.pipeline.clips import Clip
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.devices import Offload, default_dtype, resident, resolve_device
from lavin_dit.pipeline.fitting import (
    Canvas,
    Placement,
    fit_frames,
    from_network,
    pad_to_whole_groups,
    to_network,
)
from lavin_dit.pipeline.sampling import SamplingSettings, extend_context, sample_target
from lavin_dit.pipeline.seeds import derived_seed
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.tiling import decode_tiled, encode_tiled
from lavin_dit.weights.config import Json, config_to_json
from lavin_dit.weights.defaults import Posterior
from lavin_dit.weights.fingerprint import fingerprint

TILE_OVERLAP = 0.25


class Networks:
    """An ST-VAE and a J-DiT that share a latent space and a device.

    Attributes:
        st_vae: The autoencoder.
        jdit: The velocity network.
        device: Where both compute.
        offload: Whether networks, or the J-DiT's blocks, take turns there.
        posterior: Whether clips are encoded as their posterior's mode or as a sample of it.
        tile_px: Side of the tiles in which large canvases are encoded and decoded, in pixels; None
            works on the whole canvas.
    """

    def __init__(
        self,
        *,
        st_vae: STVAE,
        jdit: JDiT,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
        offload: Offload,
        posterior: Posterior,
    ) -> None:
        """Put two networks on a device, in evaluation mode.

        Args:
            st_vae: See the class.
            jdit: See the class.
            device: The best one of this machine if None.
            dtype: Precision; bfloat16 on CUDA and float32 elsewhere if None.
            offload: See the class.
            posterior: See the class.

        Raises:
            ValueError: If the networks don't share a latent space, or the device is not there.
        """
        channels = st_vae.config.latent_channels, jdit.config.latent_channels
        if channels[0] != channels[1]:
            raise ValueError(
                f"the ST-VAE has {channels[0]} latent channels, the J-DiT {channels[1]}"
            )
        if offload not in ("none", "model", "block"):
            raise ValueError(f"offload must be 'none', 'model' or 'block', got {offload!r}")
        self.st_vae = st_vae.eval()
        self.jdit = jdit.eval()
        self.offload: Offload = offload
        self.posterior: Posterior = posterior
        self.tile_px: int | None = None
        self.device = resolve_device(device)
        self.to(device=self.device, dtype=dtype or default_dtype(self.device))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the networks."""
        return self.jdit.prompt_embed.dtype

    def to(self, *, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        """Move both to a device, or change their precision.

        Raises:
            ValueError: If the device is not there.
        """
        if device is not None:
            self.device = resolve_device(device)
        home = self.device if self.offload == "none" else torch.device("cpu")
        dtype = dtype or self.dtype
        for network in (self.st_vae, self.jdit):
            network.to(device=home, dtype=dtype)

    def fingerprint(self) -> str:
        """Identify both networks, configurations and weights, as compiled tasks and adapters do.

        A field of a configuration that came later, and so has a default, counts where it differs
        from it: what was made before stays good.
        """
        configs = [_identity(network.config) for network in (self.jdit, self.st_vae)]
        digest = sha256(json.dumps(configs, sort_keys=True).encode()).hexdigest()
        return f"{digest[:8]}-{fingerprint(self.jdit)}-{fingerprint(self.st_vae)}"

    def encode(
        self, clip: Float[Tensor, "b 3 t h w"], *, noise: Float[Tensor, "b c s y x"] | None = None
    ) -> Float[Tensor, "b c s y x"]:
        """Encode pixels in [-1, 1] to normalised latents.

        Args:
            clip: 1 + 4k frames, sides multiples of 8.
            noise: Samples the posterior with this noise; its mode is taken if None.
        """
        clip = clip.to(self.device, self.dtype)
        with torch.no_grad(), self._at_work(self.st_vae):
            if self.tile_px is None:
                posterior = self.st_vae.encode(clip)
            else:
                posterior = encode_tiled(
                    self.st_vae, clip, tile_px=self.tile_px, overlap=TILE_OVERLAP
                )
            if noise is None:
                return self.st_vae.normalize(posterior.mode())
            latent = posterior.sample_with_noise(noise.to(self.device, self.dtype))
            return self.st_vae.normalize(latent)

    def decode(self, latent: Float[Tensor, "b c s y x"]) -> Float[Tensor, "b 3 t h w"]:
        """Decode normalised latents to pixels around [-1, 1]."""
        with torch.no_grad(), self._at_work(self.st_vae):
            raw = self.st_vae.denormalize(latent.to(self.device)).to(self.dtype)
            if self.tile_px is None:
                return self.st_vae.decode(raw)
            return decode_tiled(self.st_vae, raw, tile_px=self.tile_px, overlap=TILE_OVERLAP)

    def rebuild(
        self, latent: Float[Tensor, "1 c s y x"], *, num_frames: int
    ) -> Float[Tensor, "t 3 h w"]:
        """Decode one clip's normalised latent to float32 frames around [0, 1].

        Args:
            latent: The clip.
            num_frames: Its frames; those that fill the last group are cut off.
        """
        return from_network(self.decode(latent)[0])[:num_frames]

    def encode_clips(
        self, clips: Sequence[Clip], placements: Sequence[Placement], *, seeds: Sequence[int]
    ) -> list[Float[Tensor, "1 c s y x"]]:
        """Fit and encode clips, each by itself.

        Args:
            clips: What to encode.
            placements: Where each goes on the canvas.
            seeds: What each one's posterior noise is drawn from, where it is sampled.
        """
        latents: list[Tensor] = []
        for clip, placement, seed in zip(clips, placements, seeds, strict=True):
            frames = fit_frames(clip.frames, placement)
            noise = self.posterior_noise(len(frames), placement.canvas, seed=seed)
            latents.append(self.encode_frames(frames, noise=noise))
        return latents

    def encode_frames(
        self, frames: UInt8[np.ndarray, "t y x 3"], *, noise: Float[Tensor, "1 c s h w"] | None
    ) -> Float[Tensor, "1 c s h w"]:
        """Encode frames that are on their canvas; the last one repeats to fill a group.

        Args:
            frames: As from `fit_frames`.
            noise: As in `encode`.
        """
        frames = pad_to_whole_groups(frames, group=STVAE.TEMPORAL_COMPRESSION)
        return self.encode(to_network(frames, device=self.device, dtype=self.dtype), noise=noise)

    def posterior_noise(
        self, num_frames: int, canvas: Canvas, *, seed: int
    ) -> Float[Tensor, "1 c s y x"] | None:
        """Draw what samples the posterior of a clip; None where its mode is taken.

        Args:
            num_frames: Pixel frames.
            canvas: Size of the frames.
            seed: What it is drawn from.
        """
        return self.noise(num_frames, canvas, seed=seed) if self.posterior == "sample" else None

    def extend_context(
        self,
        cache: ContextCache | None,
        latent: Float[Tensor, "b c s y x"],
        *,
        clip_frames: Sequence[int],
    ) -> ContextCache | None:
        """Append clips to a context's keys and values; None where the model can't keep any."""
        if self.jdit.config.context_attention != "causal":
            return None
        past = None if cache is None else cache.to(self.device, self.dtype)
        with torch.no_grad(), self._at_work(self.jdit):
            return extend_context(self.jdit, past, latent, clip_frames=clip_frames)

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
        """Sample target latents, every one from the same noise; or the means of several samples.

        Args:
            task: The context.
            query_latent: Normalised latents of the queries.
            num_frames: Pixel frames of a target.
            settings: How to integrate.
            seed: What the noise is drawn from.
            on_step: Called after every step of every sample.
        """
        noise = self.start_noise(
            num_frames, task.canvas, seed=seed, num_samples=settings.num_samples
        )
        return self.sample_from(
            noise.repeat(1, query_latent.shape[0], 1, 1, 1, 1),
            task,
            query_latent=query_latent,
            settings=settings,
            on_step=on_step,
        )

    def sample_from(
        self,
        noise: Float[Tensor, "n b c s y x"],
        task: CompiledTask,
        *,
        query_latent: Float[Tensor, "b c q y x"],
        settings: SamplingSettings,
        on_step: Callable[[], object],
    ) -> Float[Tensor, "b c s y x"]:
        """Sample target latents, each from noise of its own; or the means of several samples.

        Args:
            noise: Starts of the path, on the device; ``num_samples`` for each query.
            task: The context.
            query_latent: Normalised latents of the queries.
            settings: How to integrate.
            on_step: Called after every step of every sample.
        """
        with torch.no_grad(), self._at_work(self.jdit):
            return sample_target(
                self.jdit,
                task.to(device=self.device, dtype=self.dtype),
                query_latent=query_latent,
                noise=noise,
                settings=settings,
                on_step=on_step,
            )

    def start_noise(
        self, num_frames: int, canvas: Canvas, *, seed: int, num_samples: int
    ) -> Float[Tensor, "n 1 c s y x"]:
        """Draw the starts of several samples of a clip's latent: the first from the seed itself.

        Args:
            num_frames: Pixel frames.
            canvas: Size of the frames.
            seed: What they are drawn from.
            num_samples: How many.
        """
        further = [
            derived_seed(seed, "further sample", index=index) for index in range(1, num_samples)
        ]
        return torch.stack([self.noise(num_frames, canvas, seed=own) for own in (seed, *further)])

    def noise(self, num_frames: int, canvas: Canvas, *, seed: int) -> Float[Tensor, "1 c s y x"]:
        """Draw the noise of a clip's latent, on the CPU: a seed means the same on every device.

        Args:
            num_frames: Pixel frames.
            canvas: Size of the frames.
            seed: What it is drawn from.
        """
        factor = STVAE.SPATIAL_COMPRESSION
        shape = (
            1,
            self.jdit.config.latent_channels,
            1 - (1 - num_frames) // STVAE.TEMPORAL_COMPRESSION,
            canvas.height // factor,
            canvas.width // factor,
        )
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(self.device)

    def _at_work(self, network: nn.Module) -> AbstractContextManager[None]:
        return resident(network, device=self.device, offload=self.offload)


def _identity(config: JDiTConfig | STVAEConfig) -> dict[str, Json]:
    """A configuration without the fields that hold their defaults."""
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    return {
        name: value
        for name, value in config_to_json(config).items()
        if name not in defaults or value != defaults[name]
    }
