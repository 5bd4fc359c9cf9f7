"""An adapter's run, put together from its recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from lavin_dit.pipeline.context import PairPaths, find_pairs
from lavin_dit.pipeline.fitting import canvas_for
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.pipeline.sampling import SamplingSettings, sample_episodes
from lavin_dit.recipes.finetune import MIN_PAIRS, FinetuneRecipe
from lavin_dit.training.batches import Share
from lavin_dit.training.config import JDiTLossConfig
from lavin_dit.training.jdit_objective import interleaved
from lavin_dit.training.loop import Training
from lavin_dit.training.low_rank import LowRankObjective, trained_factors
from lavin_dit.training.pair_episodes import PairEpisodes, Roles
from lavin_dit.training.pair_latents import ViewSettings, encode_pairs
from lavin_dit.training.processes import Processes, spread
from lavin_dit.training.run_folder import RUN_FILE, SHEETS
from lavin_dit.training.validation import clip_psnr_db, decode_to_bytes, mean_losses, save_sheet
from lavin_dit.vision.contact_sheet import Cell, Strip
from lavin_dit.weights.adapter import (
    ADAPTER_FILE,
    Adapter,
    AdapterConfig,
    load_adapter_config,
    save_adapter,
)

RUN_FOLDER = "run"
"""Where an adapter's folder keeps what its training needs and tells."""

_VALIDATION_EPISODES = 32
_VALIDATION_BATCH_SIZE = 8
_SHEET_ROWS = 8


def finetune_training(recipe: FinetuneRecipe, *, folder: Path, processes: Processes) -> Training:
    """Build the run of an adapter.

    Args:
        recipe: What to do.
        folder: The run's folder; the adapter is saved in the folder around it.
        processes: This process among its peers.

    Raises:
        ValueError: If there are too few pairs, the recipe contradicts them, or the folder holds
            an adapter of another run.
        FileNotFoundError: If pairs or model are missing.
        ImportError: If peft is missing.
    """
    if (folder.parent / ADAPTER_FILE).is_file() and not (folder / RUN_FILE).is_file():
        raise ValueError(
            f"{folder.parent} holds an adapter whose run is gone, and it would be compared with; "
            "choose another folder"
        )
    paths = find_pairs(recipe.pairs)
    trained, held_out = split_pairs(paths, recipe)
    pipeline = LavinDiTPipeline.from_pretrained(
        recipe.model, device=processes.device, dtype=torch.float32
    )
    base = pipeline.networks.fingerprint()
    defaults = pipeline.defaults
    canvas = canvas_for(
        defaults.height if recipe.height is None else recipe.height,
        defaults.width if recipe.width is None else recipe.width,
    )
    with tqdm(total=len(paths), desc="encode", unit="pair", disable=not processes.is_first) as bar:
        latents = encode_pairs(
            paths,
            pipeline.st_vae,
            canvas=canvas,
            settings=ViewSettings(
                num_views=recipe.num_views, min_area=recipe.min_area, flip=recipe.flip
            ),
            seed=recipe.seed,
            on_pair=bar.update,
        )
    most = defaults.num_context_pairs if recipe.max_pairs is None else recipe.max_pairs
    most = min(most, len(trained) - 1)
    roles = Roles(
        queries=trained, context=trained, min_pairs=min(recipe.min_pairs, most), max_pairs=most
    )
    objective = _objective(recipe, pipeline)
    share = Share(
        seed=recipe.seed,
        rank=processes.rank,
        world_size=processes.world_size,
        device=processes.device,
    )
    task = Path(recipe.pairs).resolve().name
    call = spread(
        objective, None, processes=processes, strategy="ddp", precision=recipe.loop.precision
    )
    validation = AdapterValidation(
        objective=objective,
        call=call,
        pipeline=pipeline,
        episodes=PairEpisodes(
            latents.fitted(),
            replace(roles, queries=held_out, min_pairs=most),
            batch_size=_VALIDATION_BATCH_SIZE,
            share=Share(seed=1, rank=0, world_size=1, device=processes.device),
            draws=replace(recipe.draws, condition_dropping=0.0),
            task=task,
        ),
        num_held_out=len(held_out),
        config=AdapterConfig(
            base=base,
            model=recipe.model,
            rank=recipe.rank,
            height=canvas.height,
            width=canvas.width,
            num_pairs=len(trained),
            num_steps=0,
            validation_loss=0.0,
            base_validation_loss=0.0,
        ),
        folder=folder,
        processes=processes,
        base_numbers={},
    )
    return Training(
        objective=objective,
        call=call,
        batches=PairEpisodes(
            latents,
            roles,
            batch_size=recipe.batch_size,
            share=share,
            draws=recipe.draws,
            task=task,
        ),
        processes=processes,
        config=recipe.loop,
        optimizer_config=recipe.optimizer,
        schedule=recipe.schedule,
        folder=folder,
        cells_per_token=objective.jdit.config.patch_size**2,
        validate=validation,
        on_line=tqdm.write,
    )


