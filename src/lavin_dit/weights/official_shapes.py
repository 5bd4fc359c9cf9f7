"""The architecture of released weights, read off the shapes of their tensors.

A number that many tensors share is what most of them say, so that a single wrong tensor is reported
as such instead of making all the others look wrong. A number that no tensor tells is the released
network's, so that a file of another kind is answered with the list of what it lacks.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from lavin_dit.jdit.config import JDiTConfig, default_rope_axes_dim
from lavin_dit.jdit.presets import JDIT_PRESETS
from lavin_dit.st_vae.config import NUM_STAGES, STVAEConfig
from lavin_dit.st_vae.presets import ST_VAE_PRESETS

RELEASED_JDIT = JDIT_PRESETS["3.4b"]
RELEASED_ST_VAE = ST_VAE_PRESETS["released"]

_NUM_ROTARY_AXES = 3

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Shape of each tensor by name."""


def st_vae_config(shapes: Shapes, *, encoder_norm_groups: int) -> STVAEConfig:
    """Tell the configuration of a released ST-VAE.

    Args:
        shapes: Of its tensors, under the release's names.
        encoder_norm_groups: Groups of the encoder's norms, which no shape tells.

    Returns:
        Widths, depth and latent channels from the shapes; everything else as released.

    Raises:
        ValueError: If the widths are no multiples of the numbers of groups.
    """
    widths = [
        _most_common(
            shapes,
            rf"encoder\.down_blocks\.{stage}\.resnets\.\d+\.(conv\d\.conv|norm2)\.(weight|bias)",
            axis=0,
            default=RELEASED_ST_VAE.block_out_channels[stage],
        )
        for stage in range(NUM_STAGES)
    ]
    return replace(
        RELEASED_ST_VAE,
        block_out_channels=tuple(widths),
        layers_per_block=_count(
            shapes,
            r"encoder\.down_blocks\.\d+\.resnets\.(\d+)\..*",
            default=RELEASED_ST_VAE.layers_per_block,
        ),
        latent_channels=_most_common(
            shapes,
            r"decoder\..*\.conv_[yb]\.conv\.weight",
            axis=1,
            default=RELEASED_ST_VAE.latent_channels,
        ),
        encoder_norm_groups=encoder_norm_groups,
    )


def jdit_config(shapes: Shapes, *, latent_channels: int, num_heads: int | None) -> JDiTConfig:
    """Tell the configuration of a released J-DiT.

    Args:
        shapes: Of its tensors, under the release's names.
        latent_channels: Those of the ST-VAE that it belongs to.
        num_heads: Query heads, which no shape tells; None takes the released network's, 32, and is
            allowed for its shapes only.

    Returns:
        For the released network's shapes the preset, whose drop path (0.1, paper table 3) matters
        to further training alone. For others a network without drop path. Joint context, sandwich
        norms and the split of the heads over the axes are the released code's in either case.

    Raises:
        ValueError: If the number of heads is needed or fits no width, or the patch is no square.
    """
    hidden_size = _most_common(
        shapes,
        r"blocks\.\d+\.joint_attn\.(cond|x)_(q|proj)\.weight",
        axis=0,
        default=RELEASED_JDIT.hidden_size,
    )
    kv_size = _most_common(
        shapes,
        r"blocks\.\d+\.joint_attn\.(cond|x)_[kv]\.weight",
        axis=0,
        default=RELEASED_JDIT.num_kv_heads * RELEASED_JDIT.head_dim,
    )
    numbers = {
        "latent_channels": latent_channels,
        "patch_size": _patch_size(shapes, latent_channels),
        "hidden_size": hidden_size,
        "num_layers": _count(shapes, r"blocks\.(\d+)\..*", default=RELEASED_JDIT.num_layers),
        "mlp_hidden_size": _most_common(
            shapes,
            r"blocks\.\d+\.(cond|x)_mlp\.(gate|up)_proj\.weight",
            axis=0,
            default=RELEASED_JDIT.mlp_hidden_size,
        ),
    }
    is_released = (
        kv_size == RELEASED_JDIT.num_kv_heads * RELEASED_JDIT.head_dim
        and num_heads in (None, RELEASED_JDIT.num_heads)
        and all(getattr(RELEASED_JDIT, name) == number for name, number in numbers.items())
    )
    if is_released:
        return RELEASED_JDIT
    head_dim = _head_dim(hidden_size, kv_size, num_heads)
    return replace(
        RELEASED_JDIT,
        **numbers,
        num_heads=hidden_size // head_dim,
        num_kv_heads=kv_size // head_dim,
        rope_axes_dim=default_rope_axes_dim(head_dim),
        drop_path=0.0,
    )


def _head_dim(hidden_size: int, kv_size: int, num_heads: int | None) -> int:
    """Size of a head, which the released code splits into three equal parts of even size."""
    unit = 2 * _NUM_ROTARY_AXES
    shared = math.gcd(hidden_size, kv_size)
    whole_groups = kv_size > 0 and hidden_size % kv_size == 0
    possible = [
        hidden_size // size
        for size in range(shared - shared % unit, 0, -unit)
        if shared % size == 0 and whole_groups
    ]
    if num_heads in possible:
        return hidden_size // num_heads
    rule = (
        f"a head's size must be a multiple of {unit} and divide the widths of the queries "
        f"({hidden_size}) and of the keys ({kv_size}), the first of which must be a multiple of "
        f"the second"
    )
    if not possible:
        raise ValueError(f"no number of heads fits: {rule}")
    choices = ", ".join(map(str, possible))
    if num_heads is None:
        raise ValueError(
            f"no shape tells the number of heads, and these are not the released network's shapes: "
            f"give num_heads, which can be {choices} here"
        )
    raise ValueError(f"num_heads {num_heads} does not fit, expected one of {choices}: {rule}")


def _patch_size(shapes: Shapes, latent_channels: int) -> int:
    patch_dim = _most_common(
        shapes, r"(cond|x)_embedder\.0\.weight", axis=1, default=RELEASED_JDIT.patch_dim
    )
    side = math.isqrt(patch_dim // latent_channels)
    if side < 1 or side**2 * latent_channels != patch_dim:
        raise ValueError(
            f"a token holds {patch_dim} values, which is no square patch of the ST-VAE's "
            f"{latent_channels} latent channels"
        )
    return side


def _most_common(shapes: Shapes, pattern: str, *, axis: int, default: int) -> int:
    """Return the most frequent size along an axis of the tensors whose whole name matches."""
    sizes = Counter(
        shape[axis]
        for name, shape in shapes.items()
        if len(shape) > axis and re.fullmatch(pattern, name)
    )
    return sizes.most_common(1)[0][0] if sizes else default


def _count(shapes: Shapes, pattern: str, *, default: int) -> int:
    """Return one more than the highest number at a place in the names."""
    found = [match[1] for name in shapes if (match := re.fullmatch(pattern, name))]
    # Each numbered part has a tensor at least, so no file makes this larger than itself.
    return min(max(map(int, found)) + 1, len(found)) if found else default
