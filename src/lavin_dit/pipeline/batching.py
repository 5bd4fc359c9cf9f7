"""Queries in batches, each with a bar over its sampling steps."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from tqdm import tqdm

from lavin_dit.pipeline.clips import Clip


def batches(clips: Iterable[Clip], size: int) -> Iterator[list[Clip]]:
    """Put neighbours with the same number of frames together.

    Args:
        clips: Queries; read one batch at a time.
        size: Most clips of a batch.
    """
    for _, neighbours in groupby(clips, key=lambda clip: clip.num_frames):
        batch: list[Clip] = []
        for clip in neighbours:
            batch.append(clip)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch


def progress_bar(batch: Sequence[Clip], *, num_steps: int, show: bool) -> "tqdm[Any]":
    """A bar over the sampling steps of a batch, named after its first query."""
    more = f" and {len(batch) - 1} more" if len(batch) > 1 else ""
    return tqdm(total=num_steps, desc=f"{batch[0].name}{more}", disable=not show)
