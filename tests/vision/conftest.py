"""Random scenes that the tests of samples and codecs look at."""

import numpy as np
import pytest

from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene


@pytest.fixture(scope="session", params=[(1, 157, 203), (5, 139, 121)], ids=["image", "clip"])
def scene(request):
    """A scene of 22 things, as an image and as a clip, of odd sizes that are not square."""
    frames, height, width = request.param
    shape = ClipShape(num_frames=frames, height=height, width=width)
    return random_scene(shape, generator=np.random.default_rng(frames), num_things=22)


@pytest.fixture
def generator():
    return np.random.default_rng(7)
