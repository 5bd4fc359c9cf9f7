"""Mixtures that a program of the user's makes."""

import inspect
import runpy
from pathlib import Path
from typing import Any

from lavin_dit.data.mixture import Mixture


def mixture_from_program(
    words: str, *, batch_size: int, min_pairs: int, max_pairs: int, seed: int
) -> Mixture:
    """Run a program and take the mixture that it makes.

    Args:
        words: ``FILE.py:NAME``. What bears the name is a mixture, or a function that returns one
            and takes some of what follows by name.
        batch_size: Episodes of a batch, over all processes.
        min_pairs: Fewest context pairs.
        max_pairs: Most context pairs.
        seed: Decides what is drawn.

    Raises:
        FileNotFoundError: If there is no such program.
        ValueError: If nothing bears the name, it is or gives no mixture, or it is a function that
            wants something else.
    """
    path, _, attribute = words.rpartition(":")
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{path or words}: no such program; a mixture is named FILE.py:NAME"
        )
    found: Any = runpy.run_path(path).get(attribute)
    if callable(found):
        settings = {
            "batch_size": batch_size, "min_pairs": min_pairs, "max_pairs": max_pairs, "seed": seed,
        }  # fmt: skip
        found = _called(found, settings, where=f"{attribute} of {path}")
    if not isinstance(found, Mixture):
        raise ValueError(
            f"{attribute} of {path} must be a Mixture, or a function of batch_size, min_pairs, "
            f"max_pairs and seed that returns one, got {type(found).__name__}"
        )
    return found


def _called(function: Any, settings: dict[str, int], *, where: str) -> object:  # noqa: ANN401
    """Call a function with those of the settings that it takes."""
    taken = inspect.signature(function).parameters.values()
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken):
        return function(**settings)
    for one in taken:
        if one.default is inspect.Parameter.empty and one.name not in settings:
            raise ValueError(
                f"{where} wants {one.name}, but a mixture is made of batch_size, min_pairs, "
                "max_pairs and seed"
            )
    names = {one.name for one in taken}
    return function(**{name: value for name, value in settings.items() if name in names})
