import numpy as np
import pytest
import torch

pytest.importorskip("lavin_dit.perceptual", reason="networks that judge likeness are not here")

from lavin_dit.evaluation import eye as module
from lavin_dit.perceptual.inception import FIDInception
from lavin_dit.perceptual.network import PerceptualNetwork


class Means(PerceptualNetwork):
    """Two stages: the picture, and its half."""

    name = "means"

    def features(self, pixels):
        return [pixels + 2, torch.nn.functional.avg_pool2d(pixels, 2) + 2]

    def pooled(self, pixels):
        return pixels.mean(dim=(2, 3))


@pytest.fixture
def eye(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "load_perceptual", lambda path: Means())
    monkeypatch.setattr(module, "load_fid_network", lambda path: None)
    return module.PerceptualEye(tmp_path)


def clip(seed):
    return np.random.default_rng(seed).integers(0, 256, (3, 8, 10, 3), dtype=np.uint8)


def test_distances_of_clips_are_means_over_frames(eye):
    one, other = clip(0), clip(1)
    assert eye.distance(one, one) == 0
    frames = [eye.distance(one[k : k + 1], other[k : k + 1]) for k in range(3)]
    assert eye.distance(one, other) == pytest.approx(np.mean(frames), rel=1e-5)
    assert min(frames) > 0


def test_features_are_of_pixels_from_minus_one_to_one(eye):
    expected = clip(0).mean(axis=(1, 2)) / 127.5 - 1
    np.testing.assert_allclose(eye.features(clip(0)), expected, rtol=1e-4, atol=1e-5)


def test_the_true_name_needs_the_true_weights(eye):
    assert (eye.name, eye.distance_name) == ("means", "lpips_like")

    class Weighted(Means):
        channel_weights = (torch.ones(3), torch.ones(3))

    eye.network = Weighted()
    assert eye.distance_name == "lpips"


def test_the_fid_is_that_of_its_own_network(eye, monkeypatch, tmp_path):
    assert eye.set_distance_name == "fid_like"

    class Inception(FIDInception):
        def __init__(self):
            torch.nn.Module.__init__(self)

        def pooled(self, pixels):
            return pixels.amax(dim=(2, 3))

    monkeypatch.setattr(module, "load_fid_network", lambda path: Inception())
    both = module.PerceptualEye(tmp_path)
    assert (both.name, both.set_distance_name) == ("means, fid-inception", "fid")
    assert both.distance_name == "lpips_like"
    np.testing.assert_allclose(both.features(clip(0)), clip(0).max(axis=(1, 2)) / 127.5 - 1)
