"""Context compiled once: encoded, and with causal context attention also run through the network.

A compiled task is all that a query needs of its context, in one safetensors file. It belongs to one
model, one canvas and one way of fitting.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lavin_dit.jdit.context_cache import ContextCache
from lavin_dit.pipeline.atomic import written_atomically
from lavin_dit.pipeline.compiled_detail import described_detail, detail_from, detail_tensors
from lavin_dit.pipeline.detail import SharedDetail, are_comparable
from lavin_dit.pipeline.fitting import Canvas, Fit

FORMAT = "lavin-dit compiled task"
FORMAT_VERSION = 5
_READABLE = (1, 2, 3, 4, FORMAT_VERSION)
"""They differ in what they know of detail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledTask:
    """A context, ready for queries.

    Raises:
        ValueError: If latent frames and clips contradict each other.
    """

    latent: Float[Tensor, "b c s h w"]
    """Normalised latent frames of all pairs: input, target, input, target, ...; a batch of 1,
    unless every query has examples of its own, as in evaluation."""
    clip_frames: tuple[int, ...]
    """Latent frames of each clip."""
    cache: ContextCache | None
    """Keys and values, for a model with causal context attention."""
    canvas: Canvas
    """Size at which the pairs were encoded."""
    fit: Fit
    """How the pairs were fitted to it."""
    pair_names: tuple[str, ...]
    """Which pairs, in order."""
    target_num_frames: int | None
    """Frames of a target; None if each has as many as its input."""
    model: str
    """Fingerprint of the networks that compiled it."""
    detail: SharedDetail | None = None
    """What inputs and targets have in common; None if not measured."""

    def __post_init__(self) -> None:
        """Check the counts."""
        if sum(self.clip_frames) != self.latent.shape[2]:
            raise ValueError(
                f"clip_frames {self.clip_frames} must sum to the latent's "
                f"{self.latent.shape[2]} frames"
            )
        if self.cache is not None and self.cache.num_frames != self.latent.shape[2]:
            raise ValueError(
                f"the cache holds {self.cache.num_frames} latent frames, the latent "
                f"{self.latent.shape[2]}"
            )

    @property
    def num_pairs(self) -> int:
        """Number of examples."""
        return len(self.pair_names)

    def kept_detail(self, num_frames: int) -> SharedDetail | None:
        """By what a prediction keeps something of its query; None if it keeps nothing.

        Args:
            num_frames: Frames of the query: as many as the target has, or one, which all frames of
                the target are compared with; otherwise nothing is kept.
        """
        if self.detail is None or not are_comparable(num_frames, self.target_num_frames):
            return None
        return self.detail if self.detail.is_of_use else None

    def to(self, *, device: torch.device, dtype: torch.dtype) -> "CompiledTask":
        """Return the task on a device and in a precision."""
        cache = None if self.cache is None else self.cache.to(device, dtype)
        return replace(self, latent=self.latent.to(device), cache=cache)

    def save(self, path: "str | os.PathLike[str]") -> Path:
        """Write the task to a safetensors file, which appears whole or not at all.

        Raises:
            OSError: If it can't be written.
        """
        path = Path(path)
        tensors = {"latent": self.latent.contiguous()} | detail_tensors(self.detail)
        if self.cache is not None:
            tensors |= self.cache.to_tensors()
        header = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "clip_frames": self.clip_frames,
            "height": self.canvas.height,
            "width": self.canvas.width,
            "fit": self.fit,
            "pair_names": self.pair_names,
            "target_num_frames": self.target_num_frames,
            "model": self.model,
            "detail": described_detail(self.detail),
            "cache_grid": None if self.cache is None else (self.cache.rows, self.cache.cols),
        }
        with written_atomically(path) as partial:
            save_file(tensors, partial, metadata={"task": json.dumps(header)})
        return path

    @staticmethod
    def load(path: "str | os.PathLike[str]") -> "CompiledTask":
        """Read a task.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not a compiled task or is damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such compiled task")
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {}).get("task", "{}"))
                if header.get("format") != FORMAT:
                    raise ValueError(f"{path}: not a compiled task")
                if header["version"] not in _READABLE:
                    raise ValueError(
                        f"{path}: compiled task of format {header['version']}, "
                        f"this version reads {FORMAT_VERSION}; compile it again"
                    )
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return _from_header(header, tensors)
        except SafetensorError as error:
            raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
        except KeyError as error:
            raise ValueError(f"{path}: the compiled task lacks {error}") from error


def _from_header(header: Mapping[str, Any], tensors: dict[str, Tensor]) -> CompiledTask:
    latent, detail = tensors.pop("latent"), detail_from(header, tensors)
    cache = None
    if header["cache_grid"] is not None:
        rows, cols = header["cache_grid"]
        cache = ContextCache.from_tensors(tensors, num_frames=latent.shape[2], rows=rows, cols=cols)
    return CompiledTask(
        latent=latent,
        clip_frames=tuple(header["clip_frames"]),
        cache=cache,
        canvas=Canvas(height=header["height"], width=header["width"]),
        fit=header["fit"],
        pair_names=tuple(header["pair_names"]),
        target_num_frames=header["target_num_frames"],
        model=header["model"],
        detail=detail,
    )
