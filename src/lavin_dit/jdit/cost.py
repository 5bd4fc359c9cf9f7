"""What a J-DiT costs: parameters, arithmetic and memory, by computation.

Arithmetic counts a multiply-add as two operations and leaves out norms, rotations and activations,
which are below a percent of the matrix products.
"""

from dataclasses import dataclass

import torch

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.model import JDiT


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShape:
    """Sizes of one velocity evaluation.

    Raises:
        ValueError: If a size is below 1.
    """

    condition_frames: int
    """Latent frames of context pairs and query together."""
    target_frames: int
    """Latent frames of the target."""
    rows: int
    """Patch rows of a frame: picture height over 16."""
    cols: int
    """Patch columns of a frame: picture width over 16."""

    def __post_init__(self) -> None:
        """Check that every size is positive."""
        for name in ("condition_frames", "target_frames", "rows", "cols"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def condition_tokens(self) -> int:
        """Tokens of context pairs and query."""
        return self.condition_frames * self.rows * self.cols

    @property
    def target_tokens(self) -> int:
        """Tokens of the target."""
        return self.target_frames * self.rows * self.cols


def num_parameters(config: JDiTConfig) -> int:
    """Count all parameters, building the network without memory."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in JDiT(config).parameters())


def joint_step_flops(config: JDiTConfig, shape: StepShape) -> int:
    """Operations of one velocity evaluation for one sample with joint context.

    The last block computes only keys and values of the condition.
    """
    condition, target = shape.condition_tokens, shape.target_tokens
    tokens = condition + target
    full = config.num_layers - 1
    linear = full * tokens * _full_layer(config)
    linear += target * _full_layer(config) + condition * _keys_values(config)
    scores = full * tokens * tokens + target * tokens
    return linear + scores * _score(config) + _outside(config, condition + target, target)


def causal_step_flops(config: JDiTConfig, shape: StepShape) -> int:
    """Operations of one velocity evaluation for one sample when the condition is cached."""
    target = shape.target_tokens
    tokens = shape.condition_tokens + target
    linear = config.num_layers * target * _full_layer(config)
    scores = config.num_layers * target * tokens
    return linear + scores * _score(config) + _outside(config, target, target)


def supervised_flops(config: JDiTConfig, *, num_pairs: int, clip_tokens: int, dense: bool) -> int:
    """Operations of one forward pass in training, for one episode.

    Args:
        config: Architecture.
        num_pairs: Pairs of the episode, the query and its target included.
        clip_tokens: Tokens of each input and each target.
        dense: Whether every target that has a pair before it is supervised, instead of the last.

    Source:
        Ours; the scores are those that `lavin_dit.jdit.block` computes, clip by clip.
    """
    if config.context_attention == "joint":
        condition, target = (2 * num_pairs - 1) * clip_tokens, clip_tokens
        full = config.num_layers - 1
        linear = full * (condition + target) * _full_layer(config)
        linear += target * _full_layer(config) + condition * _keys_values(config)
        scores = full * (condition + target) ** 2 + target * (condition + target)
        return linear + scores * _score(config) + _outside(config, condition + target, target)
    first = min(1, num_pairs - 1) if dense else num_pairs - 1
    num_clips, num_targets = 2 * num_pairs - 1, num_pairs - first
    condition, targets = num_clips * clip_tokens, num_targets * clip_tokens
    full = config.num_layers - 1
    linear = (full * condition + config.num_layers * targets) * _full_layer(config)
    linear += condition * _keys_values(config)
    seen = sum(range(1, num_clips + 1))  # clips that each condition clip sees
    seen_by_targets = sum(2 * pair + 2 for pair in range(first, num_pairs))
    scores = (full * seen + config.num_layers * seen_by_targets) * clip_tokens**2
    return linear + scores * _score(config) + _outside(config, condition + targets, targets)


def context_cache_bytes(config: JDiTConfig, shape: StepShape, *, bytes_per_value: int) -> int:
    """Memory of the cached keys and values of one sample's condition."""
    per_token = 2 * config.num_kv_heads * config.head_dim * config.num_layers
    return shape.condition_tokens * per_token * bytes_per_value


def activation_bytes(config: JDiTConfig, tokens: int, *, bytes_per_value: int) -> int:
    """Estimate the largest set of activations alive at once for one sample, without gradients.

    It is reached inside a feed-forward layer: the residual stream, its normalised copy, and gate,
    up and their product; norms compute in float32.
    """
    per_token = 3 * config.mlp_hidden_size * bytes_per_value
    per_token += config.hidden_size * (2 * bytes_per_value + 4)
    return tokens * per_token


def _full_layer(config: JDiTConfig) -> int:
    width = config.hidden_size
    return 2 * (2 * width * width + 3 * width * config.mlp_hidden_size) + _keys_values(config)


def _keys_values(config: JDiTConfig) -> int:
    return 2 * 2 * config.hidden_size * config.num_kv_heads * config.head_dim


def _score(config: JDiTConfig) -> int:
    return 2 * 2 * config.hidden_size


def _outside(config: JDiTConfig, embedded_tokens: int, target_tokens: int) -> int:
    return 2 * config.patch_dim * config.hidden_size * (embedded_tokens + target_tokens)
