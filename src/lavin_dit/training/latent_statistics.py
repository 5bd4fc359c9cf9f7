"""Mean and scale of an autoencoder's latents, measured on the pictures that it was trained on."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import UInt8

from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.training.batches import pixels_to_network


@torch.no_grad()
def measured_statistics(
    st_vae: STVAE, clips: Iterable[UInt8[np.ndarray, "n t h w 3"]]
) -> STVAEConfig:
    """Measure the latents' mean and standard deviation, channel by channel.

    Args:
        st_vae: The autoencoder.
        clips: Batches of clips like those that will be encoded, painted annotations among them.

    Returns:
        Its configuration with statistics such that normalised latents have mean 0 and deviation 1
        in each channel.

    Raises:
        ValueError: If there are no clips.

    Source:
        Ours (decision 0006): the release has one mean and one scale for all channels.
    """
    like = next(st_vae.parameters())
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for batch in clips:
        latent = st_vae.encode(pixels_to_network(batch, like=like)).mode().double().cpu()
        values = latent.transpose(0, 1).flatten(1)  # (c, n s y x)
        count += values.shape[1]
        total = total + values.sum(dim=1)
        squares = squares + values.square().sum(dim=1)
    if not count:
        raise ValueError("no clips to measure the latents of")
    mean = total / count
    deviation = (squares / count - mean.square()).clamp_min(1e-8).sqrt()
    return replace(
        st_vae.config,
        latent_mean=tuple(round(value, 6) for value in mean.tolist()),
        latent_scale=tuple(round(1 / value, 6) for value in deviation.tolist()),
    )
