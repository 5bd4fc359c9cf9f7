"""The sizes of the paper, and the nano that runs on a laptop."""

from lavin_dit.jdit.config import (
    ContextAttention,
    JDiTConfig,
    default_rope_axes_dim,
    swiglu_hidden_size,
)


def jdit_config(  # noqa: PLR0913 - the numbers of a table row, all by keyword
    *,
    hidden_size: int,
    num_layers: int,
    num_heads: int,
    num_kv_heads: int,
    drop_path: float,
    sandwich_norm: bool = True,
    context_attention: ContextAttention = "joint",
) -> JDiTConfig:
    """Fill in what all presets share: 16 latent channels, patch 2, derived widths.

    Raises:
        ValueError: As `JDiTConfig`.
    """
    return JDiTConfig(
        latent_channels=16,
        patch_size=2,
        hidden_size=hidden_size,
        num_layers=num_layers,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        mlp_hidden_size=swiglu_hidden_size(hidden_size),
        rope_axes_dim=default_rope_axes_dim(hidden_size // num_heads),
        sandwich_norm=sandwich_norm,
        drop_path=drop_path,
        context_attention=context_attention,
    )


JDIT_PRESETS: dict[str, JDiTConfig] = {
    "nano": jdit_config(
        hidden_size=256,
        num_layers=6,
        num_heads=4,
        num_kv_heads=2,
        drop_path=0.0,
        context_attention="causal",
    ),
    "0.1b": jdit_config(
        hidden_size=512,
        num_layers=12,
        num_heads=8,
        num_kv_heads=8,
        drop_path=0.0,
        sandwich_norm=False,
    ),
    "1.0b": jdit_config(
        hidden_size=1024, num_layers=28, num_heads=16, num_kv_heads=16, drop_path=0.1
    ),
    "3.4b": jdit_config(
        hidden_size=2304, num_layers=22, num_heads=32, num_kv_heads=8, drop_path=0.1
    ),
}
"""Paper table 3, and our nano, whose shape is provisional until experiments have chosen it."""
