"""Pictures that tests make themselves."""

import numpy as np


def picture(height: int, width: int, *, seed: int) -> np.ndarray:
    """A smooth coloured picture that is not symmetric in anything."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[0:height, 0:width] / max(height, width)
    waves = rng.uniform(2, 9, size=(3, 2)) @ np.stack([rows.ravel(), cols.ravel()])
    values = 127.5 + 127.5 * np.sin(waves.T + rng.uniform(0, 6, 3))
    return values.reshape(height, width, 3).astype(np.uint8)
