import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavin_dit.data.augment import CentralFraming, RandomFraming, _resized
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import ClipShape, Size
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.sample import Sample

SIZE = Size(height=29, width=43)


def coordinates(height, width, num_frames=2):
    """A clip whose red is the row and green the column, and a depth that says the same."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([y, x, np.zeros_like(x)], axis=-1).astype(np.uint8)
    metres = (y + 1000.0 * (x + 1)).astype(np.float32)
    stacked = np.repeat(metres[None], num_frames, axis=0)
    return Sample(
        rgb=Rgb(pixels=np.repeat(pixels[None], num_frames, axis=0)),
        annotations=(Depth(metres=stacked, valid=np.ones(stacked.shape, dtype=bool)),),
        name="coordinates",
    )


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    seed=st.integers(0, 2**32),
    min_area=st.floats(0.01, 1),
    max_stretch=st.floats(1, 3),
)
def test_any_sample_comes_to_the_size(height, width, seed, min_area, max_stretch):
    framing = RandomFraming(size=SIZE, min_area=min_area, max_stretch=max_stretch)
    for frame in (framing, CentralFraming(size=SIZE)):
        framed = frame(
            coordinates(height, width, num_frames=1), generator=np.random.default_rng(seed)
        )
        assert framed.shape == ClipShape(num_frames=1, height=29, width=43)


def test_clip_and_annotations_move_together():
    framing = RandomFraming(size=SIZE)
    sample = coordinates(83, 97)
    for seed in range(20):
        framed = framing(sample, generator=np.random.default_rng(seed))
        pixels = framed.rgb.pixels.astype(np.float32)
        expected = pixels[..., 0] + 1000 * (pixels[..., 1] + 1)
        assert np.abs(framed[Depth].metres - expected).max() <= 501  # half a level of green
        np.testing.assert_allclose(pixels[0], pixels[1], atol=1)  # halves round either way


def test_windows_and_flips_vary_and_repeat_with_the_seed():
    framing = RandomFraming(size=SIZE)
    sample = coordinates(83, 97)
    framed = [framing(sample, generator=np.random.default_rng(seed)) for seed in range(40)]
    again = framing(sample, generator=np.random.default_rng(7))
    np.testing.assert_array_equal(framed[7].rgb.pixels, again.rgb.pixels)
    green = [one.rgb.pixels[0, 0, :, 1].astype(int) for one in framed]
    flipped = sum(int(row[0] > row[-1]) for row in green)
    assert 8 < flipped < 32
    assert len({tuple(row) for row in green}) > 35


def test_the_smallest_window_has_the_smallest_area():
    framing = RandomFraming(
        size=Size(height=20, width=20), min_area=0.25, max_stretch=1.0, flip=False
    )
    sample = coordinates(100, 140)
    spans = []
    for seed in range(100):
        green = framing(sample, generator=np.random.default_rng(seed)).rgb.pixels[0, 0, :, 1]
        spans.append((int(green[-1]) - int(green[0])) * 20 / 19)
    assert 48 <= min(spans) < 60
    assert 85 < max(spans) <= 101


def test_the_middle_is_kept_without_chance():
    framed = CentralFraming(size=Size(height=40, width=40))(
        coordinates(40, 90), generator=np.random.default_rng(0)
    )
    np.testing.assert_array_equal(framed.rgb.pixels[0, 0, :, 1], np.arange(25, 65))


@pytest.mark.parametrize(("height", "width"), [(13, 71), (140, 23), (29, 43), (61, 43)])
def test_resizing_is_that_of_samples(height, width):
    sample = random_scene(
        ClipShape(num_frames=3, height=67, width=89), generator=np.random.default_rng(0)
    )
    size = Size(height=height, width=width)
    fast, exact = _resized(sample, size), sample.resize(size)
    assert fast.shape == exact.shape
    error = fast.rgb.pixels.astype(int) - exact.rgb.pixels.astype(int)
    assert np.abs(error).max() <= 1
    np.testing.assert_array_equal(fast[Depth].metres, exact[Depth].metres)
    assert fast.kinds == exact.kinds
    assert _resized(fast, size) is fast


def test_all_kinds_survive():
    scene = random_scene(
        ClipShape(num_frames=2, height=61, width=47), generator=np.random.default_rng(0)
    )
    framed = RandomFraming(size=SIZE)(scene, generator=np.random.default_rng(1))
    assert framed.kinds == scene.kinds


@pytest.mark.parametrize("wrong", [{"min_area": 0.0}, {"min_area": 1.1}, {"max_stretch": 0.9}])
def test_ranges_are_checked(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must"):
        RandomFraming(size=SIZE, **wrong)
