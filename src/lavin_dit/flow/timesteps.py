"""Timesteps: how training draws them and which grids sampling walks along.

A grid is a float32 vector on the CPU that rises from 0 (noise) to 1 (latent). ``num_steps`` counts
its intervals, so it has ``num_steps + 1`` points; the released code's ``--timesteps 20`` counts
points and is ``num_steps=19`` here.
"""

import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from lavin_dit.flow.path import LATENT_TIMESTEP, NOISE_TIMESTEP

_LINEAR_END = 0.05
_DECIMALS = 4


def logit_normal_timesteps(
    batch: int,
    *,
    generator: torch.Generator,
    mean: float = 0.0,
    std: float = 1.0,
    device: torch.device | str | None = None,
) -> Float[Tensor, " b"]:
    """Draw one training timestep per sample: the sigmoid of a normal variable.

    Timesteps in the middle of the path, where the velocity is hardest to tell, come most often.

    Args:
        batch: Number of samples.
        generator: Source of randomness; its device does the drawing, so that a seed gives the same
            timesteps whatever ``device`` is.
        mean: Mean of the normal variable; above 0 leans toward the latent.
        std: Standard deviation of the normal variable.
        device: Where the result lies; the generator's device if None.

    Returns:
        Timesteps between 0 (noise) and 1 (latent), float32.

    Raises:
        ValueError: If the batch or the standard deviation is not positive.

    Source:
        Paper algorithm 1, line 5: LogitNormal(0, 1).
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    if not std > 0.0:
        raise ValueError(f"std must be positive, got {std}")
    draws = torch.randn(batch, generator=generator, device=generator.device, dtype=torch.float32)
    return torch.sigmoid(mean + std * draws).to(generator.device if device is None else device)


def uniform_grid(num_steps: int) -> Float[Tensor, " points"]:
    """Sampling grid of equal steps.

    Args:
        num_steps: Number of intervals.

    Returns:
        ``num_steps + 1`` timesteps from exactly 0 to exactly 1.

    Raises:
        ValueError: If there is no step.

    Source:
        Paper equation 2, with time running from noise to latent (decision 0001).
    """
    _check_num_steps(num_steps)
    points = [index / num_steps for index in range(num_steps + 1)]
    return torch.tensor(points, dtype=torch.float32)


def linear_quadratic_grid(num_steps: int) -> Float[Tensor, " points"]:
    """Sampling grid of the release: half of its points lie in the first 5 % of the path.

    Of the ``N = num_steps + 1`` points the first ``N // 2`` rise in equal steps from 0 to 0.05, the
    others as ``0.05 + 0.95 * u**2`` with ``u`` in equal steps from ``1 / N`` to 1. They are rounded
    to 4 decimals, as the released tables are, unless that would merge two of them (from 137 steps
    on), in which case none is rounded.

    Args:
        num_steps: Number of intervals; 19, 29 and 39 give the three released tables bit for bit.

    Returns:
        ``num_steps + 1`` timesteps from exactly 0 to exactly 1, each above the one before it as
        long as float32 can tell them apart (up to 16,000 steps at least).

    Raises:
        ValueError: If there is no step.

    Source:
        Not in the paper; closed form of the release's tables, extended to any number of steps
        (decision 0002).
    """
    _check_num_steps(num_steps)
    num_points = num_steps + 1
    num_linear = num_points // 2
    num_quadratic = num_points - num_linear
    linear = [_LINEAR_END * share for share in _shares(num_linear, first=0.0)]
    quadratic = [
        _LINEAR_END + (LATENT_TIMESTEP - _LINEAR_END) * share**2
        for share in _shares(num_quadratic, first=1.0 / num_points)
    ]
    # Exact already, except that a lone linear point is the linear part's end.
    points = [*linear, *quadratic]
    points[0], points[-1] = NOISE_TIMESTEP, LATENT_TIMESTEP
    rounded = [round(point, _DECIMALS) for point in points]
    distinct = all(before < after for before, after in itertools.pairwise(rounded))
    return torch.tensor(rounded if distinct else points, dtype=torch.float32)


GRIDS: dict[str, Callable[[int], Float[Tensor, " points"]]] = {
    "linear_quadratic": linear_quadratic_grid,
    "uniform": uniform_grid,
}
"""Sampling grids by name: the release's and the paper's (decision 0002)."""


def _shares(num_points: int, *, first: float) -> list[float]:
    """Equally spaced numbers from ``first`` to 1; a single one is 1."""
    gaps = num_points - 1
    return [1.0 - (1.0 - first) * (gaps - index) / max(gaps, 1) for index in range(num_points)]


def _check_num_steps(num_steps: int) -> None:
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
