"""Conversion of the authors' released checkpoint into a saved pipeline.

The release's names of tensors are ours, so nothing is renamed: what is added is the configuration,
which the release keeps in its code. Names and shapes are checked from the files' headers; values
are then copied one by one.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from tqdm import tqdm

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.model import JDiT
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.weights.checkpoint import JDIT_FOLDER, ST_VAE_FOLDER, save_defaults
from lavin_dit.weights.defaults import RELEASED_DEFAULTS
from lavin_dit.weights.files import open_safetensors
from lavin_dit.weights.official_shapes import Shapes, jdit_config, st_vae_config
from lavin_dit.weights.pickled import read_pickled_tensors
from lavin_dit.weights.shards import DEFAULT_MAX_SHARD_BYTES, ShardWriter
from lavin_dit.weights.store import check_shapes

ST_VAE_FILE = "stvae.pt"
JDIT_FILE = "lavin_dit.safetensors"
ARCHIVE_FOLDER = "weights"
IGNORED_PREFIX = "loss."


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialReport:
    """What a conversion found."""

    st_vae: STVAEConfig
    """Architecture of the ST-VAE."""
    jdit: JDiTConfig
    """Architecture of the J-DiT."""
    st_vae_parameters: int
    """Number of the ST-VAE's values."""
    jdit_parameters: int
    """Number of the J-DiT's values."""
    ignored: tuple[str, ...]
    """Tensors that were left out: what the ST-VAE's training kept of its losses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Tensors in a file, whose values are read on demand."""

    path: Path
    shapes: Shapes
    read: Callable[[str], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A network to copy: where from, under which configuration, and in which order."""

    source: _Source
    config: object
    expected: Shapes

    @property
    def num_values(self) -> int:
        return sum(torch.Size(shape).numel() for shape in self.expected.values())


def convert_official(
    source: Path,
    *,
    output: Path,
    dtype: torch.dtype | None = None,
    num_heads: int | None = None,
    encoder_norm_groups: int = 32,
    max_shard_bytes: int = DEFAULT_MAX_SHARD_BYTES,
) -> OfficialReport:
    """Convert ``stvae.pt`` and ``lavin_dit.safetensors`` into a saved pipeline.

    Both files are checked before anything is written, and no network is ever held in memory as a
    whole: what is held is one shard. If anything fails, nothing is left behind.

    Args:
        source: Folder with both files, or the one that their archive was unpacked in.
        output: Folder for the pipeline; made if need be, and empty otherwise.
        dtype: Floating-point type to store; None keeps each tensor's own.
        num_heads: Query heads of the J-DiT. No shape tells them: needed unless the shapes are those
            of the released network.
        encoder_norm_groups: Groups of the ST-VAE encoder's norms. No shape tells them either; the
            released network has 32.
        max_shard_bytes: Size from which a new weights file is begun.

    Returns:
        What was found.

    Raises:
        FileExistsError: If there is something at the output already; it stays as it is.
        FileNotFoundError: If one of the files is missing.
        WeightsMismatchError: If names or shapes aren't the release's; it lists all that differ.
        ValueError: If a file is damaged, contains code, or tells no possible architecture.
        OSError: If the output can't be written to.
    """
    source, output = Path(source), Path(output)
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"dtype must be a floating-point type, got {dtype}")
    _check_nothing_there(output)
    st_vae_path, jdit_path = _find_files(source)
    st_vae_source, ignored = _open_st_vae(st_vae_path)
    st_vae = _plan_st_vae(st_vae_source, encoder_norm_groups)
    with open_safetensors(jdit_path) as file:
        jdit = _plan_jdit(
            _open_jdit(jdit_path, file),
            latent_channels=st_vae.config.latent_channels,
            num_heads=num_heads,
        )
        plans = {ST_VAE_FOLDER: st_vae, JDIT_FOLDER: jdit}
        with _new_folder(output), _progress(plans) as bar:
            for name, plan in plans.items():
                ...
