"""The patch discriminator, the ST-VAE's opponent in training; no checkpoint of ours holds one.

The convention is the package's: 5-D feature maps for clips, 4-D ones for pictures, and a picture is
a clip of one frame. Nothing depends on other samples of a batch, so the result is the same however
a batch is cut up.
"""

import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.st_vae.convolution import CLIP_NDIM, CausalConv3d, prefer_layout, sum_over_time
from lavin_dit.st_vae.encoder import RGB_CHANNELS
from lavin_dit.st_vae.normalisation import GroupNorm

_NEGATIVE_SLOPE = 0.2
_KERNEL = (3, 4, 4)
_LOGIT_STD = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscriminatorConfig:
    """Architecture of a patch discriminator.

    Raises:
        ValueError: If a number is out of its range.
    """

    widths: tuple[int, ...]
    """Channels after each halving of height and width, one or more. (64, 128, 256) judges patches
    of 54 pixels; all halvings but the first halve the frames too."""

    norm_groups: int
    """Groups of the normalisations, which follow every halving but the first; divides the widths
    there."""

    def __post_init__(self) -> None:
        """Refuse numbers with which no network can be built."""
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths {self.widths} must be one or more positive numbers")
        if self.norm_groups < 1 or any(width % self.norm_groups for width in self.widths[1:]):
            raise ValueError(
                f"widths {self.widths} after the first must be multiples of norm_groups "
                f"{self.norm_groups}, which must be positive"
            )


class PatchDiscriminator(nn.Module):
    """Network from pictures or clips to one logit for each patch.

    Convolutions are causal: a frame's logits depend on no later frames, as in the ST-VAE.

    Source:
        Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks"; the paper
        states no architecture. Group normalisation in place of batch normalisation is ours.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        """Create a network with fresh weights (`reset_parameters`).

        Args:
            config: The network's numbers.
        """
        super().__init__()
        self.config = config
        self.halvings = nn.ModuleList(
            _Halving(before, after, halves_time=stage > 0)
            for stage, (before, after) in enumerate(
                itertools.pairwise((RGB_CHANNELS, *config.widths))
            )
        )
        self.norms = nn.ModuleList(
            GroupNorm(width, groups=config.norm_groups, statistics="frame")
            for width in config.widths[1:]
        )
        self.conv_out = CausalConv3d(config.widths[-1], 1, kernel_size=3)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights: variances kept throughout, logits near 0.

        Args:
            generator: Source of the numbers, on the weights' device; torch's default one if None.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                # A picture sees the sum of the taps over time, whose variances add up.
                std = 1 / math.sqrt(module.weight[0].numel())
                nn.init.normal_(module.weight, std=std, generator=generator)
            elif isinstance(module, GroupNorm):
                nn.init.ones_(module.weight)
            bias = getattr(module, "bias", None)
            if isinstance(bias, Tensor):
                nn.init.zeros_(bias)
        self.conv_out.conv.weight.mul_(_LOGIT_STD)

    def forward(self, clip: Float[Tensor, "b 3 t h w"]) -> Float[Tensor, "b 1 s y x"]:
        """Judge clips.

        Args:
            clip: RGB in [-1, 1]; height and width are multiples of 2 to the number of halvings.
                A clip of one frame takes a two-dimensional way with the same result.

        Returns:
            Logits, positive for what looks real.
        """
        is_picture = clip.shape[2] == 1
        features = prefer_layout(clip.squeeze(2) if is_picture else clip)
        for stage, halve in enumerate(self.halvings):
            features = halve(features)
            if stage > 0:
                features = self.norms[stage - 1](features)
            features = functional.leaky_relu(features, _NEGATIVE_SLOPE)
        logits = self.conv_out(features)
        return logits.unsqueeze(2) if is_picture else logits


class _Halving(nn.Module):
    """Causal convolution that halves height and width, and of later stages the frames."""

    def __init__(self, in_channels: int, out_channels: int, *, halves_time: bool) -> None:
        super().__init__()
        self.time_stride = 2 if halves_time else 1
        self.conv = nn.Conv3d(in_channels, out_channels, _KERNEL)

    def forward(self, features: Float[Tensor, "b c *t h w"]) -> Float[Tensor, "b d *s y x"]:
        weight, bias = self.conv.weight, self.conv.bias
        if features.ndim != CLIP_NDIM:
            return functional.conv2d(features, sum_over_time(weight), bias, stride=2, padding=1)
        past = [features[:, :, :1]] * (_KERNEL[0] - 1)
        return functional.conv3d(
            torch.cat([*past, features], dim=2),
            weight,
            bias,
            stride=(self.time_stride, 2, 2),
            padding=(0, 1, 1),
        )
