"""Importing what only the extra ``data`` brings."""

import importlib
from types import ModuleType

from lavin_dit.extras import how_to_install


def import_extra(module: str, *, purpose: str) -> ModuleType:
    """Import a module that may not be installed.

    Args:
        module: Its name.
        purpose: What it is needed for.

    Returns:
        The module.

    Raises:
        ImportError: If it, or what it needs, is missing; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{purpose} needs {error.name}, which is not installed: {how_to_install('data')}"
        ) from error
