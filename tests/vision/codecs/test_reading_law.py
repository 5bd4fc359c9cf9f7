"""The law: what is read from a degraded painting is what was painted."""

import dataclasses

import numpy as np
import pytest

from lavin_dit.vision.codecs.boxes import BoxCodec, Boxes
from lavin_dit.vision.codecs.codec import key_from_json, key_to_json
from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.depth import Depth, DepthCodec, along_curve
from lavin_dit.vision.codecs.edges import EdgeCodec, Edges
from lavin_dit.vision.codecs.flow import Flow, FlowCodec
from lavin_dit.vision.codecs.instances import InstanceCodec, Instances
from lavin_dit.vision.codecs.keypoints import KeypointCodec, Keypoints
from lavin_dit.vision.codecs.masks import Mask, MaskCodec
from lavin_dit.vision.codecs.normals import NormalCodec, Normals
from lavin_dit.vision.codecs.panoptic import Panoptic, PanopticCodec
from lavin_dit.vision.codecs.rgb import Rgb, RgbCodec

CODECS = {
    Rgb: RgbCodec(),
    Depth: DepthCodec(),
    Normals: NormalCodec(),
    Flow: FlowCodec(),
    Mask: MaskCodec(),
    Instances: InstanceCodec(),
    Panoptic: PanopticCodec(),
    Boxes: BoxCodec(),
    Keypoints: KeypointCodec(),
    Edges: EdgeCodec(),
}


def reread(scene, kind, generator, codec=None):
    codec = codec or CODECS[kind]
    picture, key = codec.paint(scene[kind])
    return scene[kind], codec.read(degrade(picture, generator=generator), key=key)


