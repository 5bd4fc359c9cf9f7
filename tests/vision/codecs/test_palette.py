import numpy as np
import pytest

from lavin_dit.vision.codecs.palette import (
    INSTANCE_COLOURS,
    JOINT_COLOURS,
    LINE_COLOURS,
    PERSON_COLOURS,
    class_colours,
    colours_by_place,
    grid_anchors,
    least_distance,
    mixture_clearance,
)


def test_instance_colours_are_far_from_each_other_and_from_mixtures():
    assert len(INSTANCE_COLOURS) == 24
    assert least_distance(INSTANCE_COLOURS) >= 100
    assert mixture_clearance(INSTANCE_COLOURS) >= 30


def test_class_colours_stay_apart():
    table = class_colours(num_hues=12, num_shades=5)
    assert len(np.unique(table, axis=0)) == 60
    assert least_distance(table) >= 50
    assert least_distance(class_colours(num_hues=24, num_shades=3)) >= 24


def test_joint_colours_stay_apart():
    assert least_distance(JOINT_COLOURS) >= 80
    between = np.linalg.norm(
        JOINT_COLOURS[:, None].astype(float) - PERSON_COLOURS[None].astype(float), axis=-1
    )
    assert between.min() >= 80
    assert dimmed_distance(JOINT_COLOURS, 0.0) >= 50


def test_line_colours_stay_apart_when_dimmed():
    assert len(LINE_COLOURS) == 24
    assert least_distance(LINE_COLOURS) >= 85
    assert dimmed_distance(LINE_COLOURS, 0.6) >= 65
    assert (0.6 * np.linalg.norm(LINE_COLOURS.astype(float), axis=-1)).min() >= 95


def dimmed_distance(table, dimmest):
    """Smallest distance of a colour from another one, dimmed down to a share."""
    colours = table.astype(float)
    power = np.sum(colours**2, axis=-1)
    share = np.clip(colours @ colours.T / power, dimmest, 1)
    distance = np.linalg.norm(colours[:, None] - share[..., None] * colours, axis=-1)
    return distance[~np.eye(len(table), dtype=bool)].min()


def test_clearance_sees_a_midpoint():
    colours = np.array([[200, 0, 0], [0, 200, 0], [100, 104, 0]], dtype=np.uint8)
    assert mixture_clearance(colours) == pytest.approx(np.sqrt(8), abs=0.01)
    assert least_distance(colours) == pytest.approx(np.hypot(100, 96), abs=0.01)


def test_class_shades_run_from_dark_to_pale_within_a_hue():
    table = class_colours(num_hues=3, num_shades=3).reshape(3, 3, 3).astype(int)
    assert (np.diff(table.sum(axis=-1), axis=1) > 0).all()
    np.testing.assert_array_equal(table[0, 1], [255, 0, 0])
    np.testing.assert_array_equal(class_colours(num_hues=1, num_shades=1), [[255, 0, 0]])
    with pytest.raises(ValueError, match="at least 1 hue"):
        class_colours(num_hues=0, num_shades=3)


def test_colours_follow_places_and_the_larger_chooses_first():
    anchors = grid_anchors(rows=1, columns=2)
    boxes = np.array([[0, 0, 10, 10], [0, 0, 30, 30], [70, 0, 80, 9]], dtype=float)
    chosen = colours_by_place(boxes[[0, 1]], anchors=anchors, width=100, height=50)
    np.testing.assert_array_equal(chosen, [1, 0])
    chosen = colours_by_place(boxes[[0, 2]], anchors=anchors, width=100, height=50)
    np.testing.assert_array_equal(chosen, [0, 1])


def test_beyond_the_palette_the_farthest_share_a_colour():
    anchors = grid_anchors(rows=1, columns=2)
    boxes = np.array([[0, 0, 20, 20], [80, 0, 100, 20], [22, 0, 30, 8]], dtype=float)
    chosen = colours_by_place(boxes, anchors=anchors, width=100, height=50)
    assert chosen[0] != chosen[1]
    assert chosen[2] == chosen[1]


def test_no_things_need_no_colours():
    chosen = colours_by_place(
        np.zeros((0, 4)), anchors=grid_anchors(rows=1, columns=2), width=4, height=4
    )
    assert chosen.shape == (0,)
