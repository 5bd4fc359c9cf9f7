"""Seeded, as strong as their parameters say, and the same for every resolution."""

import sys

import numpy as np
import pytest

from lavin_dit.vision.degradations.glass import Glass, blur_by_glass
from lavin_dit.vision.degradations.holes import HOLE_KINDS, draw_hole
from lavin_dit.vision.degradations.jpeg import Jpeg, compress
from lavin_dit.vision.degradations.motion import Motion, blur_by_motion, line_kernel
from lavin_dit.vision.degradations.rain import Rain, add_rain
from lavin_dit.vision.geometry import Size

DEGRADATIONS = {
    "rain": lambda pixels, rng: add_rain(pixels, rain=Rain(), generator=rng),
    "glass": lambda pixels, rng: blur_by_glass(pixels, glass=Glass(), generator=rng),
    "motion": lambda pixels, rng: blur_by_motion(pixels, motion=Motion(), generator=rng),
    "jpeg": lambda pixels, rng: compress(pixels, jpeg=Jpeg(), generator=rng),
}


def photo(num_frames=2, height=97, width=139):
    """Smooth colours, lines and noise."""
    t, y, x = np.mgrid[:num_frames, :height, :width]
    waves = np.stack([np.sin(x / 9 + t), np.cos(y / 7), np.sin((x + y) / 13)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 10, waves.shape)
    return np.clip(128 + 80 * waves + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_seeded_and_visible(name):
    pixels = photo()
    before = pixels.copy()
    one, two, other = (
        DEGRADATIONS[name](pixels, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(pixels, before)
    assert one.shape == pixels.shape
    assert one.dtype == np.uint8
    change = np.abs(one.astype(int) - pixels).mean()
    assert 2 < change < 70


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_read_only_and_sliced_clips_are_fine(name):
    pixels = photo()[:, ::-1, 3:120:2]
    pixels.flags.writeable = False
    assert DEGRADATIONS[name](pixels, np.random.default_rng(0)).shape == pixels.shape


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_a_grey_wall_stays_what_it_is_but_for_the_rain(name):
    wall = np.full((1, 64, 80, 3), 90, np.uint8)
    result = DEGRADATIONS[name](wall, np.random.default_rng(0)).astype(int)
    if name == "rain":
        assert result.min() < 85  # a dark sky
        assert result.max() > 110  # bright streaks
        assert 0.02 < np.mean(result[..., 0] > 95) < 0.6
    else:
        assert np.abs(result - 90).max() <= 1


@pytest.mark.parametrize("slant", [-20, 0, 30])
def test_rain_leans_as_it_says(slant):
    wall = np.zeros((1, 200, 200, 3), np.uint8)
    rain = Rain(slant_deg=(slant, slant), blur=(0, 0), streaks=(1, 1), length=(0.3, 0.3))
    wet = add_rain(wall, rain=rain, generator=np.random.default_rng(3))[0, ..., 0].astype(float)
    rows, columns = np.nonzero(wet)
    assert len(rows) > 30
    spread = np.cov(np.stack([columns, rows]), aweights=wet[rows, columns])
    along = np.linalg.eigh(spread)[1][:, 1]
    angle = np.degrees(np.arctan2(along[0], along[1]))
    assert abs((angle - slant + 90) % 180 - 90) < 2


def test_rain_is_as_dense_at_any_resolution():
    rain = Rain(streaks=(300, 300), length=(0.1, 0.1), width=(0.008, 0.008), blur=(0.002, 0.002))
    shares = []
    for side in (128, 256, 512):
        wall = np.zeros((1, side, side, 3), np.uint8)
        wet = add_rain(wall, rain=rain, generator=np.random.default_rng(0))
        shares.append(wet.mean())
    assert max(shares) < 1.5 * min(shares)


def test_motion_kernels():
    for length, angle in ((3.0, 0.0), (7.5, 30.0), (20.0, 90.0), (11.0, 135.0)):
        kernel = line_kernel(length, angle)
        assert kernel.shape[0] == kernel.shape[1]
        assert kernel.shape[0] % 2 == 1
        np.testing.assert_allclose(kernel.sum(), 1, atol=1e-5)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-5)
        reach = kernel.shape[0] // 2
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        along = x * np.cos(np.radians(angle)) - y * np.sin(np.radians(angle))
        across = x * np.sin(np.radians(angle)) + y * np.cos(np.radians(angle))
        # A uniform line of length L has variance L^2 / 12; interpolation adds at most 1 / 4.
        assert abs(np.sum(kernel * along**2) - length**2 / 12) < 0.5 + 0.05 * length
        assert np.sum(kernel * across**2) < 0.3


def test_motion_smears_along_its_line():
    dot = np.zeros((1, 61, 61, 3), np.uint8)
    dot[:, 30, 30] = 255
    motion = Motion(length=(0.25, 0.25), angle_deg=(0, 0))
    smeared = blur_by_motion(dot, motion=motion, generator=np.random.default_rng(0))
    rows, columns = np.nonzero(smeared[0, ..., 0])
    assert set(rows) == {30}
    assert 14 <= np.ptp(columns) <= 17


def test_glass_moves_pixels_no_farther_than_it_says():
    edge = np.zeros((1, 100, 100, 3), np.uint8)
    edge[:, :, 50:] = 255
    glass = Glass(blur=(0, 0), reach=(0.03, 0.03), rounds=2)
    seen = blur_by_glass(edge, glass=glass, generator=np.random.default_rng(0))[0, ..., 0]
    assert (seen[:, : 50 - 8] == 0).all()
    assert (seen[:, 50 + 8 :] == 255).all()
    assert np.std(seen[:, 48].astype(float)) > 20


def test_jpeg_quality():
    pixels = photo(num_frames=1)
    error = [
        np.abs(
            compress(
                pixels, jpeg=Jpeg(quality=(quality, quality)), generator=np.random.default_rng(0)
            ).astype(int)
            - pixels
        ).mean()
        for quality in (5, 25, 90)
    ]
    assert error[0] > error[1] > error[2]


@pytest.mark.parametrize("kind", HOLE_KINDS)
@pytest.mark.parametrize("size", [(16, 16), (97, 139), (256, 128)])
def test_holes_are_never_empty_and_never_everything(kind, size):
    size = Size(height=size[0], width=size[1])
    for seed in range(30):
        hole = draw_hole(size, kind=kind, generator=np.random.default_rng(seed))
        assert hole.shape == (size.height, size.width)
        assert 0 < hole.mean() < 0.9


def test_tiny_frames_have_no_hole():
    with pytest.raises(ValueError, match="too small for a hole"):
        draw_hole(Size(height=15, width=40), kind="square", generator=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Rain, {"opacity": (0.5, 1.2)}, r"Rain\.opacity must be a range within 0 to 1"),
        (Rain, {"slant_deg": (20, -20)}, r"Rain\.slant_deg"),
        (Rain, {"streaks": (-1, 5)}, r"Rain\.streaks"),
        (Glass, {"reach": (-0.1, 0.1)}, r"Glass\.reach"),
        (Glass, {"rounds": 0}, r"Glass\.rounds must be at least 1"),
        (Motion, {"length": (0.3, 0.1)}, r"Motion\.length"),
        (Jpeg, {"quality": (0, 10)}, r"Jpeg\.quality must be a range within 1 to 95"),
    ],
)
def test_impossible_settings_are_refused(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)


def test_without_opencv_the_error_says_what_to_install(monkeypatch):

    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lavin-dit\[data\]'"):
        DEGRADATIONS["motion"](photo(), np.random.default_rng(0))
    DEGRADATIONS["jpeg"](photo(), np.random.default_rng(0))
