"""One transformer block: both streams, with their own weights and one attention between them."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from lavin_dit.jdit.attention import JointAttention, KeyValue, Stream, attention
from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.dense_attention import DenseMasks, dense_attention
from lavin_dit.jdit.modulation import Modulation, modulate, modulation, times_run
from lavin_dit.jdit.normalisation import rms_norm
from lavin_dit.jdit.rope import RotaryTable

# Attention and feed-forward branch of the condition, then of the target.
NUM_DROP_PATH_BRANCHES = 4


class TokenStream(NamedTuple):
    """One stream on its way through the blocks."""

    hidden: Float[Tensor, "b n d"]
    """Residual stream."""
    time_vector: Float[Tensor, "b *g d"]
    """Type vector, plus the timestep embedding where the stream carries one; one for the whole
    stream, or one for each of ``g`` targets of equal length."""
    table: RotaryTable
    """Positions of the tokens."""


class SwiGLU(nn.Module):
    """Feed-forward layer ``down(silu(gate(u)) * up(u))``, without biases.

    Source:
        Not stated in the paper; the released code's.
    """

    def __init__(self, config: JDiTConfig) -> None:
        """Create the three projections."""
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.mlp_hidden_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.mlp_hidden_size, bias=False)
        self.down_proj = nn.Linear(config.mlp_hidden_size, config.hidden_size, bias=False)

    def forward(self, hidden: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Map every token by itself."""
        return self.down_proj(silu(self.gate_proj(hidden)) * self.up_proj(hidden))


class BlockOutput(NamedTuple):
    """What a block hands on."""

    condition: TokenStream | None
    """Updated condition, or as it came in if it was not to be updated."""
    target: TokenStream | None
    """Updated target."""
    seen: KeyValue | None
    """Keys and values of the past and the new condition tokens together."""


class JDiTBlock(nn.Module):
    """Joint attention and feed-forward layers of both streams.

    Everything goes through `forward`, so that hooks, compilation and sharding see every call.

    Source:
        Paper section 3.1.2 and figure 2c; causal context is ours (decision 0003).
    """

    def __init__(self, config: JDiTConfig) -> None:
        """Create both streams' layers."""
        super().__init__()
        self.sandwich_norm = config.sandwich_norm
        self.joint_attn = JointAttention(config)
        self.cond_mlp = SwiGLU(config)
        self.x_mlp = SwiGLU(config)
        width = config.hidden_size
        self.cond_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 4 * width))
        self.x_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 4 * width))

    def forward(  # noqa: PLR0913 - who sees whom, all by keyword
        self,
        condition: TokenStream | None,
        target: TokenStream | None,
        past: KeyValue | None = None,
        *,
        clip_tokens: tuple[int, ...] | None = None,
        target_views: tuple[int, ...] | None = None,
        dense_masks: DenseMasks | None = None,
        branch_scale: Float[Tensor, "4 b"] | None = None,
        update_condition: bool = True,
    ) -> BlockOutput:
        """Run the block on the streams that are given.

        Args:
            condition: Context pairs and query, or those of them that are not in ``past``.
            target: Noisy target; it sees everything.
            past: Keys and values of earlier condition tokens; causal context only.
            clip_tokens: None for joint context: condition tokens see everything. For causal
                context, the number of tokens of each clip of ``condition``: a clip sees itself and
                all condition tokens before it.
            target_views: None for one target, which sees everything. For several targets of equal
                length in one stream, how many tokens of past and condition each of them sees
                besides itself; no target sees another.
            dense_masks: What ``clip_tokens`` and ``target_views`` say, where both streams and no
                past are given, as masks: attention is then one call. None cuts it clip by clip.
            branch_scale: Drop path: 0 or ``1 / (1 - rate)`` per sublayer and sample.
            update_condition: Whether the condition stream is wanted afterwards. After the last
                block it is not, which saves most of its work there.
        """
        seen, own = past, None
        scales: dict[Stream, Modulation] = {}
        queries: dict[Stream, Tensor] = {}
        heads: dict[Stream, Tensor] = {}
        if condition is not None:
            scales["cond"] = modulation(self.cond_modulation, condition.time_vector)
            hidden = modulate(rms_norm(condition.hidden), scales["cond"].attention_scale)
            new = self.joint_attn.keys_values("cond", hidden, condition.table)
            seen = new if past is None else past.followed_by(new)
            if update_condition:
                queries["cond"] = self.joint_attn.queries("cond", hidden, condition.table)
        if target is not None:
            scales["x"] = modulation(self.x_modulation, target.time_vector)
            hidden = modulate(rms_norm(target.hidden), scales["x"].attention_scale)
            own = self.joint_attn.keys_values("x", hidden, target.table)
            queries["x"] = self.joint_attn.queries("x", hidden, target.table)
        if dense_masks is not None:
            heads = _attention_by_mask(queries, seen, own, dense_masks)
        else:
            heads = _attention_by_part(queries, seen, own, clip_tokens, target_views)
        if target is not None:
            target = self._finish("x", target, heads["x"], scales["x"], branch_scale)
        if condition is not None and update_condition:
            condition = self._finish("cond", condition, heads["cond"], scales["cond"], branch_scale)
        return BlockOutput(condition, target, seen)

    def _finish(
        self,
        name: Stream,
        stream: TokenStream,
        heads: Float[Tensor, "b n heads head_dim"],
        scales: Modulation,
        branch_scale: Float[Tensor, "4 b"] | None,
    ) -> TokenStream:
        """Add the gated attention output, then the gated feed-forward output."""
        first_branch = 0 if name == "cond" else 2
        attended = self.joint_attn.project_out(name, heads)
        hidden = stream.hidden + self._gated(
            attended, scales.attention_gate, branch_scale, first_branch
        )
        mlp = self.cond_mlp if name == "cond" else self.x_mlp
        fed = mlp(modulate(rms_norm(hidden), scales.mlp_scale))
        hidden = hidden + self._gated(fed, scales.mlp_gate, branch_scale, first_branch + 1)
        # Spelled out: torch 2.11 compiles `_replace` of a tuple to one that lacks its other fields.
        return TokenStream(hidden, stream.time_vector, stream.table)

    def _gated(
        self,
        branch: Float[Tensor, "b n d"],
        gate: Float[Tensor, "b g d"],
        branch_scale: Float[Tensor, "4 b"] | None,
        index: int,
    ) -> Float[Tensor, "b n d"]:
        if self.sandwich_norm:
            branch = rms_norm(branch)
        if branch_scale is not None:
            gate = gate * branch_scale[index].to(gate.dtype)[:, None, None]
        return times_run(branch, gate)


