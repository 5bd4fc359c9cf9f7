"""``lavin train``: do a recipe's run, or go on with it."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import getdoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import tyro

from lavin_dit.cli.inputs import no_such
from lavin_dit.cli.tables import print_table

if TYPE_CHECKING:
    from lavin_dit.recipes.jdit import JDiTRecipe
    from lavin_dit.recipes.next_token import NextTokenRecipe
    from lavin_dit.recipes.st_vae import STVAERecipe

    TrainRecipe: TypeAlias = JDiTRecipe | STVAERecipe | NextTokenRecipe

EXIT_STOPPED = 3
"""Exit status of a run that a signal ended: it is whole, and not over."""

EXIT_NOT_FINITE = 1
"""Exit status of a run that ended because its loss was not finite, step after step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Train an ST-VAE, a J-DiT or the next-token baseline by a recipe; any number can be changed.

    lavin train jdit-nano-64 --run runs/nano --st-vae runs/st-vae/export --data.sources world
    --optimizer.lr 2e-4. Without a recipe, they are listed; with --help after a recipe, its numbers;
    with --show, the recipe is printed with its changes, and nothing is trained.
    A run that was stopped goes on when the same command is given again. On several GPUs, start it
    with torchrun: torchrun --nproc-per-node 8 -m lavin_dit.cli.main -- train jdit-0.1b-256 ...
    """

    words: tyro.conf.Positional[tuple[str, ...]] = ()
    """Recipe, and what is to be changed in it."""

    def run(self) -> int:
        """Read the recipe, train, and say why it ended."""
        return train(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWords:
    """Where and how a recipe is run."""

    run: Path | None = None
    """Folder of the run; a run that is there is gone on with."""
    show: bool = False
    """Print the recipe with its changes as JSON, and train nothing."""
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
    from lavin_dit.recipes.next_token import NEXT_TOKEN_RECIPES
    from lavin_dit.recipes.st_vae import ST_VAE_RECIPES

    recipes: dict[str, TrainRecipe] = {**ST_VAE_RECIPES, **JDIT_RECIPES, **NEXT_TOKEN_RECIPES}
    if not words or words[0] in ("-h", "--help"):
        print(getdoc(Train), end="\n\n")
        _print_recipes(recipes)
        return 0
    name, *changes = words
    if name not in recipes:
        raise ValueError(no_such("recipe", name, recipes))
    run, recipe = parsed(name, recipes[name], changes)
    if run.show:
        from lavin_dit.weights.config import config_to_json

        print(json.dumps(config_to_json(recipe), indent=2))
        return 0
    if run.run is None:
        raise ValueError(f"name the folder of the run: lavin train {name} --run runs/{name}")
    from lavin_dit.recipes.run import RunOptions, run_recipe
    from lavin_dit.training.loop import ENDS, NonFiniteLossError

    options = RunOptions(folder=run.run, device=run.device, resume=run.resume, threads=run.threads)
    try:
        reason = run_recipe(recipe, options)
    except NonFiniteLossError as error:
        print(f"lavin: error: {error}", file=sys.stderr)
        return EXIT_NOT_FINITE
    print(f"{run.run}: ended by {reason}", file=sys.stderr)
    return 0 if reason in ENDS else EXIT_STOPPED


def _print_recipes(recipes: "Mapping[str, TrainRecipe]") -> None:
    """A line for each recipe, under a line of headings."""
    rows = [("recipe", "pixels", "steps", "batch", "learning rate")]
    for name, recipe in recipes.items():
        rows.append(
            (
                name,
                f"{recipe.data.height} x {recipe.data.width}",
                f"{recipe.loop.num_steps:,}",
                str(recipe.batch_size),
                f"{recipe.optimizer.lr:g}, {recipe.schedule.decay}",
            )
        )
    print_table(rows)


def parsed(
    name: str, recipe: "TrainRecipe", changes: Sequence[str]
) -> "tuple[RunWords, TrainRecipe]":
    """Read a command line.

    Args:
        name: Of the recipe.
        recipe: As it is without changes.
        changes: Words after the name.

    Returns:
        Where and how, and the recipe with its changes.
    """
    from dataclasses import make_dataclass, replace

    kind = type(recipe)
    # What can be true or false in a recipe is said with a value: --compile True.
    written = Annotated[kind, tyro.conf.arg(name=""), tyro.conf.FlagConversionOff]
    both = make_dataclass(
        "Run",
        [
            ("where", Annotated[RunWords, tyro.conf.arg(name="")]),
            ("recipe", written, recipe),
        ],
        kw_only=True,
        frozen=True,
    )
    found = tyro.cli(
        both,
        prog=f"lavin train {name}",
        # What a class raises is for those who call it.
        description=(kind.__doc__ or "").partition("Raises:")[0].strip(),
        args=changes,
        config=(tyro.conf.AvoidSubcommands,),
    )
    recipe = found.recipe
    if found.where.budget is not None:
        recipe = replace(recipe, loop=replace(recipe.loop, budget=found.where.budget))
    return found.where, recipe
