"""How the timestep and the stream's role reach the blocks (AdaRN).

One embedding of the timestep serves both streams; a learned type vector per stream is added to it.
Each block turns the sum into a scale and a gate for its attention and for its feed-forward layer.
There is no shift, and gates pass through tanh.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

NUM_FREQUENCIES = 128
MAX_PERIOD = 10000.0


class TimestepEmbedding(nn.Module):
    """Sinusoids of the timestep through a two-layer MLP.

    Source:
        Not stated in the paper; the released code's: 128 frequencies, cosines first, the
        timestep unscaled.
    """

    def __init__(self, hidden_size: int) -> None:
        """Create the layers for the given width."""
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(2 * NUM_FREQUENCIES, hidden_size),
            nn.SiLU(),
            nn.Linear(hidden_size, hidden_size),
        )

    def forward(self, timestep: Float[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """Embed timesteps in [0, 1], 0 being noise."""
        exponent = torch.arange(NUM_FREQUENCIES, device=timestep.device, dtype=torch.float32)
        frequency = torch.exp(-math.log(MAX_PERIOD) * exponent / NUM_FREQUENCIES)
        angle = timestep.float()[:, None] * frequency
        sinusoids = torch.cat([angle.cos(), angle.sin()], dim=-1)
        return self.mlp(sinusoids.to(next(self.mlp.parameters()).dtype))


class Modulation(NamedTuple):
    """What the time vector does to one stream in one block; gates lie in (-1, 1).

    One for the whole stream, or one for each of ``g`` equally long runs of tokens.
    """

    attention_scale: Float[Tensor, "b g d"]
    attention_gate: Float[Tensor, "b g d"]
    mlp_scale: Float[Tensor, "b g d"]
    mlp_gate: Float[Tensor, "b g d"]


def modulation(layer: nn.Module, time_vector: Float[Tensor, "b *g d"]) -> Modulation:
    """Compute one stream's scales and gates in one block.

    Args:
        layer: SiLU and a linear layer of four times the width.
        time_vector: Timestep embedding plus type vector: of the stream, or of each of its runs.

    Source:
        Paper section 3.1.2 (AdaRN); four chunks in this order and tanh are the release's.
    """
    chunks = by_run(layer(time_vector)).chunk(4, dim=-1)
    return Modulation(chunks[0], chunks[1].tanh(), chunks[2], chunks[3].tanh())


def modulate(
    hidden: Float[Tensor, "b n d"], scale: Float[Tensor, "b g d"]
) -> Float[Tensor, "b n d"]:
    """Scale normalised activations by ``1 + scale``."""
    return times_run(hidden, 1 + scale)


def times_run(
    hidden: Float[Tensor, "b n d"], factor: Float[Tensor, "b g d"]
) -> Float[Tensor, "b n d"]:
    """Multiply each of ``g`` equally long runs of tokens by its own factor."""
    if factor.shape[1] == 1:
        return hidden * factor
    runs = hidden.unflatten(1, (factor.shape[1], -1))  # (b, g, n / g, d)
    return (runs * factor[:, :, None]).flatten(1, 2)


def by_run(vector: Float[Tensor, "b *g d"]) -> Float[Tensor, "b g d"]:
    """Give a vector that serves a whole stream the axis of runs, of length 1."""
    return vector[:, None] if vector.ndim == 2 else vector
