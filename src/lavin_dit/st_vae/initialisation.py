"""Starting weights of an ST-VAE.

Neither the paper nor the release states them; the choices here are ours.
"""

import math

import torch
from torch import nn

from lavin_dit.st_vae.decoder import Decoder
from lavin_dit.st_vae.encoder import Encoder
from lavin_dit.st_vae.normalisation import GroupNorm, LatentNorm
from lavin_dit.st_vae.residual import ResidualBlock
from lavin_dit.st_vae.transform_start import start_as_transform

INITIAL_LOGVAR = -6.0
"""Log-variance of a fresh encoder, a standard deviation of 0.05: the first reconstructions see the
signal rather than noise, and the divergence term widens the posterior from there."""


@torch.no_grad()
def initialise(
    encoder: Encoder, decoder: Decoder, *, generator: torch.Generator | None = None
) -> None:
    """Draw fresh weights.

    - Convolutions keep the variance of their input: normal, variance 1 / fan-in, biases zero.
    - Of a kernel over time only the tap at the present frame is drawn, the past ones are zero. A
      fresh model so treats a clip frame by frame, as images were, and learns what the past adds.
    - The last convolution of every residual block is zero: the block starts as its shortcut.
    - The decoder's modulations start at scale 1 and shift 0 and don't depend on the latent.
    - The encoder starts as a block transform: `lavin_dit.st_vae.transform_start`.
    - The predicted log-variance starts at -6 everywhere.

    Args:
        encoder: Filled in place.
        decoder: Filled in place.
        generator: Source of the numbers, on the weights' device; torch's default one if None, as
            for torch's own modules.
    """
    for network in (encoder, decoder):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                _draw(module, generator)
            elif isinstance(module, GroupNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
        # Only now, because what follows replaces what the convolutions got above.
        for module in network.modules():
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.conv2.conv.weight)
            elif isinstance(module, LatentNorm):
                nn.init.zeros_(module.conv_y.conv.weight)
                nn.init.zeros_(module.conv_b.conv.weight)
                _fill_bias(module.conv_y.conv, 1.0)
    start_as_transform(encoder)
    moments = encoder.conv_out.conv
    assert moments.bias is not None, "every convolution of the model has a bias"
    num_latent_channels = moments.out_channels // 2
    moments.weight[num_latent_channels:].zero_()
    moments.bias[num_latent_channels:].fill_(INITIAL_LOGVAR)


def _draw(convolution: nn.Conv2d | nn.Conv3d, generator: torch.Generator | None) -> None:
    weight = convolution.weight
    if isinstance(convolution, nn.Conv3d):
        nn.init.zeros_(weight)
        weight = weight[:, :, -1]
    std = 1 / math.sqrt(weight[0].numel())
    nn.init.normal_(weight, std=std, generator=generator)
    _fill_bias(convolution, 0.0)


def _fill_bias(convolution: nn.Conv2d | nn.Conv3d, value: float) -> None:
    assert convolution.bias is not None, "every convolution of the model has a bias"
    nn.init.constant_(convolution.bias, value)
