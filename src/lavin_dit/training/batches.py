"""Batches as the loop sees them: something with a length that is handed to the objective in parts.

`EncodedEpisodes` turns the loader's pictures into latents on the training device as they are used;
`lavin_dit.training.cached_episodes` reads latents that were computed before, and
`lavin_dit.training.clip_batches` is for the ST-VAE itself.
"""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from lavin_dit.data.batch import EpisodeBatch
from lavin_dit.data.loader import EpisodeLoader
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.training.config import DrawSettings
from lavin_dit.training.draws import (
    EpisodeDraws,
    draw_episode,
    sample_generator,
)
from lavin_dit.training.jdit_objective import LatentEpisodes
from lavin_dit.weights.defaults import Posterior
from lavin_dit.weights.fingerprint import fingerprint

_FRAMES_AT_ONCE = 64
_VALUES_AT_ONCE = 1024 * 128 * 128 * 16
"""Values of a GPU's widest feature map: 1,024 pictures of 128 px by the nano, 32 of 256 px by the
released ST-VAE."""


@runtime_checkable
class TrainingBatch(Protocol):
    """This process's share of the batch of one step."""

    @property
    def step(self) -> int:
        """The step that it is for."""
        ...

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def part(self, start: int, stop: int) -> Any:  # noqa: ANN401 - what its objective takes
        """What the objective takes, for some of the samples."""
        ...

    def describe(self) -> list[str]:
        """Where each sample comes from, for reports of what went wrong."""
        ...

    @property
    def clip_cells(self) -> tuple[int, int]:
        """Clips of a sample, and latent cells of each."""
        ...


@runtime_checkable
class Batches(Protocol):
    """Batches without end, from any step on."""

    def __iter__(self) -> Iterator[TrainingBatch]:
        """Hand out batches."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Which batch comes next; plain values."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was saved."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which samples of every global batch belong to this process.

    Attributes:
        seed: The run's.
        rank: Number of this process.
        world_size: Number of processes.
        device: Where it trains.
    """

    seed: int
    rank: int
    world_size: int
    device: torch.device

    def generators(self, step: int, *, count: int) -> list[torch.Generator]:
        """A generator for each of this process's samples."""
        return [
            sample_generator(self.seed, step=step, slot=self.rank * count + place)
            for place in range(count)
        ]


def stack_draws(
    draws: list[EpisodeDraws],
    *,
    inputs: Float[Tensor, "b n c s h w"],
    targets: Float[Tensor, "b n c t h w"],
    tasks: tuple[str, ...],
    generators: list[torch.Generator],
) -> LatentEpisodes:
    """Put latents and draws together, on the latents' device."""
    device = inputs.device
    return LatentEpisodes(
        inputs=inputs,
        targets=targets,
        noise=torch.stack([draw.noise for draw in draws]).to(device),
        timesteps=torch.stack([draw.timesteps for draw in draws]).to(device),
        dropped=torch.stack([draw.dropped for draw in draws]).to(device),
        tasks=tasks,
        generators=tuple(generators),
    )


def encoding_copy(st_vae: STVAE, device: torch.device) -> STVAE:
    """A frozen copy on the training device that only encodes, with 16 bits on a GPU.

    Args:
        st_vae: The autoencoder.
        device: The training device.
    """
    dtype = torch.float16 if device.type == "cuda" else None
    copied = copy.deepcopy(st_vae).to(device, dtype)
    return copied.eval().requires_grad_(requires_grad=False)


def latent_space(st_vae: STVAE) -> str:
    """Identify what an autoencoder turns clips into: 16 hexadecimal digits.

    The encoder and the statistics by which latents are normalised count, the decoder does not: one
    that was trained alone, or further, keeps latents and runs that are there.
    """
    config = st_vae.config
    statistics = f"{config.latent_mean} {config.latent_scale}"
    text = f"{fingerprint(st_vae.encoder)} {statistics}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@torch.no_grad()
