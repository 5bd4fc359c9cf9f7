"""One transformer block: both streams, with their own weights and one attention between them."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from lavin_dit.jdit.attention import JointAttention, KeyValue, Stream, attention
from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.modulation import Modulation, modulate, modulation
from lavin_dit.jdit.normalisation import rms_norm
from lavin_dit.jdit.rope import RotaryTable

# Attention and feed-forward branch of the condition, then of the target.
NUM_DROP_PATH_BRANCHES = 4


class TokenStream(NamedTuple):
    """One stream on its way through the blocks."""

    hidden: Float[Tensor, "b n d"]
    """Residual stream."""
    time_vector: Float[Tensor, "b d"]
    """Type vector, plus the timestep embedding where the stream carries one."""
    table: RotaryTable
    """Positions of the tokens."""


class SwiGLU(nn.Module):
    """Feed-forward layer ``down(silu(gate(u)) * up(u))``, without biases.

    Source:
        Not stated in the paper; the released checkpoint's.
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


class JDiTBlock(nn.Module):
    """Joint attention and feed-forward layers of both streams.

    The two context settings differ in what `forward` and its halves `forward_condition` and
    `forward_target` let each stream see; the weights and the arithmetic are the same.

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

    def forward(
        self,
        condition: TokenStream,
        target: TokenStream,
        *,
        branch_scale: Float[Tensor, "4 b"] | None = None,
        update_condition: bool = True,
    ) -> tuple[TokenStream, TokenStream]:
        """Run the block with joint context: every token sees every token.

        Args:
            condition: Context pairs and query.
            target: Noisy target.
            branch_scale: Drop path: 0 or ``1 / (1 - rate)`` per sublayer and sample.
            update_condition: Whether the condition stream is wanted afterwards. After the last
                block it is not, which saves most of its work there.

        Returns:
            Both streams; the condition unchanged if it was not to be updated.
        """
        condition_modulation = modulation(self.cond_modulation, condition.time_vector)
        target_modulation = modulation(self.x_modulation, target.time_vector)
        condition_in = modulate(rms_norm(condition.hidden), condition_modulation.attention_scale)
        target_in = modulate(rms_norm(target.hidden), target_modulation.attention_scale)

        attn = self.joint_attn
        everything = attn.keys_values("cond", condition_in, condition.table).followed_by(
            attn.keys_values("x", target_in, target.table)
        )
        target_heads = attention(attn.queries("x", target_in, target.table), everything)
        updated_target = self._finish("x", target, target_heads, target_modulation, branch_scale)
        if not update_condition:
            return condition, updated_target
        heads = attention(attn.queries("cond", condition_in, condition.table), everything)
        return (
            self._finish("cond", condition, heads, condition_modulation, branch_scale),
            updated_target,
        )

    def forward_condition(
        self,
        condition: TokenStream,
        past: KeyValue | None,
        *,
        clip_tokens: tuple[int, ...],
        branch_scale: Float[Tensor, "4 b"] | None = None,
        update_condition: bool = True,
    ) -> tuple[TokenStream, KeyValue]:
        """Run the condition's half with causal context.

        Args:
            condition: New condition tokens, clip after clip.
            past: Keys and values of the clips before them, if any.
            clip_tokens: Number of tokens of each new clip; a clip sees itself and all before it.
            branch_scale: As in `forward`.
            update_condition: As in `forward`.

        Returns:
            The stream, and the keys and values of the past and new clips together.
        """
        scales = modulation(self.cond_modulation, condition.time_vector)
        hidden = modulate(rms_norm(condition.hidden), scales.attention_scale)
        seen = self.joint_attn.keys_values("cond", hidden, condition.table)
        if past is not None:
            seen = past.followed_by(seen)
        if not update_condition:
            return condition, seen
        queries = self.joint_attn.queries("cond", hidden, condition.table)
        num_past = seen.keys.shape[1] - hidden.shape[1]
        heads: list[Tensor] = []
        start = 0
        for length in clip_tokens:
            stop = start + length
            heads.append(attention(queries[:, start:stop], seen.slice_tokens(num_past + stop)))
            start = stop
        joined = heads[0] if len(heads) == 1 else torch.cat(heads, dim=1)
        return self._finish("cond", condition, joined, scales, branch_scale), seen

    def forward_target(
        self,
        target: TokenStream,
        condition: KeyValue,
        *,
        branch_scale: Float[Tensor, "4 b"] | None = None,
    ) -> TokenStream:
        """Run the target's half with causal context: the target sees everything.

        Args:
            target: Noisy target.
            condition: Keys and values of the condition in this block.
            branch_scale: As in `forward`.
        """
        scales = modulation(self.x_modulation, target.time_vector)
        hidden = modulate(rms_norm(target.hidden), scales.attention_scale)
        everything = condition.followed_by(self.joint_attn.keys_values("x", hidden, target.table))
        heads = attention(self.joint_attn.queries("x", hidden, target.table), everything)
        return self._finish("x", target, heads, scales, branch_scale)

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
        return stream._replace(hidden=hidden)

    def _gated(
        self,
        branch: Float[Tensor, "b n d"],
        gate: Float[Tensor, "b 1 d"],
        branch_scale: Float[Tensor, "4 b"] | None,
        index: int,
    ) -> Float[Tensor, "b n d"]:
        if self.sandwich_norm:
            branch = rms_norm(branch)
        if branch_scale is not None:
            gate = gate * branch_scale[index].to(gate.dtype)[:, None, None]
        return gate * branch
