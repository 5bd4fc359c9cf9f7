"""Muon where the CPU has no instructions that multiply bfloat16.

torch's Muon makes its steps orthogonal in bfloat16, which such a CPU emulates: there a step takes
several times as long as forward and backward together. Even in float32 it's a third of a small
network's step, so processes that hold the same gradients share this work.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor
from torch.optim import Muon

_LENGTHS = "match_rms_adamw"
_MATCH_ADAMW = 0.2


class Float32Muon(Muon):
    """torch's Muon, but that matrices are made orthogonal in float32.

    Its state is torch's, so a run may go on with the other one. Where torch.distributed is
    initialised, all processes must step the same matrices with the same gradients, as with DDP.
    """

    def __init__(self, params: Iterable[Tensor], **settings: Any) -> None:  # noqa: ANN401 - torch's
        """Begin with no momentum.

        Args:
            params: The matrices.
            settings: As torch's Muon takes them.

        Raises:
            ValueError: If steps are to be of other lengths than AdamW's.
        """
        super().__init__(params, **settings)
        if (given := settings.get("adjust_lr_fn")) != _LENGTHS:
            raise ValueError(f"adjust_lr_fn must be {_LENGTHS!r}, got {given!r}")

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Step all matrices that have a gradient.

        Args:
            closure: As torch's optimizers take it.

        Returns:
            What the closure returns.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moved = [
            (parameter, group)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        updates = [self._update(parameter, group) for parameter, group in moved]
        directions = _directions(updates, [group for _, group in moved])
        for (parameter, group), direction in zip(moved, directions, strict=True):
            length = group["lr"] * _MATCH_ADAMW * math.sqrt(max(parameter.shape))
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(direction.to(parameter.dtype), alpha=-length)
        return loss

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> Tensor:
        """Average a matrix's gradient with the earlier ones."""
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None, "only what has a gradient is stepped"
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        average = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        return gradient.lerp(average, group["momentum"]) if group["nesterov"] else average


def _directions(updates: Sequence[Tensor], groups: Sequence[dict[str, Any]]) -> list[Tensor]:
    """Make all matrices orthogonal: in each process its share of them, which then go to all."""
    joined = dist.is_available() and dist.is_initialized()
    rank, world_size = (dist.get_rank(), dist.get_world_size()) if joined else (0, 1)
    directions = [
        orthogonal(
            update.float(),
            coefficients=group["ns_coefficients"],
            num_iterations=group["ns_steps"],
            eps=group["eps"],
        )
        if place % world_size == rank
        else torch.zeros_like(update, dtype=torch.float32)
        for place, (update, group) in enumerate(zip(updates, groups, strict=True))
    ]
    if world_size == 1 or not directions:
        return directions
    # One message instead of a hundred; where a matrix is another process's, this one adds zeros.
    together = torch.cat([direction.flatten() for direction in directions])
    dist.all_reduce(together)
    parts = together.split([direction.numel() for direction in directions])
    return [part.view(like.shape) for part, like in zip(parts, directions, strict=True)]


def orthogonal(
    matrix: Float[Tensor, "rows columns"],
    *,
    coefficients: tuple[float, float, float],
    num_iterations: int,
    eps: float,
) -> Float[Tensor, "rows columns"]:
    """Bring the singular values of a matrix near 1, by a few Newton-Schulz iterations.

    Args:
        matrix: What is made orthogonal.
        coefficients: Of each iteration's polynomial: those of its first, third and fifth power.
        num_iterations: How many.
        eps: Least norm that is divided by.

    Source:
        Muon (Jordan et al. 2024), as in ``torch.optim.Muon``.
    """
    first, third, fifth = coefficients
    is_tall = matrix.shape[0] > matrix.shape[1]
    found = matrix.T if is_tall else matrix
    found = found / found.norm().clamp(min=eps)
    for _ in range(num_iterations):
        gram = found @ found.T
        found = found.addmm(gram.addmm(gram, gram, beta=third, alpha=fifth), found, beta=first)
    return found.T if is_tall else found
