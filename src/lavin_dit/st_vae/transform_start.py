"""A fresh encoder that is a block transform, so that its latents tell of the picture at once.

With random weights throughout, hardly anything of a picture survives three halvings, and training
spends its first thousand steps on getting a signal through. Here the linear way through a fresh
encoder, whose residual blocks are shortcuts, carries the principal components of 8x8 blocks, much
as JPEG's cosines do. They are those of a model of natural pictures, not of any data.
"""

import itertools
import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from lavin_dit.st_vae.encoder import RGB_CHANNELS, DownBlock, Encoder
from lavin_dit.st_vae.resampling import Downsample
from lavin_dit.st_vae.residual import ResidualBlock

_CORRELATIONS = (0.95, 0.945)
"""Of neighbours along a column and along a row. They differ so that no two components tie, whose
mixture would then be up to the machine's rounding."""

_COLOUR_CORRELATION = 0.9
_VARIANCE = 0.25
_CONSTANT = 3.0
"""Much against the signals' 1, so that what a norm divides by hangs little on the picture."""


@torch.no_grad()
def start_as_transform(encoder: Encoder) -> None:
    """Set the linear way through an encoder whose residual blocks are shortcuts.

    The last stage holds every component together with its negative, since
    ``silu(x) - silu(-x) = x``, and in each group of the last norm a pair of constants. Latents
    start with means 0 and variances about 1, in the order of what the components tell. What the
    transform has no use for keeps its weights: further channels, the residual blocks, the
    log-variances.

    Args:
        encoder: Fresh weights, changed in place. One whose last norm has fewer than four channels
            in a group has no room for constants, and stays as it is.

    Source:
        Ours. Components of a Markov field are close to cosines: Ahmed, Natarajan and Rao,
        "Discrete Cosine Transform".
    """
    stages = [_Stage(block) for block in encoder.down_blocks]
    num_groups = encoder.norm_out.groups
    num_pairs = stages[-1].width // num_groups // 2 - 1
    if num_pairs < 1 or stages[0].width < RGB_CHANNELS:
        return
    basis = torch.eye(RGB_CHANNELS, dtype=torch.float64)[..., None, None]
    _set_at_present(encoder.conv_in.conv, torch.eye(RGB_CHANNELS))
    for stage, following in itertools.pairwise(stages[:-1]):
        basis, mixing, _ = _halve(basis, limit=min(stage.width, following.width))
        _set_blocks(stage.halving, mixing)
        if following.shortcut is not None:
            _set_at_present(following.shortcut, torch.eye(len(basis)))
    moments = encoder.conv_out.conv
    # No more than are read: in natural pictures the others would sway the norm for nothing.
    limit = min(stages[-2].width, num_groups * num_pairs, moments.out_channels // 2)
    _, mixing, deviations = _halve(basis, limit=limit)
    places, scale = _set_pairs(
        stages[-2].halving,
        stages[-1],
        mixing / deviations.view(-1, 1, 1, 1),
        num_groups=num_groups,
    )
    reading = torch.zeros(len(places), stages[-1].width)
    latents = torch.arange(len(places))
    reading[latents, places], reading[latents, places + 1] = scale, -scale
    _set_at_present(moments, reading)


class _Stage:
    """What the linear way takes of one resolution of the encoder."""

    def __init__(self, block: nn.Module) -> None:
        assert isinstance(block, DownBlock), "an encoder is made of such blocks"
        first = block.resnets[0]
        assert isinstance(first, ResidualBlock), "a stage begins with a residual block"
        self.width = first.conv2.conv.out_channels
        self.shortcut = first.conv_shortcut
        self._downsamplers = block.downsamplers

    @property
    def halving(self) -> nn.Conv2d:
        """The convolution that halves; the last stage has none."""
        (downsample,) = self._downsamplers
        assert isinstance(downsample, Downsample), "a stage ends with such a step"
        return downsample.conv


def _halve(
    basis: Float[Tensor, "n 3 p p"], *, limit: int
) -> tuple[Float[Tensor, "m 3 q q"], Float[Tensor, "m n 2 2"], Float[Tensor, " m"]]:
    """Principal components of blocks twice as large, out of functions of the smaller blocks.

    Returns:
        At most ``limit`` components from the largest variance on, how they are mixed of the
        functions in the four small blocks, and their standard deviations.
    """
    number, side = len(basis), basis.shape[-1]
    placed = basis.new_zeros(number, 2, 2, RGB_CHANNELS, 2, side, 2, side)
    for row, column in itertools.product((0, 1), repeat=2):
        placed[:, row, column, :, row, :, column] = basis
    candidates = placed.reshape(4 * number, -1)
    variances, vectors = torch.linalg.eigh(candidates @ _covariance(2 * side) @ candidates.T)
    mixing = vectors.flip(1)[:, :limit].T
    # The sign of an eigenvector is the machine's choice: the largest share is made positive.
    mixing = mixing * mixing.gather(1, mixing.abs().argmax(dim=1, keepdim=True)).sign()
    components = rearrange(mixing @ candidates, "m (c y x) -> m c y x", c=RGB_CHANNELS, y=2 * side)
    deviations = variances.flip(0)[: len(mixing)].sqrt()
    return components, mixing.reshape(-1, number, 2, 2), deviations


def _covariance(side: int) -> Float[Tensor, "d d"]:
    """Covariance of the values of a block of natural pictures, by a Markov model."""
    places = torch.arange(side, dtype=torch.float64)
    distances = (places - places[:, None]).abs()
    down, across = (correlation**distances for correlation in _CORRELATIONS)
    colours = torch.full((RGB_CHANNELS, RGB_CHANNELS), _COLOUR_CORRELATION, dtype=torch.float64)
    colours.fill_diagonal_(1.0)
    return _VARIANCE * torch.kron(colours, torch.kron(down, across))


def _set_pairs(
    halving: nn.Conv2d, stage: _Stage, mixing: Float[Tensor, "m n 2 2"], *, num_groups: int
) -> tuple[Tensor, float]:
    """Let the last stage hold components, their negatives behind them, and constants.

    Returns:
        The channels of the components, and what its norm divides them by.
    """
    size = stage.width // num_groups
    components = torch.arange(len(mixing))
    # Dealt out to the groups, so that each holds strong ones and weak ones.
    places = components % num_groups * size + 2 + components // num_groups * 2
    pairs, constants = mixing.new_zeros(stage.width, len(mixing)), mixing.new_zeros(stage.width)
    pairs[places, components], pairs[places + 1, components] = 1.0, -1.0
    constants[::size], constants[1::size] = _CONSTANT, -_CONSTANT
    if stage.shortcut is None:
        carrier = halving
        _set_blocks(halving, torch.einsum("om,mnyx->onyx", pairs, mixing))
    else:
        carrier = stage.shortcut
        _set_blocks(halving, mixing)
        _set_at_present(stage.shortcut, pairs)
    assert carrier.bias is not None, "every convolution of the model has a bias"
    carrier.bias.copy_(constants)
    num_pairs = len(mixing) / num_groups  # on average, of variance 1
    return places, math.sqrt(2 * (_CONSTANT**2 + num_pairs) / size)


def _set_at_present(convolution: nn.Conv3d, matrix: Float[Tensor, "m n"]) -> None:
    """Let the first channels be a matrix of the first ones before, position by position."""
    num_out, num_in = matrix.shape
    centre = convolution.kernel_size[-1] // 2
    convolution.weight[:num_out] = 0.0
    convolution.weight[:num_out, :num_in, -1, centre, centre] = matrix.to(convolution.weight)


def _set_blocks(convolution: nn.Conv2d, mixing: Float[Tensor, "m n 2 2"]) -> None:
    """Let the first channels be mixtures of the four positions that become one."""
    num_out, num_in = mixing.shape[:2]
    convolution.weight[:num_out] = 0.0
    convolution.weight[:num_out, :num_in, :2, :2] = mixing.to(convolution.weight)
