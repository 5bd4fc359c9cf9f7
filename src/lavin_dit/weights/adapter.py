"""Adapters on disk: a small change of one J-DiT, in safetensors and JSON.

A folder holds ``adapter.json`` and ``adapter.safetensors``, whose tensors are named as diffusers
names them: ``blocks.0.joint_attn.x_q.lora_A.weight`` and ``lora_B``. The scale is part of
``lora_B``, so that a change is the product of the two.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from lavin_dit.jdit.low_rank import LowRankFactors
from lavin_dit.weights.config import config_from_json, config_to_json
from lavin_dit.weights.files import give_usual_permissions, open_safetensors, read_json

ADAPTER_FILE, ADAPTER_WEIGHTS_FILE = "adapter.json", "adapter.safetensors"
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterConfig:
    """What an adapter belongs to, and how it was trained.

    Raises:
        ValueError: If a number is out of range.
    """

    base: str
    """Fingerprint of the pipeline that it changes."""
    model: str
    """What that pipeline was called; for messages."""
    rank: int
    """Rank of the change of each layer."""
    height: int
    """Height in pixels at which it was trained."""
    width: int
    """Width in pixels at which it was trained."""
    num_pairs: int
    """Pairs that it was trained on."""
    num_steps: int
    """Optimizer steps that it took."""
    validation_loss: float
    """Flow matching loss on the pairs that were held out."""
    base_validation_loss: float
    """The same of the pipeline without it."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("rank", "height", "width", "num_pairs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.num_steps < 0:
            raise ValueError(f"num_steps must not be negative, got {self.num_steps}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A change of a J-DiT.

    Attributes:
        config: What it belongs to.
        factors: Change of each layer, by name.
    """

    config: AdapterConfig
    factors: Mapping[str, LowRankFactors]


def save_adapter(adapter: Adapter, folder: Path) -> None:
    """Save an adapter; an earlier one in the folder is replaced.

    Args:
        adapter: What to save.
        folder: Where to; made if need be.

    Raises:
        OSError: If it can't be written; then no ``adapter.json`` says that there is a whole one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for name, change in adapter.factors.items():
        tensors[name + _DOWN] = change.down.detach().cpu().contiguous()
        tensors[name + _UP] = change.up.detach().cpu().contiguous()
    partial = folder / f".{ADAPTER_WEIGHTS_FILE}.partial"
    marker = folder / f".{ADAPTER_FILE}.partial"
    try:
        save_file(tensors, partial)
        give_usual_permissions(partial)
        text = json.dumps(config_to_json(adapter.config), indent=2) + "\n"
        marker.write_text(text, encoding="utf-8")
        (folder / ADAPTER_FILE).unlink(missing_ok=True)
        partial.replace(folder / ADAPTER_WEIGHTS_FILE)
        marker.replace(folder / ADAPTER_FILE)
    finally:
        partial.unlink(missing_ok=True)
        marker.unlink(missing_ok=True)


def load_adapter_config(folder: Path) -> AdapterConfig:
    """Load what an adapter says about itself.

    Raises:
        FileNotFoundError: If the folder is none or holds no adapter.
        ValueError: If the file is damaged.
    """
    path = folder / ADAPTER_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} is no adapter: it has no {ADAPTER_FILE}; lavin finetune writes one"
        )
    try:
        return config_from_json(AdapterConfig, read_json(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def load_adapter(folder: Path) -> Adapter:
    """Load an adapter, on the CPU in float32.

    Raises:
        FileNotFoundError: If the folder is none or holds no adapter.
        ValueError: If a file is damaged, or weights and configuration contradict each other.
    """
    config = load_adapter_config(folder)
    path = folder / ADAPTER_WEIGHTS_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {ADAPTER_WEIGHTS_FILE}")
    with open_safetensors(path) as file:
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    layers = sorted(name.removesuffix(_DOWN) for name in tensors if name.endswith(_DOWN))
    expected = {name + ending for name in layers for ending in (_DOWN, _UP)}
    if not layers or set(tensors) != expected:
        odd = sorted(set(tensors) ^ expected)[:3]
        raise ValueError(f"{path}: must hold {_DOWN} and {_UP} of each layer; look at {odd}")
    factors = {name: LowRankFactors(tensors[name + _DOWN], tensors[name + _UP]) for name in layers}
    for name, change in factors.items():
        _check(change, rank=config.rank, where=f"{path}: {name}")
    return Adapter(config=config, factors=factors)


def _check(change: LowRankFactors, *, rank: int, where: str) -> None:
    if change.down.shape[0] != rank or change.up.shape[1] != rank:
        raise ValueError(
            f"{where} has factors {tuple(change.up.shape)} and {tuple(change.down.shape)}, but "
            f"{ADAPTER_FILE} says rank {rank}"
        )
    if not all(torch.isfinite(factor).all() for factor in change):
        raise ValueError(f"{where} has values that are not finite")
