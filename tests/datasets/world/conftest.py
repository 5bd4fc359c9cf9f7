"""Scenes that the tests of the synthetic world look at."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("mujoco")

from lavin_dit.datasets.world.looks import Looks
from lavin_dit.datasets.world.packing import pack
from lavin_dit.datasets.world.physics import simulate
from lavin_dit.datasets.world.renderer import render
from lavin_dit.datasets.world.sampling import draw_scene
from lavin_dit.vision.geometry import Size

SIZE = Size(height=61, width=83)


@dataclasses.dataclass(frozen=True)
class Seen:
    """A scene on all its stations."""

    spec: object
    trajectory: object
    scene: object
    rendering: object


def look_at(spec, size=SIZE):
    """Simulate, pack and render."""
    trajectory = simulate(spec)
    scene = pack(spec, trajectory, size=size)
    rendering = render(scene, size=size, optics=spec.optics)
    return Seen(spec, trajectory, scene, rendering)


@pytest.fixture(scope="session")
def seen_scenes():
    """Scenes of all splits, with all primitives and with people, of three frames each."""
    return [
        look_at(draw_scene(Looks(split=split), np.random.default_rng(seed), num_frames=3))
        for split in ("train", "validation", "test")
        for seed in range(16)
    ]
