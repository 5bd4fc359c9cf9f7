"""Checks of where results go, made before any work is done."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

RESULT_PARTS = (
    "boxes", "depth", "drawn", "edges", "flow", "instances", "keypoints", "mask", "normals",
    "panoptic",
)  # fmt: skip
"""What follows a query's name in files of what was read of its painting, before their ending."""
_LONGEST_NAME, _LONGEST_ENDING = 255, len(".instances_0000.json")  # bytes
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


def output_names(queries: Sequence[Path], *, parts: Collection[str] = ()) -> Mapping[Path, str]:
    """Name each query's result, without an ending.

    Args:
        queries: What is asked.
        parts: What may follow a name and a dot in files of what is read of the same result.

    Raises:
        ValueError: If two queries would get one name, or one the name of what is read of another.
    """
    names: dict[str, Path] = {}
    for query in queries:
        if query.stem in names:
            raise ValueError(
                f"{names[query.stem]} and {query} would both be written to {query.stem}: "
                f"rename one, or predict them into different folders"
            )
        names[query.stem] = query
    for name, query in names.items():
        other, _, kind = name.rpartition(".")
        if other in names and kind in parts:
            raise ValueError(
                f"the result of {query} would be written to {name}, which is for the {kind} of "
                f"{names[other]}: rename one, or predict them into different folders"
            )
    return {query: name for name, query in names.items()}


def check_name(stem: str) -> None:
    """Refuse a name with which files of results could not be made.

    Raises:
        ValueError: If it is too long.
    """
    if len(os.fsencode(stem)) > _LONGEST_NAME - _LONGEST_ENDING:
        raise ValueError(f"{stem}: a name too long for those of its results, which are longer")


def listed(counts: Mapping[str, int]) -> str:
    """Reasons and how often each occurred, as words."""
    return ", ".join(f"{count:,} x {reason}" for reason, count in counts.items() if count)


def left_out(counts: Mapping[str, int]) -> str:
    """The end of a sentence that says what was left out, if anything was."""
    return f"; left out: {listed(counts)}" if any(counts.values()) else ""
