"""Depth, normals, flow, masks and edges: what is particular to each."""

import numpy as np
import pytest

from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.depth import (
    Depth,
    DepthCodec,
    DepthKey,
    along_curve,
    off_curve,
    resize_along_curve,
)
from lavin_dit.vision.codecs.edges import EdgeCodec, Edges
from lavin_dit.vision.codecs.flow import Flow, FlowCodec, FlowKey
from lavin_dit.vision.codecs.masks import Mask, MaskCodec
from lavin_dit.vision.codecs.normals import NormalCodec, Normals
from lavin_dit.vision.geometry import Size


def ramp(near=0.8, far=20.0, width=97):
    metres = np.linspace(near, far, width, dtype=np.float32)
    metres = np.broadcast_to(metres, (2, 5, width)).copy()
    return Depth(metres=metres, valid=np.ones(metres.shape, dtype=bool))


@pytest.mark.parametrize("curve", ["linear", "log", "inverse_root", "inverse"])
def test_near_is_bright_and_the_curve_is_monotone(curve):
    picture, key = DepthCodec(curve=curve, tail=0.0).paint(ramp())
    assert key.curve == curve
    assert (key.near_m, key.far_m) == pytest.approx((0.8, 20.0))
    brightness = picture.sum(axis=-1, dtype=int)[0, 0]
    assert brightness[0] == 3 * 255
    assert brightness[-1] == 3 * 32
    assert (np.diff(brightness) < 0).all() or curve.startswith("inverse")
    assert (np.diff(brightness) <= 0).all()
    assert np.ptp(picture.astype(int), axis=-1).max() <= 1  # grey to the eye


@pytest.mark.parametrize("curve", ["log", "inverse_root", "inverse"])
def test_depth_of_unknown_scale_and_shift_is_resized_whatever_they_are(curve):
    generator = np.random.default_rng(0)
    quantity = generator.uniform(0.4, 0.9, (1, 6, 8))
    valid = generator.random(quantity.shape) > 0.2
    resized = []
    for scale, shift in ((1.0, 0.0), (0.5, 0.3)):
        metres = off_curve(scale * quantity + shift, curve).astype(np.float32)
        larger = resize_along_curve(
            Depth(metres=metres, valid=valid), Size(height=15, width=20), curve
        )
        again = along_curve(larger.metres.astype(np.float64), curve)
        resized.append(((again - shift) / scale)[larger.valid])
    np.testing.assert_allclose(*resized, atol=1e-5)
    assert np.ptp(resized[0]) > 0.2


@pytest.mark.parametrize("curve", ["linear", "log", "inverse_root", "inverse"])
def test_without_a_key_the_quantity_is_right_up_to_scale_and_shift(curve):
    truth = ramp()
    codec = DepthCodec(curve=curve, tail=0.0)
    read = codec.read(codec.paint(truth)[0])
    assert read.metres.min() == pytest.approx(1.0)
    assert read.metres.max() == pytest.approx(10.0)
    one, two = (along_curve(each.metres.astype(np.float64), curve) for each in (read, truth))
    fit = np.polyfit(one.ravel(), two.ravel(), 1)
    assert fit[0] > 0
    np.testing.assert_allclose(np.polyval(fit, one), two, atol=0.6 * np.ptp(two) / (3 * 223))
    np.testing.assert_allclose(off_curve(two, curve), truth.metres, rtol=1e-6)


def test_one_range_serves_the_whole_clip():
    metres = np.full((2, 3, 4), 2.0, dtype=np.float32)
    metres[1] = 6.0
    picture, _ = DepthCodec().paint(Depth(metres=metres, valid=np.ones(metres.shape, dtype=bool)))
    assert picture[0].min() == 255
    assert picture[1].max() == 32


def test_a_flat_wall_can_be_painted_and_read():
    flat = Depth(
        metres=np.full((1, 3, 4), 2.5, dtype=np.float32), valid=np.ones((1, 3, 4), dtype=bool)
    )
    picture, key = DepthCodec().paint(flat)
    np.testing.assert_allclose(DepthCodec().read(picture, key=key).metres, 2.5, rtol=1e-5)


