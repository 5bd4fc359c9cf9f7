"""Finding the files of a data set, with a message that helps when one is missing."""

import os
from collections.abc import Sequence
from pathlib import Path


class LayoutError(FileNotFoundError):
    """A data set does not lie on disk as its publisher ships it."""


def require(root: Path, *choices: str, dataset: str) -> Path:
    """The first of several paths below a root that exists.

    Args:
        root: Folder of the data set.
        choices: Paths relative to it; the one looked for first comes first.
        dataset: Name of the data set as its publisher writes it.

    Returns:
        The path of a file or folder.

    Raises:
        LayoutError: If none of them exists; the message says what is there instead.
    """
    for choice in choices:
        if (root / choice).exists():
            return root / choice
    wanted = " or ".join(str(root / choice) for choice in choices)
    raise LayoutError(
        f"{dataset}: {wanted} does not exist; {_what_is_there(root)} "
        "docs/data.md shows the layout and where to get it"
    )


def check_choice(value: str, choices: Sequence[str], *, what: str) -> str:
    """Check that a setting is one of those that exist.

    Args:
        value: What the caller asked for.
        choices: What there is.
        what: What is being chosen, such as "a split of COCO".

    Returns:
        The value.

    Raises:
        ValueError: If it is none of them.
    """
    if value not in choices:
        raise ValueError(f"{value!r} is not {what}; there are {', '.join(choices)}")
    return value


def check_kinds(
    kinds: Sequence[type[object]], choices: Sequence[type[object]], *, dataset: str
) -> tuple[type[object], ...]:
    """Check that a data set has the kinds of annotation asked for.

    Args:
        kinds: What the caller asked for.
        choices: What there is.
        dataset: Name of the data set.

    Returns:
        The kinds, each once.

    Raises:
        ValueError: If the data set does not have one of them.
    """
    for kind in kinds:
        if kind not in choices:
            names = ", ".join(choice.__name__ for choice in choices)
            raise ValueError(f"{dataset} has no {kind.__name__}; it has {names}")
    return tuple(dict.fromkeys(kinds))


def file_names(folder: Path) -> set[str]:
    """Names of the files in a folder, hidden ones aside.

    Args:
        folder: A folder that exists.

    Returns:
        The names, without asking the file system about each file.
    """
    with os.scandir(folder) as entries:
        return {
            entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file()
        }


def _what_is_there(root: Path) -> str:
    """A sentence about a folder that lacks something."""
    if not root.is_dir():
        return f"the folder {root} does not exist either."
    found = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir())
    shown = ", ".join(found[:8]) + (", ..." if len(found) > 8 else "")
    return f"{root} holds {shown}." if found else f"{root} is empty."
