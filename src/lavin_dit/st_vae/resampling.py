"""Halving and doubling of resolution and frame rate.

The convention: the first frame of a clip stands apart. It is neither averaged with its successor
on the way down nor doubled on the way up, so 1 + 4k frames make 1 + k latent frames and back.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.st_vae.convolution import CLIP_NDIM, StreamState, begins_clip, per_frame
from lavin_dit.st_vae.normalisation import repeat_frames


class Downsample(nn.Module):
    """Halve height and width by a 2-D convolution, and optionally the frames by averaging pairs.

    With an odd number of frames the first one stays and the others are paired. With an even number
    the pairing begins at the first frame: this is what a later chunk of a stream needs, whose
    first frame is not the clip's, and what the released code does with any clip.

    Source:
        Released code; the paper (section 3.1.1) speaks of 3-D convolutions here.
    """

    def __init__(self, channels: int, *, halves_time: bool) -> None:
        """Create the weights.

        Args:
            channels: Channels of input and output.
            halves_time: Whether pairs of frames are averaged.
        """
        super().__init__()
        self.halves_time = halves_time
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, features: Float[Tensor, "b c *t h w"]) -> Float[Tensor, "b c *s y x"]:
        """Halve a feature map whose height and width are even."""
        if self.halves_time and features.ndim == CLIP_NDIM:
            features = _average_pairs(features)
        # The release pads on one side only, so that output positions sit on even input positions.
        return per_frame(self.conv, functional.pad(features, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Double height and width, and optionally the frames, by repetition; then a 2-D convolution.

    Source:
        Released code; the paper (section 3.1.1) speaks of 3-D deconvolutions here.
    """

    def __init__(self, channels: int, *, doubles_time: bool) -> None:
        """Create the weights.

        Args:
            channels: Channels of input and output.
            doubles_time: Whether every frame but the clip's first becomes two.
        """
        super().__init__()
        self.doubles_time = doubles_time
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(
        self, features: Float[Tensor, "b c *s y x"], state: StreamState | None = None
    ) -> Float[Tensor, "b c *t h w"]:
        """Double a feature map.

        Args:
            features: Feature map.
            state: The stream's memory, or None: tells whether the chunk begins the clip.
        """
        upsampled = per_frame(self._enlarge_and_convolve, features)
        if not self.doubles_time or features.ndim != CLIP_NDIM:
            return upsampled
        # Frames are repeated after the convolution, which treats equal frames equally.
        first_apart = begins_clip(state)
        num_frames = 2 * features.shape[2] - int(first_apart)
        return repeat_frames(upsampled, num_frames, first_apart=first_apart)

    def _enlarge_and_convolve(self, frames: Float[Tensor, "n c y x"]) -> Float[Tensor, "n c h w"]:
        return self.conv(functional.interpolate(frames, scale_factor=2.0, mode="nearest"))


def _average_pairs(features: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c s h w"]:
    num_apart = features.shape[2] % 2
    pairs = features[:, :, num_apart:].unflatten(2, (-1, 2))
    averaged = pairs.mean(dim=3)
    return torch.cat([features[:, :, :1], averaged], dim=2) if num_apart else averaged
