"""Batches of single clips for the ST-VAE: photos and painted annotations alike."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from lavin_dit.data.batch import EpisodeBatch
from lavin_dit.data.loader import EpisodeLoader
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.training.batches import (
    Share,
    TrainingBatch,
    clips_of,
    describe_episodes,
    pixels_to_network,
)
from lavin_dit.training.st_vae_objective import STVAEBatch

CLIPS_PER_EPISODE = 4
"""Input and target of one pair and of the query: what an episode of the ST-VAE's mixture holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clips:
    """The clips of a batch of episodes."""

    batch: EpisodeBatch
    clips: UInt8[np.ndarray, "n t h w 3"]
    share: Share
    latent_channels: int

    @property
    def step(self) -> int:
        return self.batch.step

    def __len__(self) -> int:
        return len(self.clips)

    def describe(self) -> list[str]:
        return describe_episodes(self.batch)

    @property
    def clip_cells(self) -> tuple[int, int]:
        _, frames, height, width, _ = self.clips.shape
        groups = 1 + (frames - 1) // STVAE.TEMPORAL_COMPRESSION
        return 1, groups * height * width // STVAE.SPATIAL_COMPRESSION**2

    def part(self, start: int, stop: int) -> STVAEBatch:
        like = torch.zeros((), device=self.share.device)
        clips = pixels_to_network(self.clips[start:stop], like=like)
        side = STVAE.SPATIAL_COMPRESSION
        frames = 1 + (clips.shape[2] - 1) // STVAE.TEMPORAL_COMPRESSION
        shape = self.latent_channels, frames, clips.shape[3] // side, clips.shape[4] // side
        generators = self.share.generators(self.step, count=len(self))[start:stop]
        noise = torch.stack([torch.randn(shape, generator=one) for one in generators])
        return STVAEBatch(clips=clips, noise=noise.to(self.share.device))


class ClipBatches:
    """All inputs and targets of a loader's episodes as clips by themselves.

    Where inputs have fewer frames than targets, as for frame prediction, targets alone are taken.
    """

    def __init__(self, loader: EpisodeLoader, config: STVAEConfig, *, share: Share) -> None:
        """Take a loader.

        Args:
            loader: This process's share of episodes, of one pair each.
            config: Of the autoencoder that is trained.
            share: Which share that is.
        """
        self._loader = loader
        self._latent_channels = config.latent_channels
        self._share = share

    def __iter__(self) -> Iterator[TrainingBatch]:
        """Hand out this process's share of each step."""
        for batch in self._loader:
            inputs, targets = clips_of(batch)
            if inputs[0].shape == targets[0].shape:
                # Episode by episode, so that the same clip meets the same noise however many
                # processes share the batch.
                targets = [clip for pair in zip(inputs, targets, strict=True) for clip in pair]
            yield _Clips(
                batch=batch,
                clips=np.concatenate(targets),
                share=self._share,
                latent_channels=self._latent_channels,
            )

    def state_dict(self) -> dict[str, Any]:
        """The loader's."""
        return self._loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the loader was.

        Raises:
            ValueError: If the state is another mixture's.
        """
        self._loader.load_state_dict(state)
