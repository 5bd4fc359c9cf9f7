"""Group normalisation, plain in the encoder and modulated by the latent in the decoder.

Which frames share their statistics is a setting (`STVAEConfig.norm_statistics`): it alone decides
whether the model as a whole is causal. Mean and variance are accumulated in float32 also for
16-bit feature maps, inside torch's kernel.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.st_vae.convolution import (
    CLIP_NDIM,
    CausalConv3d,
    StreamState,
    begins_clip,
    per_frame,
)

NORM_EPS = 1e-6


class GroupNorm(nn.Module):
    """Group normalisation with a weight and a bias for each channel.

    Source:
        Pooling over the clip is the released computation. Pooling over one frame is ours: the
        paper's claim that no frame depends on later ones holds for the released convolutions only.
    """

    def __init__(self, channels: int, *, groups: int, statistics: Literal["clip", "frame"]) -> None:
        """Create the weights: ones and zeros.

        Args:
            channels: Channels of the feature map, a multiple of ``groups``.
            groups: Groups of channels that share their statistics.
            statistics: Whether the frames of a clip share them too.
        """
        super().__init__()
        self.groups = groups
        self.statistics = statistics
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Float[Tensor, "b c *t h w"]) -> Float[Tensor, "b c *t h w"]:
        """Normalise a picture or a clip."""
        if self.statistics == "frame":
            return per_frame(self._normalise, features)
        return self._normalise(features)

    def _normalise(self, features: Tensor) -> Tensor:
        return functional.group_norm(features, self.groups, self.weight, self.bias, NORM_EPS)


class LatentNorm(nn.Module):
    """Group normalisation whose scale and shift are read from the latent, position by position.

    ``GroupNorm(features) * conv_y(latent) + conv_b(latent)`` with the latent enlarged to the
    feature map. The two convolutions look at single positions and enlarging repeats positions, so
    they commute: they run on the small latent, and their results are broadcast over the positions
    that a latent position covers.

    Source:
        Released code (the paper names no normalisation); the order of the operations is ours.
    """

    def __init__(
        self,
        channels: int,
        *,
        latent_channels: int,
        groups: int,
        statistics: Literal["clip", "frame"],
    ) -> None:
        """Create the weights.

        Args:
            channels: Channels of the feature map, a multiple of ``groups``.
            latent_channels: Channels of the latent.
            groups: Groups of channels that share their statistics.
            statistics: Whether the frames of a clip share them too.
        """
        super().__init__()
        self.norm_layer = GroupNorm(channels, groups=groups, statistics=statistics)
        self.conv_y = CausalConv3d(latent_channels, channels, kernel_size=1)
        self.conv_b = CausalConv3d(latent_channels, channels, kernel_size=1)

    def forward(
        self,
        features: Float[Tensor, "b c *t h w"],
        latent: Float[Tensor, "b z *s y x"],
        state: StreamState | None = None,
    ) -> Float[Tensor, "b c *t h w"]:
        """Normalise and modulate.

        Args:
            features: Feature map, 1, 2, 4 or 8 times as high and wide as the latent.
            latent: The latent that is being decoded.
            state: The stream's memory, or None: tells whether the chunk begins the clip.
        """
        normalised = self.norm_layer(features)
        factor = features.shape[-1] // latent.shape[-1]
        scale, shift = self.conv_y(latent), self.conv_b(latent)
        if features.ndim == CLIP_NDIM:
            num_frames, first_apart = features.shape[2], begins_clip(state)
            scale = repeat_frames(scale, num_frames, first_apart=first_apart)
            shift = repeat_frames(shift, num_frames, first_apart=first_apart)
        if factor == 1:
            return torch.addcmul(shift, normalised, scale)
        cells = normalised.unflatten(-1, (-1, factor)).unflatten(-3, (-1, factor))
        cells = torch.addcmul(_as_cells(shift), cells, _as_cells(scale))
        return cells.flatten(-4, -3).flatten(-2, -1)  # (b, c, *t, h, w)


def repeat_frames(
    features: Float[Tensor, "b c s h w"], num_frames: int, *, first_apart: bool
) -> Float[Tensor, "b c t h w"]:
    """Repeat the frames of a clip until there are ``num_frames``, each equally often.

    Args:
        features: Feature map with s frames.
        num_frames: Frames wanted: ``(s - 1) * n + 1`` with the first frame apart, else ``s * n``.
        first_apart: Whether the first frame begins the clip, where it stands for one frame only.
    """
    if features.shape[2] == num_frames:
        return features
    if not first_apart:
        return features.repeat_interleave(num_frames // features.shape[2], dim=2)
    first, others = features[:, :, :1], features[:, :, 1:]
    repeats = (num_frames - 1) // others.shape[2]
    return torch.cat([first, others.repeat_interleave(repeats, dim=2)], dim=2)


def _as_cells(
    small: Float[Tensor, "b c *t y x"],
) -> Float[Tensor, "b c *t y 1 x 1"]:
    """Give each position of a small map two axes over which it is broadcast."""
    return small.unsqueeze(-2).unsqueeze(-1)