def encode_pixels(
    st_vae: STVAE,
    clips: UInt8[np.ndarray, "n t h w 3"],
    *,
    generators: list[torch.Generator] | None = None,
) -> Float[Tensor, "n c s y x"]:
    """Encode clips to normalised latents, some at a time.

    Args:
        st_vae: The autoencoder, on the training device.
        clips: Clips of one shape.
        generators: Sample the posterior with noise from these, one for each clip; its mode is
            taken if None.
    """
    parameter = next(st_vae.parameters())
    latents: list[Tensor] = []
    at_once = clips_at_once(st_vae, clips.shape)
    for start in range(0, len(clips), at_once):
        pixels = pixels_to_network(clips[start : start + at_once], like=parameter)
        posterior = st_vae.encode(pixels)
        latent = posterior.mode()
        if generators is not None:
            chosen = generators[start : start + at_once]
            noise = torch.stack([torch.randn(latent.shape[1:], generator=one) for one in chosen])
            latent = posterior.sample_with_noise(noise.to(latent))
        latents.append(st_vae.normalize(latent).float())
    return torch.cat(latents)


def clips_at_once(st_vae: STVAE, shape: tuple[int, ...]) -> int:
    """How many clips an autoencoder takes at once.

    Args:
        st_vae: The autoencoder, on the device that computes.
        shape: Of the clips, ``n t h w 3``.
    """
    _, frames, height, width, _ = shape
    if not next(st_vae.parameters()).is_cuda:
        return max(1, _FRAMES_AT_ONCE // frames)
    values = frames * height * width * st_vae.config.block_out_channels[0]
    return max(1, _VALUES_AT_ONCE // values)


def pixels_to_network(
    clips: UInt8[np.ndarray, "n t h w 3"], *, like: Tensor
) -> Float[Tensor, "n 3 t h w"]:
    """8-bit clips as the ST-VAE's input, in [-1, 1], with the device and dtype of a parameter."""
    pixels = torch.from_numpy(np.require(clips, requirements=["C", "W"])).to(like.device)
    return (rearrange(pixels, "n t h w c -> n c t h w").float() / 127.5 - 1.0).to(like.dtype)


def describe_episodes(batch: EpisodeBatch) -> list[str]:
    """A line for each episode: task, source and names of its samples."""
    return [
        f"{origin.task} from {origin.source}: query {origin.query_name}, context "
        f"{', '.join(origin.context_names)}"
        for origin in batch.origins
    ]


def clips_of(batch: EpisodeBatch) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """All inputs and all targets of each episode, pairs first, each stacked to ``n t h w 3``."""
    inputs = [
        np.concatenate([context, query[None]])
        for context, query in zip(batch.context_inputs, batch.query, strict=True)
    ]
    targets = [
        np.concatenate([context, target[None]])
        for context, target in zip(batch.context_targets, batch.target, strict=True)
    ]
    return inputs, targets


@dataclass(frozen=True, slots=True, kw_only=True)
class _EpisodesOfPixels:
    """A batch of episodes that is encoded part by part, or was encoded ahead."""

    batch: EpisodeBatch
    owner: "EncodedEpisodes"
    whole: LatentEpisodes | None = None

    @property
    def step(self) -> int:
        return self.batch.step

    def __len__(self) -> int:
        return len(self.batch)

    def describe(self) -> list[str]:
        return describe_episodes(self.batch)

    @property
    def clip_cells(self) -> tuple[int, int]:
        _, pairs, frames, height, width, _ = self.batch.context_targets.shape
        groups = 1 + (frames - 1) // STVAE.TEMPORAL_COMPRESSION
        return 2 * (pairs + 1), groups * height * width // STVAE.SPATIAL_COMPRESSION**2

    def part(self, start: int, stop: int) -> LatentEpisodes:
        if self.whole is None:
            return self.owner.encode(self.batch, range(start, stop))
        return self.whole.slice_episodes(start, stop)


class EncodedEpisodes:
    """Episodes whose latents are made on the training device as they are used."""

    def __init__(
        self,
        loader: EpisodeLoader,
        st_vae: STVAE,
        *,
        share: Share,
        draws: DrawSettings,
        posterior: Posterior,
    ) -> None:
        """Take a loader and the autoencoder whose latents are learned.

        Args:
            loader: This process's share of episodes.
            st_vae: The autoencoder; a frozen copy on the training device encodes.
            share: Which share that is.
            draws: What chance decides.
            posterior: Whether latents are the posterior's mode or samples of it.
        """
        self._loader = loader
        self._latent_space = latent_space(st_vae)
        self._st_vae = encoding_copy(st_vae, share.device)
        self._share = share
        self._draws = draws
        self._posterior = posterior
        self._next_step: int | None = None

    def __iter__(self) -> Iterator[TrainingBatch]:
        """Hand out this process's share of each step.

        For a GPU the next batch is taken and encoded while the loop waits for the last one's end.
        """
        loaded = iter(self._loader)
        if self._share.device.type == "cpu":
            for batch in loaded:
                self._next_step = batch.step + 1
                yield _EpisodesOfPixels(batch=batch, owner=self)
        batch = next(loaded)  # in this thread, as it starts the loader's processes
        with ThreadPoolExecutor(max_workers=1) as reader:
            ahead = reader.submit(self._encoded_whole, batch)
            while True:
                encoded = ahead.result()
                self._next_step = encoded.step + 1
                ahead = reader.submit(lambda: self._encoded_whole(next(loaded)))
                yield encoded

    def state_dict(self) -> dict[str, Any]:
        """The loader's, and whose latents these are."""
        state = self._loader.state_dict()
        if self._next_step is not None:
            state["step"] = self._next_step  # the loader may be a batch further
        return {**state, "st_vae": self._latent_space}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the loader was.

        Raises:
            ValueError: If the state is another mixture's, or another autoencoder's.
        """
        if state["st_vae"] != self._latent_space:
            raise ValueError(
                f"the state was saved with the latents of ST-VAE {state['st_vae']}, but this one "
                f"is {self._latent_space}: a run keeps its autoencoder"
            )
        self._loader.load_state_dict(state)
        self._next_step = None

    def _encoded_whole(self, batch: EpisodeBatch) -> "_EpisodesOfPixels":
        """A batch whose latents are there already."""
        whole = self.encode(batch, range(len(batch)))
        return _EpisodesOfPixels(batch=batch, owner=self, whole=whole)

    def encode(self, batch: EpisodeBatch, places: range) -> LatentEpisodes:
        """Encode some episodes of a batch, and draw what chance decides about them."""
        generators = self._share.generators(batch.step, count=len(batch))
        generators = [generators[place] for place in places]
        all_inputs, all_targets = clips_of(batch)
        inputs = self._encode([all_inputs[place] for place in places], generators)
        targets = self._encode([all_targets[place] for place in places], generators)
        draws = [
            draw_episode(
                self._draws,
                target_shape=target.shape,
                generator=generator,
                device=target.device,
            )
            for target, generator in zip(targets, generators, strict=True)
        ]
        return stack_draws(
            draws,
            inputs=inputs,
            targets=targets,
            tasks=tuple(batch.origins[place].task for place in places),
            generators=generators,
        )

    def _encode(
        self, clips: list[np.ndarray], generators: list[torch.Generator]
    ) -> Float[Tensor, "b n c s y x"]:
        per_episode = len(clips[0])
        noise = [generator for generator in generators for _ in range(per_episode)]
        latents = encode_pixels(
            self._st_vae,
            np.concatenate(clips),
            generators=noise if self._posterior == "sample" else None,
        )
        return latents.unflatten(0, (-1, per_episode))
