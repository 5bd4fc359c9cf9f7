"""One user's seed, made into independent seeds for all that is drawn.

The start noise is drawn from the seed itself; whatever else needs noise has a seed of its own, so
that no two things share their noise and none depends on what was drawn before it.
"""

from typing import Literal

import numpy as np

Purpose = Literal["context posterior", "query posterior", "further sample"]
_PURPOSES: tuple[Purpose, ...] = ("context posterior", "query posterior", "further sample")


def derived_seed(seed: int, purpose: Purpose, *, index: int = 0) -> int:
    """Derive a seed.

    Args:
        seed: The user's, not negative.
        purpose: What is drawn.
        index: Which of several, such as the place of a clip in its context.

    Raises:
        ValueError: If the seed is negative.
    """
    check_seed(seed)
    entropy = [seed, 1 + _PURPOSES.index(purpose), index]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint32)[0])


def check_seed(seed: int) -> None:
    """Check a user's seed.

    Raises:
        ValueError: If it is negative.
    """
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
