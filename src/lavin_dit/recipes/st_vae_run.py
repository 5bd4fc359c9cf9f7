"""An ST-VAE's run, put together from its recipe."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn
from torch.distributed.fsdp import FSDPModule
from tqdm import tqdm

from lavin_dit.data.loader import EpisodeLoader, Workers
from lavin_dit.data.mixture import Mixture
from lavin_dit.perceptual.loading import load_perceptual
from lavin_dit.perceptual.network import PerceptualNetwork
from lavin_dit.recipes.data import training_mixture, validation_mixtures
from lavin_dit.recipes.jdit_run import part_of
from lavin_dit.recipes.st_vae import STVAERecipe
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.discriminator import DiscriminatorConfig, PatchDiscriminator
from lavin_dit.training.batches import Share, TrainingBatch, clips_of
from lavin_dit.training.clip_batches import CLIPS_PER_EPISODE, ClipBatches
from lavin_dit.training.config import Precision
from lavin_dit.training.export import export_st_vae, whole_copy
from lavin_dit.training.latent_statistics import measured_statistics
from lavin_dit.training.loop import Training
from lavin_dit.training.objective import Losses
from lavin_dit.training.processes import Processes, spread
from lavin_dit.training.run_folder import EXPORT, SHEETS
from lavin_dit.training.st_vae_objective import STVAEBatch, STVAEObjective
from lavin_dit.training.validation import (
    clip_psnr_db,
    mean_losses,
    reconstruct,
    reconstruction_strips,
    save_sheet,
)
from lavin_dit.weights.checkpoint import ST_VAE_FOLDER
from lavin_dit.weights.store import load_model

_VALIDATION_BATCHES = 8
_CLIPS_SHOWN = 12
_DISCRIMINATOR_NORM_GROUPS = 8


def st_vae_training(recipe: STVAERecipe, *, folder: Path, processes: Processes) -> Training:
    """Build the run of an ST-VAE.

    Args:
        recipe: What to do.
        folder: The run's folder.
        processes: This process among its peers.

    Raises:
        ValueError: If the recipe contradicts its data or the weights to start from.
        FileNotFoundError: If weights are missing.
    """
    st_vae = starting_st_vae(recipe, device=processes.device)
    st_vae.gradient_checkpointing = recipe.gradient_checkpointing
    if recipe.compile:
        compile_parts(st_vae, dynamic=False)  # pictures and clips, each of one shape
    objective = STVAEObjective(
        st_vae,
        recipe.loss,
        discriminator=_discriminator(recipe, processes.device),
        perceptual=_perceptual(recipe, processes.device),
    )
    if recipe.batch_size % (CLIPS_PER_EPISODE * processes.world_size):
        raise ValueError(
            f"batch_size {recipe.batch_size} must be divisible by {CLIPS_PER_EPISODE} times the "
            f"{processes.world_size} processes"
        )
    share = Share(
        seed=recipe.seed,
        rank=processes.rank,
        world_size=processes.world_size,
        device=processes.device,
    )
    mixture = training_mixture(
        recipe.data,
        batch_size=recipe.batch_size // CLIPS_PER_EPISODE,
        seed=recipe.seed,
        pairs=(1, 1),
    )
    loader = EpisodeLoader(
        mixture,
        rank=share.rank,
        world_size=share.world_size,
        workers=Workers(count=recipe.data.workers),
    )
    call = spread(
        objective,
        None,
        processes=processes,
        strategy=recipe.strategy,
        precision=recipe.loop.precision,
    )
    validation = validation_mixtures(recipe.data, batch_size=8, num_pairs=1)
    return Training(
        objective=objective,
        call=call,
        batches=ClipBatches(loader, recipe.model, share=share),
        processes=processes,
        config=recipe.loop,
        optimizer_config=recipe.optimizer,
        schedule=recipe.schedule,
        folder=folder,
        validate=STVAEValidation(
            objective=objective,
            call=call,
            mixtures=validation or [mixture],
            frozen_latents=recipe.freeze_encoder,
            micro_batch_size=recipe.loop.micro_batch_size or recipe.batch_size // share.world_size,
            precision=recipe.loop.precision,
            folder=folder,
            processes=processes,
        ),
        on_line=tqdm.write,
    )


def compile_parts(st_vae: STVAE, **settings: Any) -> None:  # noqa: ANN401 - torch.compile's
    """Have encoder and decoder compiled when they are first called.

    Args:
        st_vae: The network.
        settings: As `torch.compile` takes them.
    """
    from torch._functorch import config as limits  # slow to import, and seldom needed

    limits.donated_buffer = False  # the adaptive weight goes backward through a graph that stays
    for part in (st_vae.encoder, st_vae.decoder):
        part.compile(**settings)


def starting_st_vae(recipe: STVAERecipe, *, device: torch.device) -> STVAE:
    """The network at its first step, in float32.

    Raises:
        ValueError: If the weights to start from are of another architecture.
        FileNotFoundError: If they are missing.
    """
    if recipe.weights is None:
        with device:
            st_vae = STVAE(recipe.model)
        st_vae.reset_parameters(torch.Generator(device).manual_seed(recipe.seed))
        return st_vae
    path = part_of(recipe.weights, ST_VAE_FOLDER)
    st_vae = load_model(STVAE, STVAEConfig, path, dtype=torch.float32).to(device)
    model = recipe.model
    stored = replace(st_vae.config, latent_mean=model.latent_mean, latent_scale=model.latent_scale)
    if stored != model:
        raise ValueError(f"{path} holds {st_vae.config}, but the recipe asks for {model}")
    st_vae.requires_grad_()
    st_vae.encoder.requires_grad_(not recipe.freeze_encoder)
    return st_vae


def _discriminator(recipe: STVAERecipe, device: torch.device) -> PatchDiscriminator | None:
    if recipe.loss.adversarial == 0:
        return None
    config = DiscriminatorConfig(
        widths=recipe.discriminator_widths, norm_groups=_DISCRIMINATOR_NORM_GROUPS
    )
    with device:
        discriminator = PatchDiscriminator(config)
    discriminator.reset_parameters(torch.Generator(device).manual_seed(recipe.seed + 1))
    return discriminator


def _perceptual(recipe: STVAERecipe, device: torch.device) -> PerceptualNetwork | None:
    if recipe.loss.perceptual == 0:
        return None
    if recipe.perceptual is None:
        raise ValueError(
            f"loss.perceptual {recipe.loss.perceptual} needs a network: fetch one with lavin "
            "prepare perceptual -o FOLDER and say --perceptual FOLDER, or set the weight to 0"
        )
    return load_perceptual(Path(recipe.perceptual)).to(device)


@dataclass(frozen=True, slots=True, kw_only=True)
class STVAEValidation:
    """Losses and reconstructions of validation clips, and an export of the average."""

    objective: STVAEObjective
    call: nn.Module
    mixtures: list[Mixture]
    frozen_latents: bool
    micro_batch_size: int
    precision: Precision
    folder: Path
    processes: Processes

    def __call__(self, step: int) -> Mapping[str, float]:
        """Judge, draw and export; the first process writes."""
        batches = chain.from_iterable(map(self._batches, self.mixtures))
        numbers = mean_losses(self._judged, batches, at_once=self.micro_batch_size)
        state = whole_copy(self.objective.st_vae, dtype=torch.float32)
        if self.processes.is_first:
            numbers |= self._judge(step, state)
        self.processes.barrier()
        return numbers

    def _judged(self, batch: STVAEBatch, step: int) -> Losses:
        """The losses, in the precision of shards; a network that is whole is judged in float32."""
        half = isinstance(self.call, FSDPModule) and self.precision == "bfloat16"
        with torch.autocast(self.processes.device.type, dtype=torch.bfloat16, enabled=half):
            return self.call(batch, step)

    def _batches(self, mixture: Mixture) -> Iterator[TrainingBatch]:
        """The same batches each time."""
        share = Share(seed=1, rank=0, world_size=1, device=self.processes.device)
        clips = ClipBatches(EpisodeLoader(mixture), self.objective.st_vae.config, share=share)
        for _, batch in zip(range(_VALIDATION_BATCHES), clips, strict=False):
            yield batch

    def _judge(self, step: int, state: dict[str, torch.Tensor]) -> dict[str, float]:
        """PSNR of inputs and of painted targets, a sheet, and the export."""
        st_vae = STVAE(self.objective.st_vae.config)
        st_vae.load_state_dict(state)
        st_vae.eval().to(self.processes.device)
        numbers: dict[str, float] = {}
        groups: list[UInt8[np.ndarray, "n t h w 3"]] = []
        for mixture in self.mixtures:
            kind = "clips" if mixture.entries[0].task.num_frames > 1 else "images"
            scores: dict[str, list[float]] = {"inputs": [], "targets": []}
            for index in range(_VALIDATION_BATCHES):
                inputs, targets = (np.concatenate(part) for part in clips_of(mixture.batch(index)))
                if index == 0:
                    groups += [inputs[:_CLIPS_SHOWN], targets[:_CLIPS_SHOWN]]
                for name, clips in (("inputs", inputs), ("targets", targets)):
                    rebuilt = reconstruct(st_vae, clips)
                    scores[name] += map(clip_psnr_db, rebuilt, clips)
            for name, values in scores.items():
                numbers[f"validation/psnr_db/{kind}_{name}"] = float(np.mean(values))
        save_sheet(
            self.folder / SHEETS / f"step-{step:09}.png", reconstruction_strips(groups, st_vae)
        )
        config = self.objective.st_vae.config
        if not self.frozen_latents:
            config = measured_statistics(st_vae, self._clips())
        export_st_vae(self.folder / EXPORT, state=state, like=STVAE(config))
        return numbers

    def _clips(self) -> "Iterator[UInt8[np.ndarray, 'n t h w 3']]":
        """Clips whose latents are measured."""
        for mixture in self.mixtures:
            for index in range(_VALIDATION_BATCHES):
                for part in clips_of(mixture.batch(index)):
                    yield np.concatenate(part)
