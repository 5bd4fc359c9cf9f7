"""Untrained networks of a stated size."""

import torch

from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import JDIT_PRESETS
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.presets import ST_VAE_PRESETS


def fresh_networks(jdit: str, *, st_vae: str, seed: int) -> tuple[STVAE, JDiT]:
    """Build both networks with weights drawn from a seed.

    Args:
        jdit: Name in ``JDIT_PRESETS``.
        st_vae: Name in ``ST_VAE_PRESETS``.
        seed: What the weights are drawn from.

    Raises:
        ValueError: If a name is unknown.
    """
    for kind, name, presets in (("J-DiT", jdit, JDIT_PRESETS), ("ST-VAE", st_vae, ST_VAE_PRESETS)):
        if name not in presets:
            raise ValueError(f"unknown {kind} preset {name!r}; there are {', '.join(presets)}")
    generator = torch.Generator().manual_seed(seed)
    autoencoder, network = STVAE(ST_VAE_PRESETS[st_vae]), JDiT(JDIT_PRESETS[jdit])
    autoencoder.reset_parameters(generator)
    network.reset_parameters(generator)
    return autoencoder, network