def test_tails_saturate_and_holes_do_not_count():
    truth = ramp(width=201)
    metres, valid = truth.metres.copy(), truth.valid.copy()
    metres[:, :, 100], valid[:, :, 100] = 1e5, False
    _, key = DepthCodec(tail=0.0).paint(Depth(metres=metres, valid=valid))
    assert key.far_m == pytest.approx(20.0)
    _, key = DepthCodec(tail=0.1).paint(truth)
    assert key.near_m == pytest.approx(0.8 + 0.1 * 19.2, rel=0.02)
    assert key.far_m == pytest.approx(20 - 0.1 * 19.2, rel=0.02)
    picture, _ = DepthCodec().paint(truth, key=key)
    read = DepthCodec().read(picture, key=key)
    assert read.metres.max() == pytest.approx(key.far_m)


def test_bad_depth_is_refused():
    nowhere = Depth(
        metres=np.zeros((1, 2, 3), dtype=np.float32), valid=np.zeros((1, 2, 3), dtype=bool)
    )
    with pytest.raises(ValueError, match="without any valid pixel"):
        DepthCodec().paint(nowhere)
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="finite and above 0"):
            Depth(
                metres=np.full((1, 2, 3), wrong, dtype=np.float32),
                valid=np.ones((1, 2, 3), dtype=bool),
            )
    with pytest.raises(ValueError, match="0 < near < far"):
        DepthKey(near_m=2.0, far_m=2.0, curve="linear")
    with pytest.raises(ValueError, match="tail"):
        DepthCodec(tail=0.5)


def test_a_wall_facing_the_camera_is_light_blue():
    vectors = np.zeros((1, 1, 3, 3), dtype=np.float32)
    vectors[0, 0] = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    picture, key = NormalCodec().paint(
        Normals(vectors=vectors, valid=np.ones((1, 1, 3), dtype=bool))
    )
    np.testing.assert_array_equal(
        picture[0, 0], [[128, 128, 255], [255, 128, 128], [128, 255, 128]]
    )
    assert key is None


def test_normals_must_be_unit_vectors_where_valid():
    vectors = np.full((1, 2, 2, 3), 0.9, dtype=np.float32)
    valid = np.zeros((1, 2, 2), dtype=bool)
    assert (
        not NormalCodec()
        .read(NormalCodec().paint(Normals(vectors=vectors, valid=valid))[0])
        .valid.any()
    )
    with pytest.raises(ValueError, match="length 1"):
        Normals(vectors=vectors, valid=~valid)


def wheel(steps=240, speeds=(0.0, 0.25, 0.5, 1.0), max_px=12.0):
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    flow = np.stack([np.stack([np.cos(angle), np.sin(angle)], axis=-1) * s for s in speeds])
    flow = (flow[None] * max_px).astype(np.float32)
    return Flow(pixels=flow, valid=np.ones(flow.shape[:3], dtype=bool))


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_the_wheel_is_read_in_all_directions_and_speeds(power):
    truth = wheel()
    codec = FlowCodec(power=power)
    picture, key = codec.paint(truth)
    assert (key.max_px, key.power) == (pytest.approx(12.0), power)
    read = codec.read(picture, key=key)
    assert np.linalg.norm(read.pixels - truth.pixels, axis=-1).max() < 0.08
    np.testing.assert_array_equal(picture[0, 0], 255)  # at rest
    assert (picture[0, 3].min(axis=-1) == 0).all()  # at full speed
    np.testing.assert_array_equal(picture[0, 3, 0], [255, 0, 0])  # to the right


def test_magnitude_is_readable_under_noise():
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, (1, 60, 80))
    for speed in (0.0, 0.1, 0.3, 1.0):
        pixels = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * speed * 20
        truth = Flow(pixels=pixels.astype(np.float32), valid=np.ones(angle.shape, dtype=bool))
        codec = FlowCodec()
        picture, key = codec.paint(truth, key=FlowKey(max_px=20.0, power=0.5))
        degraded = degrade(picture, generator=np.random.default_rng(1), blur_px=0.0)
        read = np.linalg.norm(codec.read(degraded, key=key).pixels, axis=-1) / 20
        assert read.mean() == pytest.approx(speed, abs=0.02)
        assert read.std() < 0.06


