"""From a recipe to a run: everything is built, checked, resumed and started here."""

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from lavin_dit.pipeline.devices import multiplies_bfloat16
from lavin_dit.recipes.finetune import FinetuneRecipe
from lavin_dit.recipes.finetune_run import finetune_training
from lavin_dit.recipes.jdit import JDiTRecipe
from lavin_dit.recipes.jdit_run import jdit_training
from lavin_dit.recipes.next_token import NextTokenRecipe
from lavin_dit.recipes.next_token_run import next_token_training
from lavin_dit.recipes.st_vae import STVAERecipe
from lavin_dit.recipes.st_vae_run import st_vae_training
from lavin_dit.training.loop import Training
from lavin_dit.training.processes import joined_processes
from lavin_dit.training.run_folder import describe_session, read_sessions, record_session
from lavin_dit.training.shared_folder import check_shared, claimed
from lavin_dit.weights.config import config_from_json, config_to_json

_log = logging.getLogger(__name__)

Recipe: TypeAlias = JDiTRecipe | STVAERecipe | FinetuneRecipe | NextTokenRecipe
_BUILDERS = {
    JDiTRecipe: jdit_training,
    STVAERecipe: st_vae_training,
    FinetuneRecipe: finetune_training,
    NextTokenRecipe: next_token_training,
}
_MAY_CHANGE = {
    "loop": {
        "num_steps",
        "budget",
        "micro_batch_size",
        "log_every",
        "checkpoint_every",
        "keep_checkpoints",
        "validate_every",
        "max_skipped_in_a_row",
    },
    "data": {"workers", "validation_sources", "validation_clip_sources"},
    "": {"strategy", "compile", "gradient_checkpointing", "sampling", "st_vae", "weights"},
}
"""What may differ between the sessions of a run without making it another run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Where and how a run is done.

    Attributes:
        folder: The run's folder; a run that is there is gone on with.
        device: cpu or cuda; the best of this machine if None.
        resume: Whether a run that is there is gone on with; an error is raised if not.
        threads: Threads of a process on a CPU; torch's own choice if None.
    """

    folder: Path
    device: str | None = None
    resume: bool = True
    threads: int | None = None


def run_recipe(recipe: Recipe, options: RunOptions) -> str:
    """Do a run, or go on with it.

    Args:
        recipe: What to do.
        options: Where.

    Returns:
        Why it ended: ``steps``, ``budget`` or the name of a signal.

    Raises:
        ValueError: If the recipe contradicts itself, its data, or the run that is in the folder, if
            another process trains there, or processes don't see the same folder.
        OSError: If something is missing, or the folder can't be written to.
        NonFiniteLossError: If too many steps in a row were not finite.
    """
    if options.threads is not None:
        if options.threads < 1:
            raise ValueError(f"threads must be at least 1, got {options.threads}")
        torch.set_num_threads(options.threads)
    with joined_processes(options.device) as processes:
        _be_fast(processes.device)
        if processes.is_first:
            _warn_of_emulation(recipe, processes.device)
        if recipe.batch_size % processes.world_size:
            raise ValueError(
                f"batch_size {recipe.batch_size} must be divisible by the {processes.world_size} "
                "processes"
            )
        sessions = read_sessions(options.folder)
        _check_folder(options, sessions, recipe)
        build = _BUILDERS[type(recipe)]
        training: Training = build(recipe, folder=options.folder, processes=processes)  # pyright: ignore[reportArgumentType] - each with its own recipe
        check_shared(options.folder, processes)
        with claimed(options.folder) if processes.is_first else nullcontext():
            resumed = training.resume()
            processes.barrier()  # all have read the folder before the first one writes to it
            if processes.is_first:
                session = describe_session(
                    config_to_json(recipe),
                    device=str(processes.device),
                    world_size=processes.world_size,
                )
                record_session(options.folder, {**session, "from_step": training.step})
                if resumed:
                    _log.info("going on at step %d of %s", training.step, options.folder)
            return training.run()


def _be_fast(device: torch.device) -> None:
    """Let a GPU round the inputs of float32 products, and try out ways to convolve."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True


def _warn_of_emulation(recipe: Recipe, device: torch.device) -> None:
    """Say so where bfloat16 is asked for and costs time instead of saving it."""
    if recipe.loop.precision == "bfloat16" and not multiplies_bfloat16(device):
        _log.warning(
            "this CPU seems to emulate bfloat16: a run with --loop.precision float32 may take a "
            "fraction of the time"
        )


def _check_folder(options: RunOptions, sessions: list[dict[str, Any]], recipe: Recipe) -> None:
    """Refuse a folder with another run in it."""
    if not sessions:
        if options.folder.exists() and not options.folder.is_dir():
            raise ValueError(f"{options.folder} is a file; a run is a folder")
        return
    if not options.resume:
        raise ValueError(f"{options.folder} holds a run; choose another folder, or let it resume")
    earlier = _with_defaults(sessions[0]["recipe"], type(recipe))
    differences = _differences(earlier, config_to_json(recipe))
    if differences:
        raise ValueError(
            f"{options.folder} holds a run with another recipe; choose another folder, or take "
            "back: " + "; ".join(differences)
        )


def _with_defaults(earlier: Mapping[str, Any], kind: type[Recipe]) -> Mapping[str, Any]:
    """Fill in what recipes could not say yet when a run began."""
    try:
        return config_to_json(config_from_json(kind, earlier))
    except ValueError:  # another kind of run: it differs anyway
        return earlier


def _differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two recipes and must not."""
    found: list[str] = []
    for name, value in now.items():
        before = earlier.get(name)
        if name in _MAY_CHANGE[""] or before == value:
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            allowed = _MAY_CHANGE.get(name, set())
            found += [
                f"{name}.{key} was {before.get(key)!r}, now {value[key]!r}"
                for key in value
                if key not in allowed and before.get(key) != value[key]
            ]
        else:
            found.append(f"{name} was {before!r}, now {value!r}")
    return found
