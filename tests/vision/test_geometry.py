import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lavin_dit.vision.geometry import (
    ClipShape,
    Size,
    Window,
    crop_pixels,
    resize_linear,
    resize_maximum,
    resize_measured,
    resize_nearest,
    to_levels,
)

lengths = st.integers(1, 23)
sizes = st.builds(Size, height=lengths, width=lengths)


def field(height, width, seed=0):
    return np.random.default_rng(seed).normal(size=(2, height, width)).astype(np.float32)


@pytest.mark.parametrize("resize", [resize_linear, resize_maximum, resize_nearest])
@given(old=sizes)
@settings(max_examples=20, deadline=None)
def test_same_size_changes_nothing(resize, old):
    values = field(old.height, old.width)
    np.testing.assert_array_equal(resize(values, old), values)


@pytest.mark.parametrize("resize", [resize_linear, resize_maximum, resize_nearest])
@given(old=sizes, new=sizes)
@settings(max_examples=60, deadline=None)
def test_resizing_commutes_with_flipping(resize, old, new):
    values = field(old.height, old.width)
    one = resize(values[:, :, ::-1], new)
    two = resize(values, new)[:, :, ::-1]
    assert one.shape == (2, new.height, new.width)
    if resize is not resize_linear and old.width % 2 == 0 and new.width % 2 == 1:
        # The middle of an even row lies between two pixels: one of them must be taken.
        middle = new.width // 2
        one, two = np.delete(one, middle, axis=2), np.delete(two, middle, axis=2)
    np.testing.assert_allclose(one, two, atol=1e-6)


@given(old=sizes, new=sizes)
@settings(max_examples=30, deadline=None)
def test_linear_resizing_keeps_constants_and_range(old, new):
    constant = np.full((1, old.height, old.width), 3.5, dtype=np.float32)
    np.testing.assert_allclose(resize_linear(constant, new), 3.5, atol=1e-5)
    values = field(old.height, old.width)
    resized = resize_linear(values, new)
    assert resized.min() >= values.min() - 1e-5
    assert resized.max() <= values.max() + 1e-5


def test_linear_resizing_places_pixel_centres():
    # A ramp in continuous coordinates stays that ramp away from the borders.
    ramp = np.broadcast_to(np.arange(12, dtype=np.float32) + 0.5, (1, 5, 12)).copy()
    wide = resize_linear(ramp, Size(height=5, width=36))
    expected = (np.arange(36) + 0.5) / 3
    np.testing.assert_allclose(wide[0, 2, 3:-3], expected[3:-3], atol=1e-5)
    narrow = resize_linear(ramp, Size(height=5, width=4))
    np.testing.assert_allclose(narrow[0, 2, 1:-1], [4.5, 7.5], atol=1e-5)


def test_shrinking_averages_instead_of_picking():
    stripes = np.zeros((1, 6, 32), dtype=np.float32)
    stripes[:, :, ::4] = 4
    narrow = resize_linear(stripes, Size(height=6, width=8))
    np.testing.assert_allclose(narrow[:, :, 1:-1], 1, atol=1e-5)


def test_height_and_width_are_not_exchanged():
    values = field(7, 13)
    for resize in (resize_linear, resize_nearest, resize_maximum):
        assert resize(values, Size(height=3, width=17)).shape == (2, 3, 17)


@pytest.mark.parametrize("width", [3, 7, 9, 10, 23])
def test_unmeasured_pixels_do_not_leak(width):
    values = np.full((1, 8, 10), 2.0, dtype=np.float32)
    valid = np.ones(values.shape, dtype=bool)
    values[:, :, :4], valid[:, :, :4] = 1e6, False
    resized, known = resize_measured(values, valid, Size(height=5, width=width))
    assert known.any()
    assert not known.all()
    np.testing.assert_allclose(resized[known], 2.0, rtol=1e-5)


def test_thin_lines_survive_shrinking():
    lines = np.zeros((1, 31, 37), dtype=np.float32)
    lines[:, :, 11] = 1
    assert resize_maximum(lines, Size(height=7, width=9)).max(axis=2).min() == 1


def test_nearest_takes_only_what_is_there():
    labels = np.array([[[3, 9, 4]]], dtype=np.int32)
    resized = resize_nearest(labels, Size(height=2, width=11))
    assert resized.dtype == np.int32
    assert set(np.unique(resized)) == {3, 9, 4}


def test_window_cuts_what_it_says():
    values = field(9, 11)
    window = Window(top=2, left=3, height=4, width=5)
    np.testing.assert_array_equal(crop_pixels(values, window), values[:, 2:6, 3:8])


@pytest.mark.parametrize(
    "window",
    [
        Window(top=6, left=0, height=4, width=2),
        Window(top=0, left=10, height=2, width=2),
    ],
)
def test_window_must_lie_inside(window):
    with pytest.raises(ValueError, match="does not lie inside"):
        crop_pixels(field(9, 11), window)


@pytest.mark.parametrize("changed", [{"top": -1}, {"left": -1}, {"height": 0}, {"width": 0}])
def test_window_without_pixels_is_refused(changed):
    with pytest.raises(ValueError, match="at least 1 x 1"):
        Window(**({"top": 0, "left": 0, "height": 2, "width": 2} | changed))


def test_empty_sizes_are_refused():
    with pytest.raises(ValueError, match="at least 1 x 1"):
        Size(height=0, width=3)
    with pytest.raises(ValueError, match="at least 1 frame"):
        ClipShape(num_frames=0, height=2, width=3)


def test_levels_round_and_saturate():
    values = np.array([-3.0, 0.4, 0.6, 254.6, 300.0], dtype=np.float32)
    np.testing.assert_array_equal(to_levels(values), [0, 0, 1, 255, 255])