def test_slow_motions_are_read_better_than_on_a_linear_wheel():
    """Speeds spread as in clips, most of them far below the longest."""
    generator = np.random.default_rng(0)
    angle = generator.uniform(0, 2 * np.pi, (1, 90, 110))
    speed = 28 * generator.beta(1, 5, angle.shape)
    pixels = np.stack([speed * np.cos(angle), speed * np.sin(angle)], axis=-1)
    truth = Flow(pixels=pixels.astype(np.float32), valid=np.ones(angle.shape, dtype=bool))
    mean_error = {}
    for power in (0.5, 1.0):
        key = FlowKey(max_px=28.0, power=power)
        picture, _ = FlowCodec().paint(truth, key=key)
        read = FlowCodec().read(degrade(picture, generator=generator, blur_px=0.0), key=key)
        mean_error[power] = np.linalg.norm(read.pixels - truth.pixels, axis=-1).mean()
    assert mean_error[0.5] < 0.7 * mean_error[1.0]


def test_flow_without_a_key_is_flow_up_to_scale():
    truth = wheel()
    codec = FlowCodec()
    read = codec.read(codec.paint(truth)[0])
    np.testing.assert_allclose(read.pixels * 12, truth.pixels, atol=0.08)


def test_long_motions_are_shortened_and_a_resting_clip_is_white():
    truth = wheel()
    picture, key = FlowCodec().paint(truth, key=FlowKey(max_px=3.0, power=0.5))
    read = FlowCodec().read(picture, key=key)
    np.testing.assert_allclose(np.linalg.norm(read.pixels[0, 3], axis=-1), 3.0, atol=0.05)
    still = Flow(
        pixels=np.zeros((1, 2, 3, 2), dtype=np.float32), valid=np.ones((1, 2, 3), dtype=bool)
    )
    picture, key = FlowCodec().paint(still)
    assert picture.min() == 255
    assert key.max_px == 1.0


def test_bad_flow_is_refused():
    pixels = np.zeros((1, 2, 3, 2), dtype=np.float32)
    with pytest.raises(ValueError, match="without any valid pixel"):
        FlowCodec().paint(Flow(pixels=pixels, valid=np.zeros((1, 2, 3), dtype=bool)))
    with pytest.raises(ValueError, match="must be finite"):
        Flow(pixels=pixels + np.float32(np.nan), valid=np.ones((1, 2, 3), dtype=bool))
    for bad in ({"max_px": 0.0, "power": 1.0}, {"max_px": 1.0, "power": 0.0}):
        with pytest.raises(ValueError, match="above 0"):
            FlowKey(**bad)


def test_masks_may_have_other_colours():
    foreground = np.random.default_rng(0).random((1, 9, 11)) < 0.5
    codec = MaskCodec(foreground=(250, 220, 30), background=(70, 0, 90))
    picture, key = codec.paint(Mask(foreground=foreground))
    assert key is None
    assert {tuple(colour) for colour in np.unique(picture.reshape(-1, 3), axis=0).tolist()} == {
        (250, 220, 30),
        (70, 0, 90),
    }
    noisy = degrade(picture, generator=np.random.default_rng(0), blur_px=0.0)
    np.testing.assert_array_equal(codec.read(noisy).foreground, foreground)
    with pytest.raises(ValueError, match="10 levels apart"):
        MaskCodec(foreground=(10, 0, 0))
    with pytest.raises(ValueError, match="0 to 255"):
        MaskCodec(foreground=(256, 0, 0))


def test_edges_of_one_pixel_stay_one_pixel_wide():
    strength = np.zeros((1, 40, 60), dtype=np.float32)
    strength[:, 10], strength[:, :, 20], strength[:, 30, 40] = 1, 1, 1
    np.fill_diagonal(strength[0, :, 20:], 1)
    picture, _ = EdgeCodec().paint(Edges(strength=strength))
    for blur in (0.0, 0.7):
        degraded = degrade(picture, generator=np.random.default_rng(0), blur_px=blur)
        read = EdgeCodec().read(degraded).strength
        assert set(np.unique(read)) == {0.0, 1.0}
        assert np.mean(read == strength) > 0.999


def test_soft_edges_keep_their_strength():
    strength = np.linspace(0, 1, 60, dtype=np.float32).reshape(1, 5, 12)
    codec = EdgeCodec(binary=False)
    picture, _ = codec.paint(Edges(strength=strength))
    np.testing.assert_allclose(codec.read(picture).strength, strength, atol=0.0021)
    with pytest.raises(ValueError, match="0 to 1"):
        Edges(strength=strength + 1)