def split_pairs(
    paths: list[PairPaths], recipe: FinetuneRecipe
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Decide which pairs are trained on and which are held out.

    Args:
        paths: All pairs.
        recipe: How many are held out, and the seed.

    Returns:
        Places of the pairs of either kind.

    Raises:
        ValueError: If there are too few.
    """
    if len(paths) < MIN_PAIRS:
        raise ValueError(
            f"{recipe.pairs} holds {len(paths)} pairs, an adapter needs at least {MIN_PAIRS} and "
            "does well with 10 to 100: with fewer, give them as context without training"
        )
    count = min(max(1, round(recipe.held_out * len(paths))), len(paths) - MIN_PAIRS + 1)
    order = np.random.default_rng([recipe.seed, len(paths)]).permutation(len(paths)).tolist()
    return tuple(sorted(order[count:])), tuple(sorted(order[:count]))


def _objective(recipe: FinetuneRecipe, pipeline: LavinDiTPipeline) -> LowRankObjective:
    """The loss, with changes in the pipeline's own J-DiT."""
    causal = pipeline.jdit.config.context_attention == "causal"
    pipeline.st_vae.requires_grad_(requires_grad=False)
    pipeline.jdit.gradient_checkpointing = recipe.gradient_checkpointing
    return LowRankObjective(
        pipeline.jdit,
        JDiTLossConfig(supervision="dense" if causal else "single", l1_weight=0.0),
        rank=recipe.rank,
        generator=torch.Generator().manual_seed(recipe.seed),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterValidation:
    """Loss and pictures of the pairs that were held out; keeps the adapter that does best."""

    objective: LowRankObjective
    call: nn.Module
    pipeline: LavinDiTPipeline
    episodes: PairEpisodes
    num_held_out: int
    config: AdapterConfig
    folder: Path
    processes: Processes
    base_numbers: dict[str, float]

    def __call__(self, step: int) -> Mapping[str, float]:
        """Judge, draw, and save if it is the best so far; the first process writes."""
        if not self.base_numbers:
            with self.objective.without_changes():
                self.base_numbers.update(self._judge())
        numbers = self._judge(sheet=self.folder / SHEETS / f"step-{step:09}.png")
        loss = numbers["validation/loss"]
        if self.processes.is_first and loss < self._best_so_far():
            config = replace(
                self.config,
                num_steps=step,
                validation_loss=loss,
                base_validation_loss=self.base_numbers["validation/loss"],
            )
            factors = trained_factors(self.objective.jdit)
            save_adapter(Adapter(config=config, factors=factors), self.folder.parent)
        self.processes.barrier()
        return numbers | {f"{name}_of_base": v for name, v in self.base_numbers.items()}

    def _best_so_far(self) -> float:
        """Validation loss of the adapter that is there."""
        if not (self.folder.parent / ADAPTER_FILE).is_file():
            return float("inf")
        return load_adapter_config(self.folder.parent).validation_loss

    def _judge(self, sheet: Path | None = None) -> dict[str, float]:
        """Mean loss, and how near the predictions of some queries come to their targets."""
        steps = range(_VALIDATION_EPISODES // _VALIDATION_BATCH_SIZE)
        loss = mean_losses(self.call, [self.episodes.batch(step) for step in steps])
        return {
            "validation/loss": loss["validation/loss"],
            "validation/psnr_db": self._predict(sheet),
        }

    @torch.no_grad()
    def _predict(self, sheet: Path | None) -> float:
        """Solve queries, draw them if there is a place for it, and return the PSNR in dB.

        Targets are taken as the autoencoder shows them, so that its own loss does not count.
        """
        places = range(min(_SHEET_ROWS, self.num_held_out, self.episodes.share_size))
        batch = self.episodes.read(0, places)
        condition, clip_frames = interleaved(batch.inputs, batch.targets)
        st_vae = self.pipeline.st_vae
        latent = sample_episodes(
            self.objective.jdit,
            condition,
            clip_frames=clip_frames,
            noise=batch.noise[:, -1],
            settings=SamplingSettings.of(self.pipeline.defaults),
        )
        predicted = decode_to_bytes(st_vae, latent)
        truth = decode_to_bytes(st_vae, batch.targets[:, -1])
        if sheet is not None and self.processes.is_first:
            queries = decode_to_bytes(st_vae, batch.inputs[:, -1])
            strips = [
                Strip(
                    title=title,
                    cells=tuple(
                        Cell(caption=caption, frames=frames)
                        for caption, frames in zip(
                            ("query", "prediction", "truth"), row, strict=True
                        )
                    ),
                )
                for title, *row in zip(
                    self.episodes.names(0)[: len(places)], queries, predicted, truth, strict=True
                )
            ]
            save_sheet(sheet, strips)
        return clip_psnr_db(predicted, truth)