def inner(ids, reach=3):
    """Pixels whose surroundings, as far as a blur reaches, are of one thing."""
    height, width = ids.shape[1:]
    padded = np.pad(ids, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    same = np.ones(ids.shape, dtype=bool)
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            same &= padded[:, down : down + height, right : right + width] == ids
    return same


def overlap(one, two):
    return np.sum(one & two) / np.sum(one | two)


@pytest.mark.parametrize("kind", CODECS, ids=lambda kind: kind.__name__)
def test_paintings_are_rgb_clips_of_the_same_shape(scene, kind):
    picture, key = CODECS[kind].paint(scene[kind])
    shape = scene.shape
    assert picture.shape == (shape.num_frames, shape.height, shape.width, 3)
    assert picture.dtype == np.uint8
    read = CODECS[kind].read(picture, key=key)
    assert type(read) is kind
    assert read.shape == scene.shape
    assert CODECS[kind].read(picture).shape == scene.shape  # any picture is readable without a key


@pytest.mark.parametrize("kind", CODECS, ids=lambda kind: kind.__name__)
def test_keys_survive_json(scene, kind):
    _, key = CODECS[kind].paint(scene[kind])
    if key is not None:
        assert dataclasses.is_dataclass(key)
        assert key_from_json(type(key), key_to_json(key)) == key


@pytest.mark.parametrize("kind", CODECS, ids=lambda kind: kind.__name__)
def test_painting_with_the_same_key_gives_the_same_picture(scene, kind):
    picture, key = CODECS[kind].paint(scene[kind])
    again, same = CODECS[kind].paint(scene[kind], key=key)
    np.testing.assert_array_equal(again, picture)
    assert same == key


@pytest.mark.parametrize("curve", ["linear", "log", "inverse_root", "inverse"])
def test_depth(scene, generator, curve):
    truth, read = reread(scene, Depth, generator, DepthCodec(curve=curve))
    trusted = inner(scene[Instances].ids) & inner(truth.valid.astype(int))
    np.testing.assert_array_equal(read.valid[trusted], truth.valid[trusted])
    both = truth.valid & trusted
    one, two = (along_curve(each.metres[both].astype(np.float64), curve) for each in (truth, read))
    error = np.abs(one - two) / np.ptp(one)
    # Noise of 6 levels, averaged over three channels, on a range of 223 levels: 1.6 % deviation.
    assert error.mean() < 0.014
    assert error.max() < 0.09


def test_normals(scene, generator):
    truth, read = reread(scene, Normals, generator)
    trusted = inner(scene[Instances].ids) & inner(truth.valid.astype(int))
    np.testing.assert_array_equal(read.valid[trusted], truth.valid[trusted])
    both = truth.valid & trusted
    cosine = np.sum(truth.vectors[both] * read.vectors[both], axis=-1)
    # Noise of 6 levels on a radius of 127.5, in two directions: 3.4 degrees on average.
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < 3.8
    np.testing.assert_allclose(np.linalg.norm(read.vectors[both], axis=-1), 1, atol=1e-5)


def test_flow(scene, generator):
    truth, read = reread(scene, Flow, generator)
    trusted = inner(scene[Instances].ids) & inner(truth.valid.astype(int))
    np.testing.assert_array_equal(read.valid[trusted], truth.valid[trusted])
    both = truth.valid & trusted
    error = np.linalg.norm(truth.pixels[both] - read.pixels[both], axis=-1)
    longest = np.linalg.norm(truth.pixels[both], axis=-1).max()
    assert error.mean() < 0.04 * longest
    resting = np.linalg.norm(truth.pixels[both], axis=-1) == 0
    if resting.any():
        assert error[resting].mean() < 0.005 * longest


def test_mask(scene, generator):
    truth, read = reread(scene, Mask, generator)
    assert overlap(truth.foreground, read.foreground) > 0.998


def test_instances(scene, generator):
    truth, read = reread(scene, Instances, generator)
    assert len(truth.names) >= 20
    assert read.names == truth.names
    overlaps = [overlap(truth.ids == name, read.ids == name) for name in truth.names]
    assert np.mean(overlaps) > 0.98
    assert min(overlaps) > 0.9


def test_panoptic(scene, generator):
    truth, read = reread(scene, Panoptic, generator)
    numbers = np.unique(truth.ids[truth.ids > 0])
    assert len(numbers) >= 20
    assert len(read.classes) == len(numbers)
    matches = [np.bincount(read.ids[truth.ids == number]).argmax() for number in numbers]
    assert len(set(matches)) == len(numbers)
    np.testing.assert_array_equal(read.classes[np.array(matches) - 1], truth.classes[numbers - 1])
    overlaps = [
        overlap(truth.ids == one, read.ids == two)
        for one, two in zip(numbers, matches, strict=True)
    ]
    assert np.mean(overlaps) > 0.95
    assert min(overlaps) > 0.75


def test_keypoints(scene, generator):
    truth, read = reread(scene, Keypoints, generator)
    labelled = truth.visibility > 0
    found = labelled & (read.visibility > 0)
    assert found.sum() >= 0.97 * labelled.sum()
    error = np.linalg.norm(truth.positions_px - read.positions_px, axis=-1)[found]
    assert np.median(error) < 0.25
    assert np.mean(error < 1) > 0.95
    # Two discs of a small face share a place: the hole of one may lie under the other.
    assert np.mean(truth.visibility[found] == read.visibility[found]) > 0.95
    assert not (~labelled & (read.visibility > 0)).any()


def test_edges(scene, generator):
    truth, read = reread(scene, Edges, generator)
    hit = np.sum((truth.strength > 0) & (read.strength > 0))
    assert 2 * hit / (truth.strength.sum() + read.strength.sum()) > 0.998


def test_rgb(scene, generator):
    truth, read = reread(scene, Rgb, generator)
    np.testing.assert_array_equal(RgbCodec().paint(truth)[0], truth.pixels)
    assert np.abs(truth.pixels.astype(int) - read.pixels).mean() < 13


def test_without_degradation_reading_is_as_exact_as_levels_allow(scene):
    read = {
        kind: codec.read(picture, key=key)
        for kind, codec in CODECS.items()
        for picture, key in [codec.paint(scene[kind])]
    }
    valid = scene[Depth].valid
    np.testing.assert_array_equal(read[Depth].valid, valid)
    near, far = np.quantile(scene[Depth].metres[valid], [0.01, 0.99])
    one, two, ends = (
        along_curve(metres.astype(np.float64), "inverse_root")
        for metres in (
            np.clip(scene[Depth].metres[valid], near, far),  # the tails saturate
            read[Depth].metres[valid],
            np.array([near, far]),
        )
    )
    assert np.abs(one - two).max() <= 0.501 * np.ptp(ends) / (3 * 223)
    cosine = np.sum(read[Normals].vectors * scene[Normals].vectors, axis=-1)[valid]
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.5
    error = np.linalg.norm(read[Flow].pixels - scene[Flow].pixels, axis=-1)[valid]
    assert error.max() < 0.01 * np.linalg.norm(scene[Flow].pixels, axis=-1).max()
    np.testing.assert_array_equal(read[Mask].foreground, scene[Mask].foreground)
    np.testing.assert_array_equal(read[Edges].strength, scene[Edges].strength)
    assert np.mean(read[Instances].ids == scene[Instances].ids) > 0.999


def test_degrading_is_reproducible_and_as_strong_as_it_says():
    picture = np.full((1, 64, 96, 3), 128, dtype=np.uint8)
    one = degrade(picture, generator=np.random.default_rng(3))
    two = degrade(picture, generator=np.random.default_rng(3))
    np.testing.assert_array_equal(one, two)
    assert abs(one.astype(float).std() - 6) < 0.2
    line = np.zeros((1, 9, 9, 3), dtype=np.uint8)
    line[:, :, 4] = 255
    blurred = degrade(line, generator=np.random.default_rng(3), noise_levels=0.0)
    # A line of one pixel under a Gaussian of 0.7 px keeps 0.57 of its level, in every row.
    np.testing.assert_allclose(blurred[0, :, 4, 0] / 255, 0.569, atol=0.005)
    sharp = degrade(line, generator=np.random.default_rng(3), noise_levels=0.0, blur_px=0.0)
    np.testing.assert_array_equal(sharp, line)
