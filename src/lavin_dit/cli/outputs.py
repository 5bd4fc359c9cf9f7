"""Checks of where results go, made before any work is done."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:(/|$)")  # what a path makes of s3://bucket/folder


def check_on_this_machine(folder: Path) -> None:
    """Refuse addresses in a store, of which a path would make a folder here.

    Raises:
        ValueError: If the path is one.
    """
    if _ADDRESS.match(str(folder)):
        raise ValueError(f"{folder}: results are written to this machine; copy them to a store")


def check_writable(folder: Path) -> None:
    """Make a folder and try to write in it.

    Raises:
        ValueError: If it is an address in a store.
        OSError: If that fails.
    """
    check_on_this_machine(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, prefix=".lavin-"):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"{folder}: results can't be written there ({reason})") from error


def output_names(queries: Sequence[Path]) -> Mapping[Path, str]:
    """Name each query's result, without an ending.

    Raises:
        ValueError: If two queries would get one name.
    """
    names: dict[str, Path] = {}
    for query in queries:
        if query.stem in names:
            raise ValueError(
                f"{names[query.stem]} and {query} would both be written to {query.stem}: "
                f"rename one, or predict them into different folders"
            )
        names[query.stem] = query
    return {query: name for name, query in names.items()}


def listed(counts: Mapping[str, int]) -> str:
    """Reasons and how often each occurred, as words."""
    return ", ".join(f"{count:,} x {reason}" for reason, count in counts.items() if count)


def left_out(counts: Mapping[str, int]) -> str:
    """The end of a sentence that says what was left out, if anything was."""
    return f"; left out: {listed(counts)}" if any(counts.values()) else ""