def _attention_by_part(
    queries: dict[Stream, Tensor],
    seen: KeyValue | None,
    own: KeyValue | None,
    clip_tokens: tuple[int, ...] | None,
    target_views: tuple[int, ...] | None,
) -> dict[Stream, Tensor]:
    """Attention of each stream, cut so that all queries of a call see the same keys."""
    heads: dict[Stream, Tensor] = {}
    everything = seen
    if own is not None and target_views is None:
        everything = own if seen is None else seen.followed_by(own)
        heads["x"] = attention(queries["x"], everything)
    elif own is not None:
        assert seen is not None, "several targets are supervised by what comes before them"
        assert target_views is not None, "several targets have a view each"
        heads["x"] = _attention_by_target(queries["x"], own, seen, target_views)
    if "cond" in queries:
        assert seen is not None, "a condition has keys"
        assert everything is not None, "a condition has keys"
        if clip_tokens is None:
            heads["cond"] = attention(queries["cond"], everything)
        else:
            heads["cond"] = _attention_by_clip(queries["cond"], seen, clip_tokens)
    return heads


def _attention_by_mask(
    queries: dict[Stream, Tensor], seen: KeyValue | None, own: KeyValue | None, masks: DenseMasks
) -> dict[Stream, Tensor]:
    """Attention of both streams, or of the targets alone, in one call."""
    assert seen is not None, "masks are for both streams together"
    assert own is not None, "masks are for both streams together"
    everything = seen.followed_by(own)
    if "cond" not in queries:
        return {"x": dense_attention(queries["x"], everything, masks.target_queries)}
    joined = torch.cat([queries["cond"], queries["x"]], dim=1)
    heads = dense_attention(joined, everything, masks.all_queries)
    num_condition = queries["cond"].shape[1]
    return {"cond": heads[:, :num_condition], "x": heads[:, num_condition:]}


def _attention_by_clip(
    queries: Float[Tensor, "b n heads head_dim"], seen: KeyValue, clip_tokens: tuple[int, ...]
) -> Float[Tensor, "b n heads head_dim"]:
    """Let the tokens of each clip see their own clip and everything before it."""
    num_past = seen.keys.shape[1] - queries.shape[1]
    heads: list[Tensor] = []
    start = 0
    for length in clip_tokens:
        stop = start + length
        heads.append(attention(queries[:, start:stop], seen.slice_tokens(num_past + stop)))
        start = stop
    return torch.cat(heads, dim=1)


def _attention_by_target(
    queries: Float[Tensor, "b n heads head_dim"],
    own: KeyValue,
    seen: KeyValue,
    views: tuple[int, ...],
) -> Float[Tensor, "b n heads head_dim"]:
    """Let each of several targets see the condition tokens before its place, and itself."""
    length = queries.shape[1] // len(views)
    heads: list[Tensor] = []
    for index, view in enumerate(views):
        run = slice(index * length, (index + 1) * length)
        itself = KeyValue(own.keys[:, run], own.values[:, run])
        heads.append(attention(queries[:, run], seen.slice_tokens(view).followed_by(itself)))
    return torch.cat(heads, dim=1)
