"""An autoregressive decoder of Llama's shapes, which writes a picture token by token.

Keys and values lie in buffers of a fixed length, so that writing one token is the same work on the
same memory each time. On a CUDA device it is recorded as a CUDA graph and replayed, without which
launching its thousand small kernels would take longer than they do. It computes what Transformers'
``LlamaForCausalLM`` does with the same weights, under the same names.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from lavin_dit.jdit.normalisation import RMS_EPS
from replay import Replayed, replayed_or_eager

ROPE_BASE = 10000.0
# One query meets all keys: cut into so many runs, they occupy the whole device.
RUNS = 16
# Without cuDNN's, which is prepared anew for every number of keys.
KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderShapes:
    """The numbers of a decoder."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    inner: int
    """Width of the feed-forward layers."""


class Norm(nn.Module):
    """RMS norm with a weight."""

    def __init__(self, width: int) -> None:
        """Create the weight."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, hidden: Tensor) -> Tensor:
        """Divide by the root mean square, and scale."""
        return rms_norm(hidden, self.weight.shape, self.weight, RMS_EPS)


class Layer(nn.Module):
    """Causal attention and a SwiGLU feed-forward layer, each behind a norm."""

    def __init__(self, shapes: DecoderShapes) -> None:
        """Create the projections; there is no room for keys and values yet."""
        super().__init__()
        width, self.heads = shapes.hidden, shapes.heads
        self.self_attn, self.mlp = nn.Module(), nn.Module()
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            self.self_attn.add_module(name, nn.Linear(width, width, bias=False))
        for name in ("gate_proj", "up_proj"):
            self.mlp.add_module(name, nn.Linear(width, shapes.inner, bias=False))
        self.mlp.add_module("down_proj", nn.Linear(shapes.inner, width, bias=False))
        self.input_layernorm = Norm(width)
        self.post_attention_layernorm = Norm(width)
        self.keys = self.values = torch.empty(0)

    def forward(
        self, hidden: Tensor, places: Tensor, turns: tuple[Tensor, Tensor], *, seen: int | None
    ) -> Tensor:
        """Run new tokens, which see themselves and what the buffers hold before them.

        Args:
            hidden: ``1 n d``; a prompt's, or one token's.
            places: Indices of the tokens, consecutive; a prompt's begin with 0.
            turns: Cosines and sines of their rotations.
            seen: As in `Decoder.forward`.
        """
        normed = self.input_layernorm(hidden)
        queries, keys, values = (
            getattr(self.self_attn, name)(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        queries, keys = _rotate(queries, turns), _rotate(keys, turns)
        self.keys.index_copy_(2, places, keys)
        self.values.index_copy_(2, places, values)
        if hidden.shape[1] > 1:
            heads = scaled_dot_product_attention(queries, keys, values, is_causal=True)
        elif seen is not None:
            heads = scaled_dot_product_attention(
                queries, self.keys[:, :, :seen], self.values[:, :, :seen]
            )
        else:
            heads = _attention_of_one(queries, self.keys, self.values, places)
        hidden = hidden + self.self_attn.o_proj(heads.transpose(1, 2).flatten(2))
        normed = self.post_attention_layernorm(hidden)
        return hidden + self.mlp.down_proj(
            silu(self.mlp.gate_proj(normed)) * self.mlp.up_proj(normed)
        )


class Decoder(nn.Module):
    """The decoder, and a greedy writer."""

    def __init__(self, shapes: DecoderShapes) -> None:
        """Create all layers."""
        super().__init__()
        self.shapes = shapes
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(shapes.vocabulary, shapes.hidden)
        self.model.layers = nn.ModuleList([Layer(shapes) for _ in range(shapes.layers)])
        self.model.norm = Norm(shapes.hidden)
        self.lm_head = nn.Linear(shapes.hidden, shapes.vocabulary, bias=False)

    def forward(self, tokens: Tensor, places: Tensor, *, seen: int | None = None) -> Tensor:
        """The likeliest token behind these, ``1 1``.

        Args:
            tokens: ``1 n``; a prompt, or one token behind what was read before.
            places: Indices of the tokens.
            seen: For one token, how many it sees, itself included. If None its place alone tells,
                by a mask, so that the work is the same for every place.
        """
        return self.logits(tokens, places, seen=seen).argmax(dim=-1, keepdim=True)

    def logits(self, tokens: Tensor, places: Tensor, *, seen: int | None = None) -> Tensor:
        """As `forward`: logits of the token that follows, ``1 vocabulary``."""
        hidden = self.model.embed_tokens(tokens)
        turns = _turns(places, self.shapes.hidden // self.shapes.heads, hidden.dtype)
        for layer in self.model.layers:
            hidden = layer(hidden, places, turns, seen=seen)
        return self.lm_head(self.model.norm(hidden[:, -1]))

    def make_room(self, length: int) -> None:
        """Make buffers for the keys and values of so many tokens; the old ones are let go first."""
        weight = self.lm_head.weight
        for layer in self.model.layers:
            layer.keys = layer.values = torch.empty(0)
        # All of a buffer is read for each token, so it is no longer than it must be.
        length = -(-length // RUNS) * RUNS
        room = (1, self.shapes.heads, length, self.shapes.hidden // self.shapes.heads)
        for layer in self.model.layers:
            layer.keys, layer.values = weight.new_zeros(room), weight.new_zeros(room)

    def recorded(self) -> Replayed[Tensor] | None:
        """The step of one token as a CUDA graph, None where that can't be had."""
        device = self.lm_head.weight.device
        token = torch.zeros(1, 1, dtype=torch.int64, device=device)
        return replayed_or_eager(self, token, torch.zeros_like(token[0]))

    def write(self, prompt: Tensor, count: int, *, step: Replayed[Tensor] | None = None) -> Tensor:
        """Read a prompt and write tokens one after another, the likeliest each time.

        Args:
            prompt: ``1 n``.
            count: How many.
            step: From `recorded`; every kernel is launched anew if None.
        """
        start = prompt.shape[1]
        places = torch.arange(start + count, device=prompt.device)
        with sdpa_kernel(KERNELS):
            token = self(prompt, places[:start])
            written = [token]
            for place in range(start, start + count - 1):
                here = places[place : place + 1]
                if step is None:
                    token = self(token, here, seen=place + 1)
                else:
                    token = step(token, here).clone()
                written.append(token)
        return torch.cat(written, dim=1)


def _turns(places: Tensor, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions, ``n width``."""
    exponent = torch.arange(0, width, 2, device=places.device, dtype=torch.float32) / width
    angle = places.float()[:, None] * ROPE_BASE**-exponent
    angle = torch.cat([angle, angle], dim=-1)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def _rotate(heads: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    first, second = heads.chunk(2, dim=-1)
    return heads * turns[0] + torch.cat([-second, first], dim=-1) * turns[1]


def _attention_of_one(queries: Tensor, keys: Tensor, values: Tensor, place: Tensor) -> Tensor:
    """Attention of one query with the buffers up to its place, ``1 heads 1 head_dim``.

    Torch's fused kernels take a mask only at the price of reading all keys of a head with a single
    multiprocessor, so products of matrices do it, the second in `RUNS` runs side by side.
    """
    scores = queries * queries.shape[-1] ** -0.5 @ keys.transpose(-1, -2)
    later = torch.arange(keys.shape[2], device=keys.device) > place
    shares = scores.masked_fill(later, -torch.inf).softmax(dim=-1)
    runs = shares.unflatten(-1, (RUNS, -1)).transpose(2, 3) @ values.unflatten(2, (RUNS, -1))
    return runs.sum(dim=2)
