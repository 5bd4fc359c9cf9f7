"""The next-token baseline's run, put together from its recipe."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from lavin_dit.baselines.codebooks import Codebooks, fitted_codebooks
from lavin_dit.baselines.config import CodebookConfig, NextTokenDefaults
from lavin_dit.baselines.decoder import NextTokenDecoder, decoder_flops
from lavin_dit.baselines.next_token import (
    CODEBOOKS_FOLDER,
    NextTokenModel,
    NextTokenPredictor,
    save_next_token,
)
from lavin_dit.baselines.objective import NextTokenObjective
from lavin_dit.data.batch import EpisodeBatch
from lavin_dit.data.mixture import Mixture
from lavin_dit.evaluation.question import Question
from lavin_dit.recipes.data import validation_mixtures
from lavin_dit.recipes.jdit_run import part_of
from lavin_dit.recipes.latent_batches import training_batches, validation_batches
from lavin_dit.recipes.next_token import NO_DRAWS, NextTokenRecipe
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.training.batches import Share, TrainingBatch
from lavin_dit.training.export import whole_copy
from lavin_dit.training.jdit_objective import LatentEpisodes
from lavin_dit.training.loop import Training
from lavin_dit.training.processes import Processes, spread
from lavin_dit.training.run_folder import EXPORT, SHEETS
from lavin_dit.training.validation import (
    clip_psnr_db,
    decode_to_bytes,
    mean_losses,
    prediction_strips,
    save_sheet,
)
from lavin_dit.weights.checkpoint import ST_VAE_FOLDER
from lavin_dit.weights.files import CONFIG_FILE
from lavin_dit.weights.store import load_model, save_model

_log = logging.getLogger(__name__)

_VALIDATION_BATCH_SIZE = 16
_SHEET_ROWS = 12
_PICTURES_JUDGED = 64


def next_token_training(recipe: NextTokenRecipe, *, folder: Path, processes: Processes) -> Training:
    """Build the run of a next-token model.

    Args:
        recipe: What to do.
        folder: The run's folder; the codebooks are kept in it.
        processes: This process among its peers.

    Raises:
        ValueError: If the recipe contradicts its data, or there are too few pictures.
        FileNotFoundError: If weights are missing.
        ImportError: If transformers is missing.
    """
    if not recipe.st_vae:
        raise ValueError(
            "tokens are made of latents: name the folder of a trained ST-VAE with --st-vae"
        )
    st_vae = load_model(
        STVAE, STVAEConfig, part_of(recipe.st_vae, ST_VAE_FOLDER), dtype=torch.float32
    )
    st_vae = st_vae.to(processes.device).requires_grad_(requires_grad=False)
    decoder = NextTokenDecoder(recipe.model).to(processes.device)
    decoder.reset_parameters(torch.Generator(processes.device).manual_seed(recipe.seed))
    share = Share(
        seed=recipe.seed,
        rank=processes.rank,
        world_size=processes.world_size,
        device=processes.device,
    )
    data = recipe.data
    validation = validation_mixtures(  # before latents are computed: it may refuse the recipe
        data, batch_size=_VALIDATION_BATCH_SIZE, num_pairs=recipe.num_context_pairs
    )
    batches = training_batches(recipe, st_vae, share=share, processes=processes)
    if processes.is_first and not (folder / CODEBOOKS_FOLDER / CONFIG_FILE).is_file():
        alone = replace(processes, world_size=1)  # the others wait for the codebooks
        few = training_batches(recipe, st_vae, share=share, processes=alone)
        _fit_codebooks(recipe, iter(few), st_vae, folder=folder)
    processes.barrier()
    codebooks = load_model(Codebooks, CodebookConfig, folder / CODEBOOKS_FOLDER)
    objective = NextTokenObjective(
        decoder, codebooks.to(processes.device), supervision=recipe.supervision
    )
    call = spread(
        objective, None, processes=processes, strategy="ddp", precision=recipe.loop.precision
    )
    return Training(
        objective=objective,
        call=call,
        batches=batches,
        processes=processes,
        config=recipe.loop,
        optimizer_config=recipe.optimizer,
        schedule=recipe.schedule,
        folder=folder,
        flops_of=partial(_flops, recipe),
        validate=NextTokenValidation(
            objective=objective,
            call=call,
            model=NextTokenModel(
                st_vae=st_vae,
                codebooks=codebooks,
                decoder=decoder,
                defaults=NextTokenDefaults(
                    height=data.height,
                    width=data.width,
                    num_context_pairs=recipe.num_context_pairs,
                ),
            ),
            mixtures=validation,
            folder=folder,
            processes=processes,
        ),
        on_line=tqdm.write,
    )


def _fit_codebooks(
    recipe: NextTokenRecipe, batches: Iterator[TrainingBatch], st_vae: STVAE, *, folder: Path
) -> None:
    """Fit codebooks to the run's first episodes, and say how much they lose."""
    parts: list[Tensor] = []
    missing = recipe.codebook_episodes
    with tqdm(total=missing, desc="codebooks", unit="episode") as bar:
        while missing > 0:
            batch = next(batches)
            episodes: LatentEpisodes = batch.part(0, min(len(batch), missing))
            # Frames of clips are taken as pictures: codes know nothing of time.
            parts += [
                clips.transpose(2, 3).flatten(0, 2).cpu()
                for clips in (episodes.inputs, episodes.targets)
            ]
            bar.update(len(episodes.tasks))
            missing -= len(episodes.tasks)
    latents = torch.cat(parts)
    config = recipe.codebooks(latent_channels=st_vae.config.latent_channels)
    codebooks = fitted_codebooks(latents, st_vae, config=config, seed=recipe.seed)
    save_model(codebooks, config, folder / CODEBOOKS_FOLDER)
    some = latents[:: max(1, len(latents) // _PICTURES_JUDGED), :, None]
    kept = codebooks.decode(codebooks.encode(some), size=(some.shape[-2], some.shape[-1]))
    device = next(st_vae.parameters()).device
    before, after = (decode_to_bytes(st_vae, clips.to(device)) for clips in (some, kept))
    _log.info(
        "codebooks of %d x %d codes from %d pictures: decoded from tokens and from latents, "
        "pictures differ by %.2f dB PSNR",
        config.num_levels,
        config.num_codes,
        len(latents),
        clip_psnr_db(after, before),
    )


def _flops(recipe: NextTokenRecipe, batch: TrainingBatch) -> float:
    """Operations of forward and backward for a batch, from its tokens alone."""
    num_clips, cells = batch.clip_cells
    tokens = cells * recipe.model.num_levels
    learned = num_clips * tokens
    if recipe.supervision == "targets":
        learned = max(1, num_clips // 2 - 1) * tokens
    flops = decoder_flops(recipe.model, num_tokens=num_clips * tokens, num_learned=learned)
    return 3.0 * len(batch) * flops


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTokenValidation:
    """Losses on validation episodes, a sheet of solved ones, and an export of the average."""

    objective: NextTokenObjective
    call: nn.Module
    model: NextTokenModel
    mixtures: list[Mixture]
    folder: Path
    processes: Processes

    def __call__(self, step: int) -> Mapping[str, float]:
        """Do all three; the first process writes."""
        batches = chain.from_iterable(
            validation_batches(
                mixture, self.model.st_vae, draws=NO_DRAWS, device=self.processes.device
            )
            for mixture in self.mixtures
        )
        numbers = mean_losses(self.call, batches)
        if self.processes.is_first:
            state = whole_copy(self.objective.decoder, dtype=torch.float32)
            save_next_token(self.folder / EXPORT, self.model, state=state)
            for kind, mixture in enumerate(self.mixtures):
                batch = mixture.batch(0, slots=range(_SHEET_ROWS))
                numbers |= self._sheet(batch, f"step-{step:09}-{kind}.png", kind=kind)
        self.processes.barrier()
        return numbers

    def _sheet(self, batch: EpisodeBatch, name: str, *, kind: int) -> dict[str, float]:
        """Solve some episodes, draw them, and tell how near the pictures are, and can be."""
        predictor = NextTokenPredictor(self.model)
        questions = [
            Question(inputs=tuple(inputs), targets=tuple(targets), query=query)
            for inputs, targets, query in zip(
                batch.context_inputs, batch.context_targets, batch.query, strict=True
            )
        ]
        predicted = np.stack(predictor.predict(questions))
        reached = np.stack(predictor.reconstruct(list(batch.target)))
        save_sheet(self.folder / SHEETS / name, prediction_strips(batch, predicted))
        return {
            f"validation/psnr_db/{kind}": clip_psnr_db(predicted, batch.target),
            f"validation/psnr_db_of_tokens/{kind}": clip_psnr_db(reached, batch.target),
        }
