"""AdamW over the players of an objective, and what happens to their gradients before a step."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW

from lavin_dit.training.config import OptimizerConfig


def make_optimizer(groups: Mapping[str, Sequence[nn.Parameter]], config: OptimizerConfig) -> AdamW:
    """Make one AdamW with a parameter group for each player.

    Args:
        groups: Parameters by player.
        config: Numbers for all of them.
    """
    fused = all(parameter.is_floating_point() for group in groups.values() for parameter in group)
    return AdamW(
        [{"params": list(group), "name": name} for name, group in groups.items()],
        lr=config.lr,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=fused,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all players."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def clip_gradients(
    groups: Mapping[str, Sequence[nn.Parameter]], *, max_norm: float
) -> dict[str, Tensor]:
    """Scale down each player's gradient where it is too long.

    Args:
        groups: Parameters by player.
        max_norm: Largest norm.

    Returns:
        Norm of each player's gradient before clipping, over all processes; not finite if any part
        of it is not.
    """
    norms: dict[str, Tensor] = {}
    for name, parameters in groups.items():
        norm = clip_grad_norm_(parameters, max_norm)
        norms[name] = norm.full_tensor() if isinstance(norm, DTensor) else norm
    return norms
