"""Learning rate over a run: the paper's constant, or a warm-up and a cosine that ends with it."""

import math

from lavin_dit.training.config import ScheduleConfig


def learning_rate_share(config: ScheduleConfig, *, step: int, progress: float) -> float:
    """Share of the full learning rate at a step.

    Args:
        config: How the rate moves.
        step: Optimizer steps before this one.
        progress: Share of the run that is over, in [0, 1]: of its steps, or of its time where that
            is what ends it.
    """
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.decay == "constant":
        return warm
    falling = 0.5 * (1.0 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    return warm * (config.final_share + (1.0 - config.final_share) * falling)
