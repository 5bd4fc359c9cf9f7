"""The encoder: from pixels to the moments of the latent's distribution."""

import itertools
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.st_vae.config import NUM_STAGES, NUM_TIME_STAGES, STVAEConfig
from lavin_dit.st_vae.convolution import CausalConv3d, StreamState, prefer_layout
from lavin_dit.st_vae.normalisation import GroupNorm
from lavin_dit.st_vae.resampling import Downsample
from lavin_dit.st_vae.residual import MidBlock, ResidualBlock, run_blocks

RGB_CHANNELS = 3


class DownBlock(nn.Module):
    """Residual blocks at one resolution, then the step to the next lower one, if there is any."""

    def __init__(self, in_channels: int, *, stage: int, config: STVAEConfig) -> None:
        """Create the weights.

        Args:
            in_channels: Channels of the input.
            stage: 0 at full resolution.
            config: The model's numbers.
        """
        super().__init__()
        channels = config.block_out_channels[stage]
        widths = [in_channels] + [channels] * config.layers_per_block
        make_norm = partial(
            GroupNorm, groups=config.encoder_norm_groups, statistics=config.norm_statistics
        )
        self.resnets = nn.ModuleList(
            ResidualBlock(before, after, make_norm=make_norm)
            for before, after in itertools.pairwise(widths)
        )
        if stage < NUM_STAGES - 1:
            halves_time = stage < NUM_TIME_STAGES
            self.downsamplers = nn.ModuleList([Downsample(channels, halves_time=halves_time)])
        else:
            self.downsamplers = nn.ModuleList()

    def forward(
        self,
        features: Float[Tensor, "b c *t h w"],
        state: StreamState | None = None,
        *,
        recompute: bool = False,
    ) -> Float[Tensor, "b d *s y x"]:
        """Transform a feature map; the arguments are those of `run_blocks`."""
        features = run_blocks(self.resnets, features, state=state, recompute=recompute)
        for downsample in self.downsamplers:
            features = downsample(features)
        return features


class Encoder(nn.Module):
    """Network from a clip or a picture to latent means and log-variances.

    Its input decides the way: a 4-D picture is convolved in two dimensions throughout, a 5-D clip
    in three, even if it has a single frame; the two results agree up to rounding.

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
        widths = config.block_out_channels
        self.conv_in = CausalConv3d(RGB_CHANNELS, widths[0], kernel_size=3)
        self.down_blocks = nn.ModuleList(
            DownBlock(in_channels, stage=stage, config=config)
            for stage, in_channels in enumerate((widths[0], *widths[:-1]))
        )
        make_norm = partial(
            GroupNorm, groups=config.encoder_norm_groups, statistics=config.norm_statistics
        )
        self.mid_block = MidBlock(widths[-1], make_norm=make_norm)
        self.norm_out = make_norm(widths[-1])
        self.conv_out = CausalConv3d(widths[-1], 2 * config.latent_channels, kernel_size=3)

    def forward(
        self, pixels: Float[Tensor, "b c *t h w"], state: StreamState | None = None
    ) -> Float[Tensor, "b m *s y x"]:
        """Encode.

        Args:
            pixels: RGB in [-1, 1], height and width multiples of 8.
            state: The stream's memory, read and updated; None for a whole clip or a picture.

        Returns:
            Means in the first half of the channels, log-variances in the second.
        """
        recompute = self.gradient_checkpointing and torch.is_grad_enabled()
        features = self.conv_in(prefer_layout(pixels), state)
        for block in self.down_blocks:
            features = block(features, state, recompute=recompute)
        features = run_blocks(self.mid_block.resnets, features, state=state, recompute=recompute)
        return self.conv_out(functional.silu(self.norm_out(features)), state)
