"""Context pairs: example inputs with their targets, which tell the model what to do."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lavin_dit.pipeline.clips import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Clip, Source, load_clip

INPUT_ENDING = "_input"
TARGET_ENDING = "_target"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPair:
    """One example.

    Raises:
        ValueError: If input and target differ in shape so much that they can't show one scene.
    """

    name: str
    """What to call it in messages: the file names' common part."""
    input: Clip
    """What the task is given."""
    target: Clip
    """What it answers."""

    def __post_init__(self) -> None:
        """Check that both halves have one aspect."""
        (height, width), (other_height, other_width) = self.input.size, self.target.size
        # A pixel of rounding when one of them was resized is no other aspect.
        if abs(height * other_width - width * other_height) > max(
            height, width, other_height, other_width
        ):
            raise ValueError(
                f"pair {self.name}: input is {height}x{width} and target "
                f"{other_height}x{other_width}; both must have the same aspect"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPaths:
    """Where the halves of a pair are."""

    name: str
    input: Path
    target: Path


def find_pairs(folder: "str | os.PathLike[str]") -> list[PairPaths]:
    """List the pairs in a folder, sorted by name, without reading them.

    A pair is ``<id>_input.<ending>`` and ``<id>_target.<ending>``, images or videos; this is the
    layout of the authors' templates.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no pairs, one half of a pair is missing, or a half is there twice.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of context pairs")
    halves: dict[str, dict[str, Path]] = {INPUT_ENDING: {}, TARGET_ENDING: {}}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
            continue
        for ending, found in halves.items():
            if path.stem.endswith(ending):
                name = path.stem.removesuffix(ending)
                if name in found:
                    raise ValueError(
                        f"{folder}: {found[name].name} and {path.name} are the same half of a pair"
                    )
                found[name] = path
    inputs, targets = halves[INPUT_ENDING], halves[TARGET_ENDING]
    if lonely := sorted(inputs.keys() ^ targets.keys()):
        listed = ", ".join(
            f"{name} has no {'target' if name in inputs else 'input'}" for name in lonely
        )
        raise ValueError(f"{folder}: pairs with one half missing: {listed}")
    if not inputs:
        raise ValueError(
            f"{folder}: no pairs here; expected files such as cat_input.png and cat_target.png"
        )
    return [PairPaths(name=name, input=inputs[name], target=targets[name]) for name in inputs]


def choose_pairs(pairs: Sequence[PairPaths], *, count: int, seed: int) -> list[PairPaths]:
    """Choose pairs without repetition; all of them, in order, if there are no more than wanted.

    Raises:
        ValueError: If ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f"num_context_pairs must be at least 1, got {count}")
    if len(pairs) <= count:
        return list(pairs)
    chosen = np.random.default_rng(seed).choice(len(pairs), size=count, replace=False)
    return [pairs[index] for index in sorted(chosen)]


def read_pairs(pairs: Sequence[PairPaths]) -> list[ContextPair]:
    """Read chosen pairs.

    Raises:
        ValueError: As `load_clip` and `ContextPair`.
    """
    return [
        ContextPair(name=pair.name, input=load_clip(pair.input), target=load_clip(pair.target))
        for pair in pairs
    ]


def pairs_from_sources(sources: Sequence[tuple[Source, Source]]) -> list[ContextPair]:
    """Read pairs that a program hands over.

    Raises:
        ValueError: If the list is empty, or as `load_clip` and `ContextPair`.
        TypeError: If an entry is not a pair.
    """
    if not sources:
        raise ValueError("context must have at least one pair, got an empty list")
    pairs: list[ContextPair] = []
    for index, entry in enumerate(sources):
        if not isinstance(entry, tuple | list) or len(entry) != 2:
            raise TypeError(f"context pair {index} must be (input, target), got {type(entry)}")
        pairs.append(
            ContextPair(
                name=str(index),
                input=load_clip(entry[0], name=f"input of pair {index}"),
                target=load_clip(entry[1], name=f"target of pair {index}"),
            )
        )
    return pairs


def read_context(
    context: "str | os.PathLike[str] | Sequence[tuple[Source, Source]]", *, count: int, seed: int
) -> list[ContextPair]:
    """Read a context's pairs.

    Args:
        context: A folder of pairs, or a list of (input, target).
        count: Pairs taken from a folder that has more; a list is used whole.
        seed: What they are drawn from.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: As `find_pairs`, `choose_pairs`, `read_pairs` and `pairs_from_sources`.
        TypeError: If an entry of a list is not a pair.
    """
    if isinstance(context, str | os.PathLike):
        return read_pairs(choose_pairs(find_pairs(context), count=count, seed=seed))
    return pairs_from_sources(context)
