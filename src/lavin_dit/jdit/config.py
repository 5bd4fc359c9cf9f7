"""The numbers that define a J-DiT.

A configuration holds architecture only: nothing here depends on a device, a precision or a task.
"""

from dataclasses import dataclass
from typing import Literal

ContextAttention = Literal["joint", "causal"]


def swiglu_hidden_size(hidden_size: int) -> int:
    """Width of the feed-forward layer: 8/3 of the hidden size, rounded down to a multiple of 64.

    Source:
        Not stated in the paper; read off the shapes in the released code.
    """
    return 64 * (8 * hidden_size // 3 // 64)


def default_rope_axes_dim(head_dim: int) -> tuple[int, int, int]:
    """Share the head dimensions between time, row and column.

    Time takes ``2 * floor(head_dim / 6)``; row and column share the rest as evenly as pairs allow.

    Raises:
        ValueError: If the head size is odd or below 6.

    Source:
        Ours (decision 0005): the released rule of three equal parts needs a multiple of 6, which
        the paper's own 0.1B and 1.0B (64) are not. At 72 both rules give 24/24/24.
    """
    if head_dim < 6 or head_dim % 2:
        raise ValueError(f"head_dim {head_dim} must be even and at least 6 to rotate three axes")
    time = 2 * (head_dim // 6)
    row = 2 * -(-(head_dim - time) // 4)
    return time, row, head_dim - time - row


@dataclass(frozen=True, slots=True, kw_only=True)
class JDiTConfig:
    """Architecture of a J-DiT.

    Raises:
        ValueError: If the numbers contradict each other; the message names the values.

    Source:
        Paper table 3; fields that it leaves open are in ``docs/paper_map.md``.
    """

    latent_channels: int
    """Channels of the ST-VAE's latent."""
    patch_size: int
    """Side of the square patch of latent cells that makes a token."""
    hidden_size: int
    """Width of both residual streams."""
    num_layers: int
    """Number of transformer blocks."""
    num_heads: int
    """Number of query heads."""
    num_kv_heads: int
    """Number of key-value heads; each serves ``num_heads / num_kv_heads`` query heads. The paper's
    "K.V. groups 4" is that quotient."""
    mlp_hidden_size: int
    """Width of the SwiGLU feed-forward layers; see `swiglu_hidden_size`."""
    rope_axes_dim: tuple[int, int, int]
    """Head dimensions that encode time, row and column; each even, their sum the head size."""
    sandwich_norm: bool
    """Whether a second RMS norm follows each sublayer, before its gate."""
    drop_path: float
    """Probability of dropping a sublayer in the last block, rising linearly from 0 in the first."""
    context_attention: ContextAttention
    """``joint``: condition tokens see the noisy target and the timestep (the paper). ``causal``:
    they see only their own clip and earlier ones, so they are computed once (decision 0003)."""
    rope_patch_step: float = 1.0
    """Distance of neighbouring patches in rotary positions; 1 in the release. Weights that were
    learned with larger patches keep their distances in latent cells with a smaller step
    (decision 0026)."""

    def __post_init__(self) -> None:
        """Check that the numbers fit together."""
        for name in ("latent_channels", "patch_size", "hidden_size", "num_layers", "num_heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} must be divisible by num_heads {self.num_heads}"
            )
        if self.num_kv_heads < 1 or self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} must be a multiple of num_kv_heads {self.num_kv_heads}"
            )
        self._check_positions()
        if self.mlp_hidden_size < 1:
            raise ValueError(f"mlp_hidden_size must be at least 1, got {self.mlp_hidden_size}")
        if not 0.0 <= self.drop_path < 1.0:
            raise ValueError(f"drop_path must lie in [0, 1), got {self.drop_path}")
        if self.context_attention not in ("joint", "causal"):
            raise ValueError(
                f"context_attention must be 'joint' or 'causal', got {self.context_attention!r}"
            )

    def _check_positions(self) -> None:
        if sum(self.rope_axes_dim) != self.head_dim:
            raise ValueError(
                f"rope_axes_dim {self.rope_axes_dim} must sum to head_dim {self.head_dim}"
            )
        if any(dim < 2 or dim % 2 for dim in self.rope_axes_dim):
            raise ValueError(f"rope_axes_dim {self.rope_axes_dim} must be even and at least 2 each")
        if not 0.0 < self.rope_patch_step < float("inf"):
            raise ValueError(
                f"rope_patch_step must be positive and finite, got {self.rope_patch_step}"
            )

    @property
    def head_dim(self) -> int:
        """Size of one attention head."""
        return self.hidden_size // self.num_heads

    @property
    def patch_dim(self) -> int:
        """Number of latent values in one token."""
        return self.patch_size**2 * self.latent_channels
