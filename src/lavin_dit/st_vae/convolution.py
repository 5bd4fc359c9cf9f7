"""Convolution over space and, causally, over time.

The convention of every module in this package: a feature map is 5-D, ``b c t h w``, for a clip and
4-D, ``b c h w``, for a picture, written ``b c *t h w``. A picture is a clip of one frame without a
past, for which a causal convolution that repeats the first frame is a plain 2-D one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

CLIP_NDIM = 5
"""Axes of a clip's feature map; a picture's has one less."""

_LARGEST_OF_SLOW_KERNEL = 20_480  # channels x frames x height, as torch 2.11 to 2.13 decides


@dataclass(slots=True, eq=False)
class StreamState:
    """What one stream remembers between two chunks of a clip.

    The state belongs to the stream and is handed to the modules, which keep nothing themselves:
    any number of streams can run over one model. Keys are the convolutions, by identity.

    Source:
        Ours; the paper and the release process a clip at once.
    """

    tails: "dict[CausalConv3d, Tensor]" = field(default_factory=dict)
    """For each convolution over time its last input frames, two for a kernel of three."""

    has_past: bool = False
    """Whether a chunk went through already, so that the next one does not begin the clip."""


def begins_clip(state: StreamState | None) -> bool:
    """Tell whether the first frame at hand is the first frame of the clip.

    Args:
        state: The stream's memory; None where a whole clip is processed at once.
    """
    return state is None or not state.has_past


def prefer_layout(features: Float[Tensor, "b c *t h w"]) -> Float[Tensor, "b c *t h w"]:
    """Put channels last in memory where that is faster; the values and the axes stay.

    On a CPU this makes narrow convolutions up to six times faster, and splitting or merging frames
    costs nothing. On CUDA, group normalisation would undo it at each layer.
    """
    if features.device.type != "cpu":
        return features
    is_clip = features.ndim == CLIP_NDIM
    return features.contiguous(
        memory_format=torch.channels_last_3d if is_clip else torch.channels_last
    )


def per_frame(
    function: Callable[[Tensor], Tensor], features: Float[Tensor, "b c *t h w"]
) -> Float[Tensor, "b d *t y x"]:
    """Apply a function of pictures to a picture, or to each frame of a clip as if it were one."""
    if features.ndim != CLIP_NDIM:
        return function(features)
    frames = function(rearrange(features, "b c t h w -> (b t) c h w"))
    return rearrange(frames, "(b t) c h w -> b c t h w", b=features.shape[0])


class CausalConv3d(nn.Module):
    """Convolution whose output at a frame depends on this frame and the ones before it.

    In time the first frame is repeated in front, ``kernel_size - 1`` times; in space the borders
    are padded with zeros. Height, width and the number of frames stay.

    A picture takes a shorter way: all taps of the kernel would see the same frame, so their sum is
    convolved in two dimensions. This is exact up to rounding and a third of the work. The sum is
    taken at every call, so that it follows the weights during training; it is memory-bound and
    costs little beside the convolution (``benchmarks/st_vae_image_path.py``).

    Source:
        Paper, section 3.1.1 (causal 3-D convolution, padding at the start); repeated instead of
        zero frames as in the released code; the picture's way is ours.
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel_size: int) -> None:
        """Create the weights.

        Args:
            in_channels: Channels of the input.
            out_channels: Channels of the output.
            kernel_size: Extent in time, height and width: 3 or 1.
        """
        super().__init__()
        self.kernel_size = kernel_size
        self.conv = nn.Conv3d(in_channels, out_channels, kernel_size)

    def forward(
        self, features: Float[Tensor, "b c *t h w"], state: StreamState | None = None
    ) -> Float[Tensor, "b d *t h w"]:
        """Convolve a picture, a clip, or the next chunk of a stream.

        Args:
            features: Feature map.
            state: The stream's memory, read and updated; None for a whole clip or a picture.
        """
        weight, bias, border = self.conv.weight, self.conv.bias, self.kernel_size // 2
        if features.ndim != CLIP_NDIM:
            assert state is None, "a chunk of a stream is a clip, even if it has one frame"
            return functional.conv2d(features, sum_over_time(weight), bias, padding=border)
        if self.kernel_size > 1:
            features = self._prepend_past(features, state)
        return convolve_clip(features, weight, bias, border=border)

    def _prepend_past(self, features: Tensor, state: StreamState | None) -> Tensor:
        num_past = self.kernel_size - 1
        if state is None or not state.has_past:
            past = [features[:, :, :1]] * num_past
        else:
            past = [state.tails[self]]
        features = torch.cat([*past, features], dim=2)
        if state is not None:
            # A copy: a view would keep the whole chunk in memory until the next one.
            state.tails[self] = features[:, :, -num_past:].clone()
        return features


def convolve_clip(
    features: Float[Tensor, "b c t h w"],
    weight: Float[Tensor, "d c time row column"],
    bias: Float[Tensor, " d"] | None,
    *,
    border: int,
) -> Float[Tensor, "b d s h w"]:
    """Convolve clips in three dimensions, without padding in time: s frames are left.

    For one small clip on a CPU, torch takes a kernel that is several times as slow as the one it
    takes for two or for a larger one. There the frames under the taps are laid side by side as
    channels and convolved as pictures: the same products, up to rounding.

    Args:
        features: Feature map.
        weight: Kernel.
        bias: Added to each channel, or None.
        border: Zeros on each side in height and width.

    Source:
        Ours; measured by ``benchmarks/st_vae_single_clip.py``.
    """
    is_small = features.shape[0] == 1 and features[..., 0].numel() <= _LARGEST_OF_SLOW_KERNEL
    if not is_small or features.device.type != "cpu" or features.dtype != torch.float32:
        return functional.conv3d(features, weight, bias, padding=(0, border, border))
    num_taps = weight.shape[2]
    num_frames = features.shape[2] - num_taps + 1
    frames = rearrange(features, "1 c t h w -> t c h w")
    taps = [frames[tap : tap + num_frames] for tap in range(num_taps)]
    pictures = torch.cat(taps, dim=1) if num_taps > 1 else frames
    kernel = rearrange(weight, "d c time row column -> d (time c) row column")
    convolved = functional.conv2d(pictures, kernel, bias, padding=border)
    return rearrange(convolved, "t d h w -> 1 d t h w")


def sum_over_time(
    weight: Float[Tensor, "out in time row column"],
) -> Float[Tensor, "out in row column"]:
    """Add up a kernel's taps; pairwise additions are more than twice as fast as a reduction."""
    first, *others = weight.unbind(2)
    for tap in others:
        first = first + tap
    return first
