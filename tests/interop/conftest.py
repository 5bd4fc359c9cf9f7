"""Tiny networks of the core's, and what to show them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from random_networks import random_pipeline


@pytest.fixture(params=["joint", "causal"])
def core(request) -> LavinDiTPipeline:
    return random_pipeline(request.param)


@pytest.fixture(scope="session")
def picture() -> Callable[..., np.ndarray]:
    def draw(height: int, width: int, *, seed: int, num_frames: int = 0) -> np.ndarray:
        shape = (num_frames, height, width, 3) if num_frames else (height, width, 3)
        return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)

    return draw


@pytest.fixture(scope="session")
def pairs(picture) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(picture(32, 48, seed=index), picture(32, 48, seed=10 + index)) for index in range(2)]


@pytest.fixture(scope="session")
def query(picture) -> np.ndarray:
    return picture(30, 41, seed=20)


@pytest.fixture
def checkpoint(core, tmp_path) -> Path:
    """A folder that the core saved."""
    return core.save_pretrained(tmp_path / "core")
