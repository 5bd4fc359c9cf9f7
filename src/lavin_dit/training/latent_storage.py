"""Where a folder's latents are read from: its files, or the training device that holds them all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

_PARTS = ("inputs", "targets")
_SHARE_OF_FREE_MEMORY = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedEntry:
    """Episodes of one task from one source.

    Attributes:
        task: Name of the task.
        source: Name of the source.
        weight: Share in the mixture, before weights are made to sum to 1.
        shape: Frames of inputs and of targets, as latents.
        chunks: Files of the episodes; all but the last hold equally many.
        num_episodes: Episodes in all chunks.
    """

    task: str
    source: str
    weight: float
    shape: tuple[int, int]
    chunks: tuple[str, ...]
    num_episodes: int


class Members(NamedTuple):
    """Some pairs of one stored episode."""

    place: int
    """Which entry, counted from 0."""
    episode: int
    """Which of its episodes."""
    pairs: Int[np.ndarray, " n"]
    """Which pairs, in the order wanted."""


class Latents(NamedTuple):
    """Pairs of several episodes, float32."""

    inputs: Float[Tensor, "b n c s h w"]
    targets: Float[Tensor, "b n c t h w"]


@runtime_checkable
class LatentStorage(Protocol):
    """Gives the latents of episodes whose entries have one shape."""

    def read(self, wanted: Sequence[Members]) -> Latents:
        """Read pairs of episodes, equally many of each, onto the training device."""
        ...

    def picture_size(self, place: int) -> tuple[int, int]:
        """Height and width of an entry's latents."""
        ...


class LatentFiles:
    """Latents that are read from files as they are used."""

    def __init__(
        self, folder: Path, entries: Sequence[CachedEntry], *, device: torch.device
    ) -> None:
        """Take a folder; files are opened when they are first read, and stay open.

        Args:
            folder: Folder of the chunks.
            entries: What is in it.
            device: Where latents are wanted.
        """
        self._folder = folder
        self._entries = entries
        self._device = device
        self._files: dict[str, Any] = {}

    def read(self, wanted: Sequence[Members]) -> Latents:
        """Read pairs of episodes, equally many of each, onto the training device."""
        parts = {name: [self._pairs(one, name) for one in wanted] for name in _PARTS}
        return Latents(*(torch.stack(parts[name]).to(self._device) for name in _PARTS))

    def picture_size(self, place: int) -> tuple[int, int]:
        """Height and width of an entry's latents."""
        shape = self._file(self._entries[place].chunks[0]).get_slice("targets").get_shape()
        return shape[-2], shape[-1]

    def _pairs(self, wanted: Members, part: str) -> Tensor:
        chunks = self._entries[wanted.place].chunks
        length = self._file(chunks[0]).get_slice(part).get_shape()[0]
        chunk, episode = divmod(wanted.episode, length)
        return self._file(chunks[chunk]).get_slice(part)[episode][wanted.pairs].float()

    def _file(self, name: str) -> Any:  # noqa: ANN401 - safetensors has no public type for it
        if name not in self._files:
            self._files[name] = safe_open(self._folder / name, framework="pt").__enter__()
        return self._files[name]


class ResidentLatents:
    """Latents that the training device holds, so that a batch is one gather of each part."""

    def __init__(
        self, folder: Path, entries: Sequence[CachedEntry], *, device: torch.device
    ) -> None:
        """Load everything.

        Args:
            folder: Folder of the chunks.
            entries: What is in it.
            device: Where to.
        """
        self._device = device
        self._shapes = [entry.shape for entry in entries]
        self._first_episode: list[int] = []
        loaded: dict[tuple[int, int], dict[str, list[Tensor]]] = {}
        num_episodes: dict[tuple[int, int], int] = {}
        for entry in entries:
            self._first_episode.append(num_episodes.setdefault(entry.shape, 0))
            num_episodes[entry.shape] += entry.num_episodes
            parts = loaded.setdefault(entry.shape, {name: [] for name in _PARTS})
            for chunk in entry.chunks:
                tensors = load_file(folder / chunk, device=str(device))
                for name in _PARTS:
                    parts[name].append(tensors[name])
        self._parts = {
            shape: {name: torch.cat(parts.pop(name)) for name in _PARTS}
            for shape, parts in loaded.items()
        }

    def read(self, wanted: Sequence[Members]) -> Latents:
        """Gather pairs of episodes, equally many of each."""
        parts = self._parts[self._shapes[wanted[0].place]]
        members = parts["inputs"].shape[1]
        rows = np.stack(
            [(self._first_episode[one.place] + one.episode) * members + one.pairs for one in wanted]
        )
        index = torch.from_numpy(rows).to(self._device)
        return Latents(*(parts[name].flatten(0, 1)[index].float() for name in _PARTS))

    def picture_size(self, place: int) -> tuple[int, int]:
        """Height and width of an entry's latents."""
        height, width = self._parts[self._shapes[place]]["targets"].shape[-2:]
        return height, width


def open_latents(
    folder: Path, entries: Sequence[CachedEntry], *, device: torch.device
) -> LatentStorage:
    """Hold latents on a GPU that has room for them, else read files as they are used.

    Args:
        folder: Folder of the chunks.
        entries: What is in it.
        device: The training device.
    """
    if device.type == "cuda":
        size = sum((folder / chunk).stat().st_size for entry in entries for chunk in entry.chunks)
        free, _ = torch.cuda.mem_get_info(device)
        if size <= _SHARE_OF_FREE_MEMORY * free:
            return ResidentLatents(folder, entries, device=device)
    return LatentFiles(folder, entries, device=device)
