"""The residual block that encoder and decoder are made of, and the middle block of both."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from lavin_dit.st_vae.convolution import CLIP_NDIM, CausalConv3d, StreamState, convolve_clip

NUM_MID_BLOCKS = 2


class ResidualBlock(nn.Module):
    """Twice normalisation, SiLU and causal convolution, added to the input.

    Source:
        Released code. There is no time embedding, no dropout and no attention.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, make_norm: Callable[[int], nn.Module]
    ) -> None:
        """Create the weights.

        Args:
            in_channels: Channels of the input.
            out_channels: Channels of the output; where they differ, the input is projected.
            make_norm: Makes the normalisation for a number of channels.
        """
        super().__init__()
        self.norm1 = make_norm(in_channels)
        self.conv1 = CausalConv3d(in_channels, out_channels, kernel_size=3)
        self.norm2 = make_norm(out_channels)
        self.conv2 = CausalConv3d(out_channels, out_channels, kernel_size=3)
        # A plain Conv3d, unlike the others: the released code has it without a wrapper.
        self.conv_shortcut = (
            nn.Conv3d(in_channels, out_channels, 1) if in_channels != out_channels else None
        )

    def forward(
        self,
        features: Float[Tensor, "b c *t h w"],
        latent: Float[Tensor, "b z *s y x"] | None = None,
        state: StreamState | None = None,
    ) -> Float[Tensor, "b d *t h w"]:
        """Transform a feature map.

        Args:
            features: Feature map.
            latent: What the normalisations are modulated with, in the decoder only.
            state: The stream's memory; None for a whole clip or a picture.
        """
        hidden = _normalise(self.norm1, features, latent, state)
        hidden = self.conv1(functional.silu(hidden), state)
        hidden = _normalise(self.norm2, hidden, latent, state)
        hidden = self.conv2(functional.silu(hidden), state)
        return self._shortcut(features) + hidden

    def _shortcut(self, features: Tensor) -> Tensor:
        if self.conv_shortcut is None:
            return features
        weight, bias = self.conv_shortcut.weight, self.conv_shortcut.bias
        if features.ndim != CLIP_NDIM:
            return functional.conv2d(features, weight.squeeze(2), bias)
        return convolve_clip(features, weight, bias, border=0)


class MidBlock(nn.Module):
    """Residual blocks at the lowest resolution."""

    def __init__(self, channels: int, *, make_norm: Callable[[int], nn.Module]) -> None:
        """Create the weights.

        Args:
            channels: Channels of input and output.
            make_norm: Makes the normalisation for a number of channels.
        """
        super().__init__()
        self.resnets = nn.ModuleList(
            ResidualBlock(channels, channels, make_norm=make_norm) for _ in range(NUM_MID_BLOCKS)
        )


def run_blocks(
    blocks: nn.ModuleList,
    features: Float[Tensor, "b c *t h w"],
    *,
    latent: Float[Tensor, "b z *s y x"] | None = None,
    state: StreamState | None = None,
    recompute: bool,
) -> Float[Tensor, "b d *t h w"]:
    """Run residual blocks one after another.

    Args:
        blocks: Instances of `ResidualBlock`.
        features: Input of the first block.
        latent: What the normalisations are modulated with, in the decoder only.
        state: The stream's memory; None for a whole clip or a picture.
        recompute: Whether a block's intermediates are computed again in the backward pass instead
            of being kept. Gradients are the same; time is traded for memory.
    """
    for block in blocks:
        if recompute:
            features = checkpoint(block, features, latent, state, use_reentrant=False)
        else:
            features = block(features, latent, state)
    return features


def _normalise(
    norm: nn.Module, features: Tensor, latent: Tensor | None, state: StreamState | None
) -> Tensor:
    return norm(features) if latent is None else norm(features, latent, state)
