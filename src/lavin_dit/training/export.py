"""Weights for use: the average of a run, in safetensors of a bounded size."""

from pathlib import Path

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from lavin_dit.jdit.model import JDiT
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.weights.checkpoint import save_checkpoint
from lavin_dit.weights.defaults import PipelineDefaults
from lavin_dit.weights.store import save_model

MAX_SHARD_BYTES = 16 * 2**20
"""Largest file of an export."""


def whole_copy(network: nn.Module, *, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Weights of a network, gathered from all processes, on the CPU; all call it together."""
    state: dict[str, torch.Tensor] = {}
    for name, tensor in network.state_dict().items():
        whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        state[name] = whole.detach().to(device="cpu", dtype=dtype)
    return state


def export_jdit(
    folder: Path,
    *,
    state: dict[str, torch.Tensor],
    like: JDiT,
    st_vae: STVAE,
    defaults: PipelineDefaults,
) -> None:
    """Write a whole pipeline: this J-DiT and the autoencoder whose latents it learned.

    Args:
        folder: Where to; an earlier export there is replaced.
        state: From `whole_copy`, with the averaged weights in the network.
        like: A network of the architecture.
        st_vae: The autoencoder.
        defaults: How both are meant to be used.

    Raises:
        OSError: If it can't be written; an earlier export stays.
    """
    with torch.device("meta"):
        jdit = JDiT(like.config)
    jdit.load_state_dict(state, assign=True)
    dtype = next(iter(state.values())).dtype
    with torch.device("meta"):
        autoencoder = STVAE(st_vae.config)
    autoencoder.load_state_dict(whole_copy(st_vae, dtype=dtype), assign=True)
    save_checkpoint(
        folder,
        st_vae=autoencoder,
        jdit=jdit,
        defaults=defaults,
        max_shard_bytes=MAX_SHARD_BYTES,
    )


def export_st_vae(folder: Path, *, state: dict[str, torch.Tensor], like: STVAE) -> None:
    """Write an autoencoder.

    Args:
        folder: Where to; an earlier export there is replaced.
        state: From `whole_copy`, with the averaged weights in the network.
        like: A network with the configuration to be saved, statistics of its latents included.

    Raises:
        OSError: If it can't be written; an earlier export stays.
    """
    with torch.device("meta"):
        network = STVAE(like.config)
    network.load_state_dict(state, assign=True)
    save_model(network, like.config, folder, max_shard_bytes=MAX_SHARD_BYTES)
