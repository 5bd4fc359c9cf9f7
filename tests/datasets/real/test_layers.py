"""Pasting layers: masks, motion and hiding against scenes that can be worked out by hand."""

import numpy as np
import pytest

from lavin_dit.datasets.real.layers import Layer, render_layers
from lavin_dit.datasets.real.scenes import SceneRule, draw_background, draw_thing
from lavin_dit.vision.geometry import Size

SIZE = Size(height=23, width=31)


def square(level, *, side, places):
    """An opaque square of one level whose corner is at a place in each frame."""
    poses = np.stack([np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]) for x, y in places])
    return Layer(
        colours=np.full((side, side, 3), level, dtype=np.float32),
        alpha=np.ones((side, side), dtype=np.float32),
        poses=poses,
    )


@pytest.fixture
def scene():
    """A still wall; a square that moves by (2, 1) a frame; a still one that it passes behind."""
    wall = square(10, side=40, places=[(0, 0)] * 3)
    mover = square(100, side=5, places=[(4, 6), (6, 7), (8, 8)])
    pillar = square(200, side=7, places=[(10, 4)] * 3)
    return render_layers([wall, mover, pillar], SIZE)


def test_pixels_and_masks_are_exact(scene):
    expected = np.zeros((23, 31), dtype=np.int32)
    expected[6:11, 4:9] = 1
    expected[4:11, 10:17] = 2
    np.testing.assert_array_equal(scene.ids[0], expected)
    levels = np.array([10, 100, 200], dtype=np.uint8)[scene.ids]
    np.testing.assert_array_equal(scene.rgb, np.repeat(levels[..., None], 3, axis=-1))


def test_the_full_mask_goes_on_behind_what_is_nearer(scene):
    assert (scene.ids[2] == 1).sum() == 5 * 5 - 3 * 3
    assert scene.full_masks[2, 0].sum() == 25
    np.testing.assert_array_equal(scene.full_masks[2, 0][8:13, 8:13], True)


def test_motion_is_that_of_what_a_pixel_shows(scene):
    np.testing.assert_allclose(scene.motion_px[:2][scene.ids[:2] == 1], [[2, 1]] * 46)
    np.testing.assert_array_equal(scene.motion_px[:2][scene.ids[:2] != 1], 0)
    np.testing.assert_array_equal(scene.motion_px[2], 0)


def test_what_hides_is_known(scene):
    assert scene.hidden_next[2].all()
    hidden = np.zeros((23, 31), dtype=np.bool_)
    # The wall that the mover covers in frame 1, and the mover's corner that the pillar then hides.
    hidden[7:12, 6:11] = True
    hidden[6:11, 4:9] = False
    hidden[4:11, 10:17] = False
    hidden[6:10, 8] = True
    np.testing.assert_array_equal(scene.hidden_next[0], hidden)


@pytest.mark.parametrize("seed", range(6))
def test_flow_takes_each_frame_to_the_next(seed):
    """Photometric law: what is not hidden looks the same where the flow says that it went."""
    generator = np.random.default_rng(seed)
    rule = SceneRule(size=Size(height=97, width=131), max_speed=0.05, max_camera_speed=0.03)
    y, x = np.mgrid[:150, :190] / 9
    photo = np.stack([np.sin(x + y), np.cos(x - y), np.sin(x) * np.cos(y)], axis=-1)
    photo = (127 + 100 * photo).astype(np.uint8)
    cutout = np.zeros((60, 50, 4), dtype=np.uint8)
    cutout[5:55, 5:45, :3] = 255 - photo[:50, :40]
    cutout[5:55, 5:45, 3] = 255
    background = draw_background(photo, rule=rule, num_frames=4, generator=generator)
    thing = draw_thing(cutout, background=background, rule=rule, generator=generator)
    thing = Layer(colours=thing.colours, alpha=thing.alpha, poses=thing.poses)
    seen = render_layers([background, thing], rule.size)
    rows, columns = np.mgrid[:97, :131]
    for frame in range(3):
        target = seen.motion_px[frame] + np.stack([columns, rows], axis=-1)
        low = np.floor(target).astype(int)
        share = target - low
        inside = (low >= 0).all(axis=-1) & (low[..., 0] < 130) & (low[..., 1] < 96)
        # Only where all four neighbours show the same layer: others are mixtures.
        corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
        at = [
            (np.clip(low[..., 1] + v, 0, 96), np.clip(low[..., 0] + u, 0, 130)) for u, v in corners
        ]
        pure = inside & _deep_inside(seen.ids[frame])
        for place in at:
            pure &= _deep_inside(seen.ids[frame + 1])[place]
            pure &= seen.ids[frame + 1][place] == seen.ids[frame]
        u, v = share[..., :1], share[..., 1:]
        weights = [(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v]
        warped = sum(
            weight * seen.rgb[frame + 1][place] for weight, place in zip(weights, at, strict=True)
        )
        assert pure.mean() > 0.4
        error = np.abs(warped - seen.rgb[frame])[pure]
        assert error.mean() < 2.0
        assert not (seen.hidden_next[frame] & pure).any()


def _deep_inside(ids):
    """Where all pixels within 2 belong to the same layer."""
    result = np.ones(ids.shape, dtype=np.bool_)
    for down in range(-2, 3):
        for right in range(-2, 3):
            result &= np.roll(ids, (down, right), axis=(0, 1)) == ids
    return result


@pytest.mark.parametrize("seed", range(20))
def test_the_background_covers_every_frame(seed):
    generator = np.random.default_rng(seed)
    rule = SceneRule(size=Size(height=64, width=96), max_camera_speed=0.1)
    photo = np.full((90, 61, 3), 200, dtype=np.uint8)
    layer = draw_background(photo, rule=rule, num_frames=9, generator=generator)
    corners = np.array([[0, 0, 1], [96, 0, 1], [0, 64, 1], [96, 64, 1]]).T
    places = (np.linalg.inv(layer.poses) @ corners)[:, :2]
    assert places.min() > -1e-6
    assert (places[:, 0] <= layer.colours.shape[1] + 1e-6).all()
    assert (places[:, 1] <= layer.colours.shape[0] + 1e-6).all()
