"""``lavin train``: do a recipe's run, or go on with it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from lavin_dit.recipes.jdit import JDiTRecipe
    from lavin_dit.recipes.st_vae import STVAERecipe

EXIT_STOPPED = 3
"""Exit status of a run that a signal ended: it is whole, and not over."""

EXIT_NOT_FINITE = 1
"""Exit status of a run that ended because its loss was not finite, step after step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Train an ST-VAE or a J-DiT by a recipe, any number of which can be changed.

    lavin train jdit-nano-64 --run runs/nano --st-vae runs/st-vae/export --data.sources world
    --optimizer.lr 2e-4. Without a recipe, they are listed; with --help after a recipe, its numbers.
    A run that was stopped goes on when the same command is given again. On several GPUs, start it
    with torchrun: torchrun --nproc-per-node 8 -m lavin_dit.cli.main train jdit-0.1b-256 ...
    """

    words: tyro.conf.Positional[tuple[str, ...]] = ()
    """Recipe, and what is to be changed in it."""

    def run(self) -> int:
        """Read the recipe, train, and say why it ended."""
        return train(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Where and how."""

    run: Path
    """Folder of the run; a run that is there is gone on with."""
    device: str | None = None
    """cpu or cuda; the best one of this machine if not given."""
    budget: str | None = None
    """End in this time, such as 9m or 2h, with a schedule that fits and weights exported."""
    resume: bool = True
    """Go on with a run that is in the folder; with --no-resume that is an error."""
    threads: int | None = None
    """Threads on a CPU; torch's own choice if not given."""


def train(words: Sequence[str]) -> int:
    """Train by the words after ``lavin train``.

    Args:
        words: Recipe, and what is to be changed in it.

    Returns:
        Exit status: 0 if the run is over, 1 if its loss was not finite, 3 if a signal ended it.

    Raises:
        ValueError: If there is no such recipe, or its run can't be done.
    """
    from lavin_dit.recipes.jdit import JDIT_RECIPES
    from lavin_dit.recipes.st_vae import ST_VAE_RECIPES

    recipes: dict[str, JDiTRecipe | STVAERecipe] = {**ST_VAE_RECIPES, **JDIT_RECIPES}
    if not words or words[0] in ("-h", "--help"):
        print(Train.__doc__)
        print("recipes: " + ", ".join(recipes))
        return 0
    name, *changes = words
    if name not in recipes:
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(recipes)}")
    run, recipe = _parsed(name, recipes[name], changes)
    from lavin_dit.recipes.run import RunOptions, run_recipe
    from lavin_dit.training.loop import NonFiniteLossError

    options = RunOptions(folder=run.run, device=run.device, resume=run.resume, threads=run.threads)
    try:
        reason = run_recipe(recipe, options)
    except NonFiniteLossError as error:
        print(f"lavin: error: {error}", file=sys.stderr)
        return EXIT_NOT_FINITE
    print(f"{run.run}: ended by {reason}", file=sys.stderr)
    return 0 if reason in ("steps", "budget") else EXIT_STOPPED


def _parsed(
    name: str, recipe: "JDiTRecipe | STVAERecipe", changes: Sequence[str]
) -> "tuple[_Run, JDiTRecipe | STVAERecipe]":
    """Where and how, and the recipe with its changes."""
    from dataclasses import make_dataclass, replace

    kind = type(recipe)
    both = make_dataclass(
        "Run",
        [
            ("where", Annotated[_Run, tyro.conf.arg(name="")]),
            ("recipe", Annotated[kind, tyro.conf.arg(name="")], recipe),
        ],
        kw_only=True,
        frozen=True,
    )
    found = tyro.cli(
        both,
        prog=f"lavin train {name}",
        description=kind.__doc__,
        args=changes,
        config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagConversionOff),
    )
    recipe = found.recipe
    if found.where.budget is not None:
        recipe = replace(recipe, loop=replace(recipe.loop, budget=found.where.budget))
    return found.where, recipe
