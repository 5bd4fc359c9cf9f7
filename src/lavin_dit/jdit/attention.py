"""Full-sequence attention of two streams with grouped queries.

`attention` is the only place where queries meet keys, but for `lavin_dit.jdit.dense_attention`.
Whatever restricts who sees whom does so by choosing which keys to hand it, so there is no mask.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.normalisation import rms_norm
from lavin_dit.jdit.rope import RotaryTable, rotate

Stream = Literal["cond", "x"]


class KeyValue(NamedTuple):
    """Rotated keys and values of consecutive tokens in one block."""

    keys: Float[Tensor, "b n kv_heads head_dim"]
    values: Float[Tensor, "b n kv_heads head_dim"]

    def slice_tokens(self, stop: int) -> "KeyValue":
        """Return those of the first ``stop`` tokens."""
        return KeyValue(self.keys[:, :stop], self.values[:, :stop])

    def followed_by(self, other: "KeyValue") -> "KeyValue":
        """Append another run of tokens; the smaller batch serves the larger one over and over."""
        batch = max(self.keys.shape[0], other.keys.shape[0])
        joined = [
            torch.cat([_over_and_over(a, batch), _over_and_over(b, batch)], dim=1)
            for a, b in zip(self, other, strict=True)
        ]
        return KeyValue(*joined)


def _over_and_over(
    part: Float[Tensor, "b n kv_heads head_dim"], batch: int
) -> Float[Tensor, "batch n kv_heads head_dim"]:
    """Repeat a batch until it is as long as another, which is a multiple of it."""
    if part.shape[0] == 1:
        return part.expand(batch, -1, -1, -1)  # without a copy
    return part if part.shape[0] == batch else part.repeat(batch // part.shape[0], 1, 1, 1)


@cache
def _flash_attention_installed() -> bool:
    return find_spec("flash_attn") is not None


def attention(
    queries: Float[Tensor, "b n heads head_dim"], context: KeyValue
) -> Float[Tensor, "b n heads head_dim"]:
    """Let every query see every key.

    Consecutive query heads share a key-value head, here 8 heads in 2 groups::

        query heads   0 1 2 3 | 4 5 6 7
        kv heads         0    |    1

    FlashAttention computes it where that package is installed and the tensors are 16-bit on a CUDA
    device; torch's own kernels do elsewhere. Scores are scaled by ``head_dim ** -0.5``.

    Source:
        Paper section 3.1.2 (full-sequence joint attention, grouped queries).
    """
    keys, values = (part.expand(queries.shape[0], -1, -1, -1) for part in context)
    sixteen_bit = queries.dtype in (torch.float16, torch.bfloat16)
    if queries.is_cuda and sixteen_bit and _flash_attention_installed():
        return import_module("flash_attn").flash_attn_func(queries, keys, values)
    if sixteen_bit and queries.device.type == "cpu":
        return _attention_in_float32(queries, KeyValue(keys, values))
    if not (sixteen_bit or queries.device.type == "cpu"):
        # Accelerators have no fused float32 kernel for grouped heads, and torch's fallback holds
        # every score at once: repeating the heads keeps a fused kernel in play.
        repeats = queries.shape[2] // keys.shape[2]
        keys, values = (part.repeat_interleave(repeats, dim=2) for part in (keys, values))
    out = scaled_dot_product_attention(
        queries.transpose(1, 2),
        keys.transpose(1, 2),
        values.transpose(1, 2),
        enable_gqa=keys.shape[2] != queries.shape[2],
    )
    return out.transpose(1, 2)


def _attention_in_float32(
    queries: Float[Tensor, "b n heads head_dim"], context: KeyValue
) -> Float[Tensor, "b n heads head_dim"]:
    """Attention of 16-bit tensors on a CPU, whose own kernel has a backward pass 3 times as slow.

    Autocast would turn everything back to 16 bits, so it is off.
    """
    with torch.autocast("cpu", enabled=False):
        exact = attention(queries.float(), KeyValue(context.keys.float(), context.values.float()))
    return exact.to(queries.dtype)


class JointAttention(nn.Module):
    """Projections of the condition (``cond``) and target (``x``) streams into one attention.

    Each stream has its own weights. Queries and keys are RMS-normalised over their full projected
    width, all heads together, before they are split into heads and rotated; values are not.

    Source:
        Paper section 3.1.2; norm width and parameter names are the released code's.
    """

    def __init__(self, config: JDiTConfig) -> None:
        """Create both streams' projections."""
        super().__init__()
        self.config = config
        width, kv_width = config.hidden_size, config.num_kv_heads * config.head_dim
        for stream in ("cond", "x"):
            self.add_module(f"{stream}_q", nn.Linear(width, width, bias=False))
            self.add_module(f"{stream}_k", nn.Linear(width, kv_width, bias=False))
            self.add_module(f"{stream}_v", nn.Linear(width, kv_width, bias=False))
            self.add_module(f"{stream}_qnorm", nn.RMSNorm(width))
            self.add_module(f"{stream}_knorm", nn.RMSNorm(kv_width))
            self.add_module(f"{stream}_proj", nn.Linear(width, width, bias=False))

    def queries(
        self, stream: Stream, hidden: Float[Tensor, "b n d"], table: RotaryTable
    ) -> Float[Tensor, "b n heads head_dim"]:
        """Project, normalise and rotate one stream's queries."""
        projected = getattr(self, f"{stream}_q")(hidden)
        return self._rotated(projected, getattr(self, f"{stream}_qnorm").weight, table)

    def keys_values(
        self, stream: Stream, hidden: Float[Tensor, "b n d"], table: RotaryTable
    ) -> KeyValue:
        """Project one stream's keys and values; keys are normalised and rotated."""
        projected = getattr(self, f"{stream}_k")(hidden)
        values = getattr(self, f"{stream}_v")(hidden)
        return KeyValue(
            self._rotated(projected, getattr(self, f"{stream}_knorm").weight, table),
            values.unflatten(-1, (-1, self.config.head_dim)),
        )

    def project_out(
        self, stream: Stream, heads: Float[Tensor, "b n heads head_dim"]
    ) -> Float[Tensor, "b n d"]:
        """Join one stream's heads and project them back to the residual width."""
        return getattr(self, f"{stream}_proj")(heads.flatten(-2))

    def _rotated(
        self,
        projected: Float[Tensor, "b n width"],
        weight: Float[Tensor, " width"],
        table: RotaryTable,
    ) -> Float[Tensor, "b n heads head_dim"]:
        heads = rms_norm(projected, weight).unflatten(-1, (-1, self.config.head_dim))
        return rotate(heads, table, axes_dim=self.config.rope_axes_dim)
