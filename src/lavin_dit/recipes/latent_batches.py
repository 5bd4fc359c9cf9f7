"""Batches of latents for a run: what it is trained on, and what it is judged by."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from tqdm import tqdm

from lavin_dit.data.loader import EpisodeLoader, Workers
from lavin_dit.data.mixture import Mixture
from lavin_dit.recipes.data import DataConfig, training_mixture
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.training.batches import Batches, EncodedEpisodes, Share, TrainingBatch
from lavin_dit.training.cached_episodes import CachedEpisodes
from lavin_dit.training.config import DrawSettings
from lavin_dit.training.latent_cache import build_latent_cache, is_complete, latents_identity
from lavin_dit.training.processes import Processes
from lavin_dit.training.shared_folder import check_shared
from lavin_dit.vision.episode import MAX_PAIRS
from lavin_dit.weights.defaults import Posterior

_POLL_S = 5.0
_VALIDATION_BATCHES = 4


@runtime_checkable
class EpisodesWanted(Protocol):
    """The part of a recipe that says which episodes a run gets."""

    @property
    def data(self) -> DataConfig:
        """Tasks and sources."""
        ...

    @property
    def draws(self) -> DrawSettings:
        """What chance decides."""
        ...

    @property
    def posterior(self) -> Posterior:
        """Whether latents are samples of the ST-VAE's posterior or its mode."""
        ...

    @property
    def batch_size(self) -> int:
        """Episodes of a step, over all processes."""
        ...

    @property
    def seed(self) -> int:
        """Decides the data."""
        ...


def training_batches(
    recipe: EpisodesWanted, st_vae: STVAE, *, share: Share, processes: Processes
) -> Batches:
    """Episodes of latents, encoded as they are used or read from a folder."""
    data = recipe.data
    if data.latents is None:
        mixture = training_mixture(data, batch_size=recipe.batch_size, seed=recipe.seed)
        loader = EpisodeLoader(
            mixture,
            rank=share.rank,
            world_size=share.world_size,
            workers=Workers(count=data.workers),
        )
        return EncodedEpisodes(
            loader, st_vae, share=share, draws=recipe.draws, posterior=recipe.posterior
        )
    if recipe.posterior != "mode":
        raise ValueError(
            f"data.latents keeps modes: posterior must be 'mode' with it, got {recipe.posterior!r}"
        )
    if not 1 <= data.min_pairs <= data.max_pairs <= MAX_PAIRS:
        raise ValueError(
            f"min_pairs {data.min_pairs} and max_pairs {data.max_pairs} must lie in 1 to "
            f"{MAX_PAIRS}, the pairs of the episodes in a folder of latents"
        )
    folder = Path(data.latents)
    check_shared(folder, processes)
    mixture = training_mixture(data, batch_size=1, seed=recipe.seed, pairs=(MAX_PAIRS, MAX_PAIRS))
    wanted = partial(is_complete, folder, mixture, st_vae, num_episodes=data.latent_episodes)
    if processes.is_first and not wanted():
        with tqdm(desc="latents", unit="chunk") as bar:
            build_latent_cache(
                mixture,
                st_vae,
                folder,
                num_episodes=data.latent_episodes,
                workers=data.workers,
                on_chunk=partial(_move, bar),
            )
    while not wanted():
        time.sleep(_POLL_S)  # hours may pass, and waiting for a message would give up
    batches = CachedEpisodes(
        folder,
        batch_size=recipe.batch_size,
        min_pairs=data.min_pairs,
        max_pairs=data.max_pairs,
        share=share,
        draws=recipe.draws,
    )
    if batches.identity != latents_identity(mixture, st_vae):
        raise ValueError(
            f"{folder} was given latents of another mixture or autoencoder meanwhile: name another "
            "folder with --data.latents"
        )
    return batches


def validation_batches(
    mixture: Mixture, st_vae: STVAE, *, draws: DrawSettings, device: torch.device
) -> list[TrainingBatch]:
    """The same batches each time, of episodes that keep their pairs.

    Args:
        mixture: Validation episodes.
        st_vae: The autoencoder whose latents are judged.
        draws: What chance decides in training.
        device: Where it is judged.
    """
    episodes = EncodedEpisodes(
        EpisodeLoader(mixture),
        st_vae,
        share=Share(seed=1, rank=0, world_size=1, device=device),
        draws=replace(draws, condition_dropping=0.0),
        posterior="mode",
    )
    return [batch for _, batch in zip(range(_VALIDATION_BATCHES), episodes, strict=False)]


def _move(bar: "tqdm[Any]", done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)
