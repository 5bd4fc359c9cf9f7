"""The decoder: from a latent back to pixels."""

import itertools
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.st_vae.config import NUM_STAGES, NUM_TIME_STAGES, STVAEConfig
from lavin_dit.st_vae.convolution import CausalConv3d, StreamState, prefer_layout
from lavin_dit.st_vae.encoder import RGB_CHANNELS
from lavin_dit.st_vae.normalisation import LatentNorm
from lavin_dit.st_vae.resampling import Upsample
from lavin_dit.st_vae.residual import MidBlock, ResidualBlock, run_blocks


class UpBlock(nn.Module):
    """Residual blocks at one resolution, then the step to the next higher one, if there is any."""

    def __init__(self, in_channels: int, *, stage: int, config: STVAEConfig) -> None:
        """Create the weights.

        Args:
            in_channels: Channels of the input.
            stage: 0 at the lowest resolution.
            config: The model's numbers.
        """
        super().__init__()
        channels = config.block_out_channels[-1 - stage]
        widths = [in_channels] + [channels] * (config.layers_per_block + 1)
        make_norm = _norm_maker(config)
        self.resnets = nn.ModuleList(
            ResidualBlock(before, after, make_norm=make_norm)
            for before, after in itertools.pairwise(widths)
        )
        if stage < NUM_STAGES - 1:
            doubles_time = stage < NUM_TIME_STAGES
            self.upsamplers = nn.ModuleList([Upsample(channels, doubles_time=doubles_time)])
        else:
            self.upsamplers = nn.ModuleList()

    def forward(
        self,
        features: Float[Tensor, "b c *s y x"],
        latent: Float[Tensor, "b z *n i j"],
        state: StreamState | None = None,
        *,
        recompute: bool = False,
    ) -> Float[Tensor, "b d *t h w"]:
        """Transform a feature map; the arguments are those of `run_blocks`."""
        features = run_blocks(
            self.resnets, features, latent=latent, state=state, recompute=recompute
        )
        for upsample in self.upsamplers:
            features = upsample(features, state)
        return features


class Decoder(nn.Module):
    """Network from a latent, which also modulates every normalisation, to RGB.

    Its input decides the way: a 4-D latent of a picture is convolved in two dimensions throughout,
    a 5-D one in three, even if it has a single frame; the two results agree up to rounding.

    Source:
        Paper, section 3.1.1; details from the released code.
    """

    def __init__(self, config: STVAEConfig) -> None:
        """Create the weights.

        Args:
            config: The model's numbers.
        """
        super().__init__()
        self.gradient_checkpointing = False
        widths = config.block_out_channels[::-1]
        self.conv_in = CausalConv3d(config.latent_channels, widths[0], kernel_size=3)
        self.mid_block = MidBlock(widths[0], make_norm=_norm_maker(config))
        self.up_blocks = nn.ModuleList(
            UpBlock(in_channels, stage=stage, config=config)
            for stage, in_channels in enumerate((widths[0], *widths[:-1]))
        )
        self.norm_out = _norm_maker(config)(widths[-1])
        self.conv_out = CausalConv3d(widths[-1], RGB_CHANNELS, kernel_size=3)

    def forward(
        self, latent: Float[Tensor, "b z *s y x"], state: StreamState | None = None
    ) -> Float[Tensor, "b c *t h w"]:
        """Decode.

        Args:
            latent: Latent as the encoder made it, not normalised.
            state: The stream's memory, read and updated; None for a whole clip or a picture.

        Returns:
            RGB, about in [-1, 1] but not clamped.
        """
        recompute = self.gradient_checkpointing and torch.is_grad_enabled()
        latent = prefer_layout(latent)
        features = self.conv_in(latent, state)
        features = run_blocks(
            self.mid_block.resnets, features, latent=latent, state=state, recompute=recompute
        )
        for block in self.up_blocks:
            features = block(features, latent, state, recompute=recompute)
        return self.conv_out(functional.silu(self.norm_out(features, latent, state)), state)


def _norm_maker(config: STVAEConfig) -> partial[LatentNorm]:
    return partial(
        LatentNorm,
        latent_channels=config.latent_channels,
        groups=config.decoder_norm_groups,
        statistics=config.norm_statistics,
    )
