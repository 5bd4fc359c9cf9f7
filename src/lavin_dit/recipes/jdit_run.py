"""A J-DiT's run, put together from its recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from lavin_dit.data.batch import EpisodeBatch
from lavin_dit.data.mixture import Mixture
from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.cost import supervised_flops
from lavin_dit.jdit.model import JDiT
from lavin_dit.pipeline.sampling import SamplingSettings
from lavin_dit.recipes.data import validation_mixtures
from lavin_dit.recipes.jdit import JDiTRecipe
from lavin_dit.recipes.latent_batches import training_batches, validation_batches
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.training.batches import Share, TrainingBatch
from lavin_dit.training.export import export_jdit, whole_copy
from lavin_dit.training.jdit_objective import JDiTObjective
from lavin_dit.training.loop import Training
from lavin_dit.training.processes import Processes, spread
from lavin_dit.training.run_folder import EXPORT, SHEETS
from lavin_dit.training.validation import (
    clip_psnr_db,
    mean_losses,
    predict_targets,
    prediction_strips,
    save_sheet,
)
from lavin_dit.weights.checkpoint import JDIT_FOLDER, PIPELINE_FILE, ST_VAE_FOLDER
from lavin_dit.weights.locate import NANO, locate
from lavin_dit.weights.store import load_model

_VALIDATION_BATCH_SIZE = 16
_SHEET_ROWS = 12
_GRAPHS = 64


def jdit_training(recipe: JDiTRecipe, *, folder: Path, processes: Processes) -> Training:
    """Build the run of a J-DiT.

    Args:
        recipe: What to do.
        folder: The run's folder.
        processes: This process among its peers.

    Raises:
        ValueError: If the recipe contradicts its data or the autoencoder.
        FileNotFoundError: If weights are missing.
    """
    if not recipe.st_vae:
        raise ValueError(
            "a J-DiT learns latents: name the folder of a trained ST-VAE with --st-vae"
        )
    folder_of_st_vae = part_of(recipe.st_vae, ST_VAE_FOLDER)
    st_vae = load_model(STVAE, STVAEConfig, folder_of_st_vae, dtype=torch.float32)
    st_vae = st_vae.to(processes.device).requires_grad_(requires_grad=False)
    if st_vae.config.latent_channels != recipe.model.latent_channels:
        raise ValueError(
            f"the ST-VAE in {recipe.st_vae} has {st_vae.config.latent_channels} latent channels, "
            f"the J-DiT {recipe.model.latent_channels}"
        )
    jdit = starting_jdit(recipe, device=processes.device)
    jdit.gradient_checkpointing = recipe.gradient_checkpointing
    jdit.masked_supervision = processes.device.type == "cuda"
    sharded = are_weights_sharded(recipe, processes)
    objective = JDiTObjective(
        jdit, recipe.loss, lockstep=sharded and recipe.draws.condition_dropping > 0
    )
    if recipe.compile:
        # Where no episode loses its pairs, batches have few shapes: graphs of their own are faster.
        compile_blocks(jdit, dynamic=None if recipe.draws.condition_dropping else False)
    share = Share(
        seed=recipe.seed,
        rank=processes.rank,
        world_size=processes.world_size,
        device=processes.device,
    )
    validation = validation_mixtures(  # before latents are computed: it may refuse the recipe
        recipe.data,
        batch_size=_VALIDATION_BATCH_SIZE,
        num_pairs=recipe.sampling.num_context_pairs,
    )
    batches = training_batches(recipe, st_vae, share=share, processes=processes)
    call = spread(
        objective,
        jdit.blocks,
        processes=processes,
        strategy=recipe.strategy,
        precision=recipe.loop.precision,
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
        cells_per_token=recipe.model.patch_size**2,
        matrices=list(jdit.hidden_matrices()),
        flops_of=partial(_flops, recipe),
        validate=JDiTValidation(
            recipe=recipe,
            objective=objective,
            call=call,
            st_vae=st_vae,
            mixtures=validation,
            folder=folder,
            processes=processes,
        ),
        on_line=tqdm.write,
    )


def are_weights_sharded(recipe: JDiTRecipe, processes: Processes) -> bool:
    """Tell whether each process holds a part of the weights only.

    Raises:
        ValueError: If they are, and Muon is asked for, which steps whole matrices.
    """
    sharded = processes.world_size > 1 and recipe.strategy != "ddp"
    if sharded and recipe.optimizer.matrices == "muon":
        raise ValueError(
            "optimizer.matrices 'muon' steps whole matrices: use strategy ddp, not "
            f"{recipe.strategy}"
        )
    return sharded


def compile_blocks(jdit: JDiT, **settings: Any) -> None:  # noqa: ANN401 - torch.compile's
    """Have a network's blocks compiled when they are first called.

    With joint context, sequences of all lengths share a few graphs. With causal context, attention
    is cut clip by clip, so each number of pairs has graphs of its own, more than torch allows by
    itself before it gives up compiling.

    Args:
        jdit: The network.
        settings: As `torch.compile` takes them.
    """
    from torch._dynamo import config as limits  # slow to import, and seldom needed

    limits.recompile_limit = max(limits.recompile_limit, _GRAPHS)
    # With DDP, torch would cut graphs where its buckets of gradients end, so that sending them
    # overlaps with computing. Blocks are cuts enough, and fewer graphs are compiled sooner.
    limits.optimize_ddp = False
    for block in jdit.blocks:
        block.compile(**settings)


def part_of(folder: str, part: str) -> Path:
    """Folder of a network: a folder of its own, or its part of a pipeline, such as the nano's.

    Raises:
        FileNotFoundError: If it is the nano's, and this installation has none.
    """
    path = locate(NANO) if folder == NANO else Path(folder)
    return path / part if (path / PIPELINE_FILE).is_file() else path


def starting_jdit(recipe: JDiTRecipe, *, device: torch.device) -> JDiT:
    """The network at its first step, in float32.

    Raises:
        ValueError: If the weights to start from are of another architecture.
        FileNotFoundError: If they are missing.
    """
    if recipe.weights is None:
        with device:
            jdit = JDiT(recipe.model)
        jdit.reset_parameters(torch.Generator(device).manual_seed(recipe.seed))
        return jdit
    path = part_of(recipe.weights, JDIT_FOLDER)
    jdit = load_model(JDiT, JDiTConfig, path, dtype=torch.float32).to(device)
    stored = replace(jdit.config, drop_path=recipe.model.drop_path)
    if stored != recipe.model:
        hint = ""
        if stored.patch_size != recipe.model.patch_size:
            hint = (
                f": say --model.patch-size {stored.patch_size} --model.rope-patch-step "
                f"{stored.rope_patch_step}, or convert it with lavin convert pipeline --patch-size "
                f"{recipe.model.patch_size}"
            )
        raise ValueError(
            f"{path} holds {jdit.config}, but the recipe asks for {recipe.model}{hint}"
        )
    jdit.config = recipe.model
    return jdit.requires_grad_()


def _flops(recipe: JDiTRecipe, batch: TrainingBatch) -> float:
    """Operations of forward and backward for a batch, from its tokens alone.

    Clips of a batch are equally long, so tokens over clips give a clip's tokens.
    """
    num_clips, cells = batch.clip_cells
    flops = supervised_flops(
        recipe.model,
        num_pairs=num_clips // 2,
        clip_tokens=cells // recipe.model.patch_size**2,
        dense=recipe.loss.supervision == "dense",
    )
    return 3.0 * len(batch) * flops


@dataclass(frozen=True, slots=True, kw_only=True)
class JDiTValidation:
    """Losses on validation episodes, a sheet of solved ones, and an export of the average."""

    recipe: JDiTRecipe
    objective: JDiTObjective
    call: nn.Module
    st_vae: STVAE
    mixtures: list[Mixture]
    folder: Path
    processes: Processes

    def __call__(self, step: int) -> Mapping[str, float]:
        """Do all three; the first process writes."""
        with torch.random.fork_rng(devices=[]):
            batches = chain.from_iterable(
                validation_batches(
                    mixture, self.st_vae, draws=self.recipe.draws, device=self.processes.device
                )
                for mixture in self.mixtures
            )
            numbers = mean_losses(self.call, batches)
        state = whole_copy(self.objective.jdit, dtype=torch.float32)
        if self.processes.is_first:
            export_jdit(
                self.folder / EXPORT,
                state=state,
                like=self.objective.jdit,
                st_vae=self.st_vae,
                defaults=self.recipe.pipeline_defaults(),
            )
            numbers |= self._sheets(step, state)
        self.processes.barrier()
        return numbers

    def _sheets(self, step: int, state: dict[str, torch.Tensor]) -> dict[str, float]:
        """Solve some episodes, draw them, and tell how near the pictures are."""
        jdit = JDiT(self.recipe.model)
        jdit.load_state_dict(state)
        jdit.eval().to(self.processes.device)
        settings = SamplingSettings.of(self.recipe.pipeline_defaults())
        numbers: dict[str, float] = {}
        for kind, mixture in enumerate(self.mixtures):
            batch: EpisodeBatch = mixture.batch(0, slots=range(_SHEET_ROWS))
            predicted = predict_targets(jdit, self.st_vae, batch, settings=settings)
            name = f"step-{step:09}-{kind}.png"
            save_sheet(self.folder / SHEETS / name, prediction_strips(batch, predicted))
            numbers[f"validation/psnr_db/{kind}"] = clip_psnr_db(predicted, batch.target)
        return numbers
