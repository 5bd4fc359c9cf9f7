"""A whole pipeline on disk: both networks and how they are meant to be used.

The folder holds ``pipeline.json``, ``st_vae/`` and ``jdit/``.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.model import JDiT
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.weights.config import config_from_json, config_to_json
from lavin_dit.weights.defaults import PipelineDefaults
from lavin_dit.weights.files import read_json
from lavin_dit.weights.shards import DEFAULT_MAX_SHARD_BYTES, ShardWriter
from lavin_dit.weights.store import load_config, load_model

PIPELINE_FILE = "pipeline.json"
ST_VAE_FOLDER = "st_vae"
JDIT_FOLDER = "jdit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a folder holds."""

    st_vae: STVAE
    jdit: JDiT
    defaults: PipelineDefaults


def save_checkpoint(
    directory: Path,
    *,
    st_vae: STVAE,
    jdit: JDiT,
    defaults: PipelineDefaults,
    max_shard_bytes: int | None = None,
) -> Path:
    """Save a pipeline.

    If writing fails, the earlier pipeline of the folder stays, or, where one of its networks has
    been replaced already, ``pipeline.json`` is missing: two networks that don't belong together
    never load.

    Args:
        directory: Where to; made if need be, earlier files of a pipeline there are replaced.
        st_vae: The autoencoder.
        jdit: The velocity network.
        defaults: How they are meant to be used.
        max_shard_bytes: Size of a weights file from which a new one is begun.

    Returns:
        The folder.

    Raises:
        OSError: If it can't be written.
    """
    limit = DEFAULT_MAX_SHARD_BYTES if max_shard_bytes is None else max_shard_bytes
    marker = directory / PIPELINE_FILE
    earlier = marker.read_bytes() if marker.is_file() else None
    with ShardWriter(
        directory / ST_VAE_FOLDER, config=st_vae.config, max_shard_bytes=limit
    ) as st_vae_writer:
        _add_all(st_vae_writer, st_vae)
        try:
            with ShardWriter(
                directory / JDIT_FOLDER, config=jdit.config, max_shard_bytes=limit
            ) as jdit_writer:
                _add_all(jdit_writer, jdit)
                marker.unlink(missing_ok=True)
        except BaseException:
            # Neither network has been replaced.
            if earlier is not None:
                marker.write_bytes(earlier)
            raise
    save_defaults(directory, defaults)
    return directory


def save_defaults(directory: Path, defaults: PipelineDefaults) -> None:
    """Write ``pipeline.json``, which marks a folder as a whole pipeline; so it comes last."""
    text = json.dumps(config_to_json(defaults), indent=2) + "\n"
    partial = directory / f".{PIPELINE_FILE}.partial"
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(directory / PIPELINE_FILE)
    finally:
        partial.unlink(missing_ok=True)


def load_checkpoint(
    directory: Path, *, dtype: torch.dtype | None, device: torch.device | str
) -> Checkpoint:
    """Load a pipeline.

    Args:
        directory: Folder that `save_checkpoint` or ``lavin convert`` wrote.
        dtype: Precision of the networks; that of their files if None.
        device: Where to load them to.

    Raises:
        FileNotFoundError: If the folder or a part of it is missing.
        ValueError: If a part is damaged, or belongs to another architecture.
    """
    path = directory / PIPELINE_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{directory} is no saved pipeline: it has no {PIPELINE_FILE}")
    try:
        defaults = config_from_json(PipelineDefaults, read_json(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Checkpoint(
        st_vae=load_model(
            STVAE, STVAEConfig, directory / ST_VAE_FOLDER, dtype=dtype, device=device
        ),
        jdit=load_model(JDiT, JDiTConfig, directory / JDIT_FOLDER, dtype=dtype, device=device),
        defaults=defaults,
    )


def load_configs(directory: Path) -> tuple[JDiTConfig, STVAEConfig]:
    """Load the architecture of both networks of a saved pipeline, without their weights.

    Raises:
        FileNotFoundError: If a configuration is missing.
        ValueError: If one is damaged.
    """
    return (
        load_config(JDiTConfig, directory / JDIT_FOLDER),
        load_config(STVAEConfig, directory / ST_VAE_FOLDER),
    )


def _add_all(writer: ShardWriter, network: nn.Module) -> None:
    for name, tensor in network.state_dict().items():
        writer.add(name, tensor)
