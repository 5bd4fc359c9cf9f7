"""What the condition leaves behind in a model with causal context.

Condition tokens see neither the noisy target nor the timestep, so their keys and values are the
same at every sampling step and for every query that follows them. A cache holds them, block by
block, for the clips seen so far.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lavin_dit.jdit.attention import KeyValue


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextCache:
    """Keys and values of condition clips in every block; immutable, extending makes a new one.

    Raises:
        ValueError: If a block's tokens do not fill the stated frames.
    """

    blocks: tuple[KeyValue, ...]
    """One entry per block; keys are already rotated to their absolute positions."""
    num_frames: int
    """Latent frames held; the next clip continues at this index."""
    rows: int
    """Patch rows of a frame."""
    cols: int
    """Patch columns of a frame."""

    def __post_init__(self) -> None:
        """Check that every block holds the stated number of tokens."""
        expected = self.num_frames * self.rows * self.cols
        for index, block in enumerate(self.blocks):
            if block.keys.shape[1] != expected or block.values.shape != block.keys.shape:
                raise ValueError(
                    f"block {index} holds keys {tuple(block.keys.shape)} and values "
                    f"{tuple(block.values.shape)}, expected {expected} tokens: {self.num_frames} "
                    f"frames of {self.rows}x{self.cols} patches"
                )

    @property
    def num_bytes(self) -> int:
        """Memory that the keys and values take."""
        return sum(part.nbytes for block in self.blocks for part in block)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "ContextCache":
        """Return a copy on another device or in another precision."""
        blocks = tuple(
            KeyValue(*(part.to(device=device, dtype=dtype) for part in block))
            for block in self.blocks
        )
        return replace(self, blocks=blocks)

    def to_tensors(self) -> dict[str, Float[Tensor, "b n kv_heads head_dim"]]:
        """Name every tensor, for a safetensors file."""
        return {
            f"{kind}.{index}": part.contiguous()
            for index, block in enumerate(self.blocks)
            for kind, part in zip(("keys", "values"), block, strict=True)
        }

    @staticmethod
    def from_tensors(
        tensors: dict[str, Tensor], *, num_frames: int, rows: int, cols: int
    ) -> "ContextCache":
        """Undo `to_tensors`.

        Raises:
            ValueError: If a key or value is missing, or sizes contradict each other.
        """
        num_blocks = sum(name.startswith("keys.") for name in tensors)
        names = {f"{kind}.{index}" for kind in ("keys", "values") for index in range(num_blocks)}
        if missing := sorted(names - tensors.keys()):
            raise ValueError(f"the context cache lacks {', '.join(missing)}")
        blocks = tuple(
            KeyValue(tensors[f"keys.{index}"], tensors[f"values.{index}"])
            for index in range(num_blocks)
        )
        return ContextCache(blocks=blocks, num_frames=num_frames, rows=rows, cols=cols)
