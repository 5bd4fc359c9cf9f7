"""What can be set about the baselines: plain numbers, which need no torch to be shown."""

from dataclasses import dataclass
from typing import Literal

MARKER_FILE = "next_token.json"
"""File that tells the folder of a next-token model."""

TokenSupervision = Literal["all", "targets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodebookConfig:
    """Shape of the codebooks.

    Raises:
        ValueError: If a number is out of range.
    """

    num_codes: int
    """Codes of a level."""
    num_levels: int
    """Codes of a latent position."""
    latent_channels: int
    """Channels of a latent."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, least in (("num_codes", 2), ("num_levels", 1), ("latent_channels", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Shape of a decoder.

    Raises:
        ValueError: If a number is below 1, or heads don't divide what they share.
    """

    num_codes: int
    """Codes of a level."""
    num_levels: int
    """Tokens of a latent position, each of a level of its own."""
    hidden_size: int
    """Width."""
    num_layers: int
    """Blocks."""
    num_heads: int
    """Query heads."""
    num_kv_heads: int
    """Key-value heads."""
    mlp_hidden_size: int
    """Width of the feed-forward layers."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.hidden_size % (2 * self.num_heads) or self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} must divide half of hidden_size {self.hidden_size}, "
                f"and be a multiple of num_kv_heads {self.num_kv_heads}"
            )

    @property
    def vocabulary(self) -> int:
        """Number of different tokens."""
        return self.num_codes * self.num_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTokenDefaults:
    """How a trained model is meant to be used; kept beside its weights.

    Raises:
        ValueError: If a number is out of range.
    """

    height: int
    """Height in pixels of what it was trained on; it paints no other."""
    width: int
    """Width in pixels."""
    num_context_pairs: int
    """Context pairs of the episodes that it was validated on."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
