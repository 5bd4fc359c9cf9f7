"""Checks of what goes in, made before a model is loaded."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path


def no_such(kind: str, name: str, known: Iterable[str]) -> str:
    """What to say to a name that nothing bears.

    Args:
        kind: What it should be a name of.
        name: What was given.
        known: The names that there are.
    """
    names = list(known)
    near = get_close_matches(name, names, n=1, cutoff=0.7)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"there is no {kind} {name!r}; {meant}there are {', '.join(names)}"


def check_context(path: Path) -> None:
    """Check that a context is there and, if it is a folder, holds pairs.

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If it is a folder without proper pairs.
    """
    from lavin_dit.pipeline.context import find_pairs

    if not path.is_file():
        find_pairs(path)


def expand_queries(paths: Sequence[Path]) -> list[Path]:
    """Replace folders by the images and videos in them.

    Raises:
        FileNotFoundError: If a path leads nowhere.
        ValueError: If no query is left.
    """
    from lavin_dit.pipeline.clips import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    if not paths:
        raise ValueError("no queries: name images, videos or folders of them")
    queries: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                entry
                for entry in path.iterdir()
                if entry.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES
            )
            if not inside:
                raise ValueError(f"{path}: no images or videos in there")
            queries += inside
        elif path.exists():
            queries.append(path)
        else:
            raise FileNotFoundError(f"{path}: no such file or folder")
    return list(dict.fromkeys(queries))
