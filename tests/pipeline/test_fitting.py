import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lavin_dit.pipeline.fitting import (
    Canvas,
    canvas_for,
    fit_frames,
    from_network,
    pad_to_whole_groups,
    place,
    to_bytes,
    to_network,
    unfit_frames,
)
from pictures import picture

side = st.integers(2, 90)


@settings(deadline=None, max_examples=40)
@given(height=side, width=side, rows=st.integers(1, 5), cols=st.integers(1, 5))
def test_any_picture_goes_onto_any_canvas_and_comes_back_at_its_size(
    height: int, width: int, rows: int, cols: int
) -> None:
    canvas = Canvas(height=16 * rows, width=16 * cols)
    frames = picture(height, width, seed=3)[None]
    for fit in ("pad", "stretch"):
        placement = place((height, width), canvas=canvas, fit=fit)
        fitted = fit_frames(frames, placement)
        assert fitted.shape == (1, 16 * rows, 16 * cols, 3)
        back = unfit_frames(torch.rand(1, 3, 16 * rows, 16 * cols), placement)
        assert back.shape == (1, 3, height, width)
        assert back.min() >= 0
        assert back.max() <= 1


def test_padding_keeps_the_aspect_and_stretching_fills() -> None:
    canvas = Canvas(height=32, width=48)
    padded = place((100, 50), canvas=canvas, fit="pad")
    assert (padded.top, padded.left, padded.height, padded.width) == (0, 16, 32, 16)
    stretched = place((100, 50), canvas=canvas, fit="stretch")
    assert (stretched.top, stretched.left, stretched.height, stretched.width) == (0, 0, 32, 48)


def test_a_picture_of_the_canvas_size_is_untouched() -> None:
    frames = picture(32, 48, seed=1)[None]
    placement = place((32, 48), canvas=Canvas(height=32, width=48), fit="pad")
    np.testing.assert_array_equal(fit_frames(frames, placement), frames)


def test_margins_repeat_the_border() -> None:
    frames = picture(16, 32, seed=2)[None]
    placement = place((16, 32), canvas=Canvas(height=32, width=32), fit="pad")
    fitted = fit_frames(frames, placement)
    np.testing.assert_array_equal(fitted[0, 8:24], frames[0])
    np.testing.assert_array_equal(fitted[0, :8], np.repeat(frames[0, :1], 8, axis=0))
    np.testing.assert_array_equal(fitted[0, 24:], np.repeat(frames[0, -1:], 8, axis=0))


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_a_smooth_picture_survives_the_round_trip(fit: str) -> None:
    frames = picture(61, 90, seed=5)[None]
    placement = place((61, 90), canvas=Canvas(height=96, width=112), fit=fit)
    network_input = to_network(
        fit_frames(frames, placement), device=torch.device("cpu"), dtype=torch.float32
    )
    assert network_input.min() >= -1
    assert network_input.max() <= 1
    back = to_bytes(unfit_frames(from_network(network_input[0]), placement))
    assert np.abs(back.astype(int) - frames).max() <= 6


@pytest.mark.parametrize(("size", "sides"), [((500, 512), (512, 512)), ((1, 33), (16, 48))])
def test_sizes_are_rounded_up_to_multiples_of_16(
    size: tuple[int, int], sides: tuple[int, int]
) -> None:
    canvas = canvas_for(*size)
    assert (canvas.height, canvas.width) == sides


def test_bad_sizes_and_fits() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0x48"):
        canvas_for(0, 48)
    with pytest.raises(ValueError, match="multiple of 16, got 40"):
        Canvas(height=40, width=48)


@pytest.mark.unchecked
def test_an_unknown_fit() -> None:
    with pytest.raises(ValueError, match="got 'crop'"):
        place((9, 9), canvas=Canvas(height=16, width=16), fit="crop")


@pytest.mark.parametrize(("length", "padded"), [(1, 1), (2, 5), (5, 5), (6, 9), (13, 13)])
def test_clips_are_padded_to_whole_groups(length: int, padded: int) -> None:
    frames = np.arange(length, dtype=np.uint8)[:, None, None, None].repeat(3, axis=-1)
    found = pad_to_whole_groups(frames, group=4)
    assert len(found) == padded
    np.testing.assert_array_equal(found[:length], frames)
    assert (found[length:] == length - 1).all()
