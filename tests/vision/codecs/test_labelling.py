import cv2
import numpy as np
import pytest

from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.labelling import (
    connected_components,
    label_boxes,
    nearest_colour,
    read_labels,
)
from lavin_dit.vision.codecs.palette import INSTANCE_COLOURS


def test_nearest_colour_is_by_distance():
    picture = np.array([[[[250, 4, 9], [1, 2, 3], [90, 0, 0]]]], dtype=np.uint8)
    colours = np.array([[255, 0, 0], [0, 255, 0]], dtype=np.uint8)
    labels, distance = nearest_colour(picture, colours)
    np.testing.assert_array_equal(labels, [[[1, 0, 0]]])
    np.testing.assert_allclose(distance, [[[np.sqrt(122), np.sqrt(14), 90]]], rtol=1e-3)


def test_dimmed_colours_are_themselves_where_asked():
    picture = np.array([[[[130, 1, 0], [90, 2, 0], [30, 0, 1]]]], dtype=np.uint8)
    colours = np.array([[250, 0, 0], [90, 0, 60]], dtype=np.uint8)
    strict, _ = nearest_colour(picture, colours)
    np.testing.assert_array_equal(strict, [[[2, 2, 0]]])
    labels, distance = nearest_colour(picture, colours, dimmest=0.5)
    np.testing.assert_array_equal(labels, [[[1, 1, 0]]])
    np.testing.assert_allclose(distance, [[[1, np.hypot(35, 2), np.hypot(30, 1)]]], rtol=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_components_agree_with_opencv(seed):
    labels = np.random.default_rng(seed).integers(0, 3, (2, 23, 31))
    numbers = connected_components(labels, across_frames=False)
    for frame in range(2):
        for value in range(3):
            mask = (labels[frame] == value).astype(np.uint8)
            count, theirs = cv2.connectedComponents(mask, connectivity=4)
            pairs = np.unique(np.stack([theirs[mask > 0], numbers[frame][mask > 0]]), axis=1)
            assert pairs.shape[1] == count - 1 == len(np.unique(pairs[1]))
    assert len(np.unique(numbers)) == numbers.max() + 1


def test_components_connect_frames_only_where_asked():
    labels = np.zeros((3, 4, 5), dtype=np.int32)
    labels[0, 1, 1] = labels[1, 1, 1] = labels[2, 3, 4] = 7
    apart = connected_components(labels, across_frames=False)
    assert apart[0, 1, 1] != apart[1, 1, 1]
    assert apart[0, 0, 0] != apart[1, 0, 0]
    joined = connected_components(labels, across_frames=True)
    assert joined[0, 1, 1] == joined[1, 1, 1] != joined[2, 3, 4]
    assert joined[0, 0, 0] == joined[2, 0, 0]


def test_a_spiral_is_one_component():
    labels = np.zeros((1, 9, 9), dtype=np.int32)
    labels[0, 0, :] = labels[0, :, 8] = labels[0, 8, :] = labels[0, 2:, 0] = 1
    labels[0, 2, :7] = labels[0, 2:7, 6] = labels[0, 6, 2:7] = labels[0, 4:6, 2] = 1
    assert len(np.unique(connected_components(labels, across_frames=False)[labels == 1])) == 1


def test_boxes_around_labels():
    labels = np.zeros((2, 6, 8), dtype=np.int32)
    labels[0, 2:4, 3:7] = 1
    labels[1, 5, 0] = 3
    np.testing.assert_array_equal(
        label_boxes(labels, num_labels=3), [[3, 2, 7, 4], [0, 0, 0, 0], [0, 5, 1, 6]]
    )


def test_mixed_borders_do_not_become_a_third_label():
    """Halves of every pair of colours: the blurred border between them holds nothing else."""
    generator = np.random.default_rng(0)
    naive, read = 0, 0
    for first in range(24):
        for second in range(first):
            picture = np.empty((1, 12, 24, 3), dtype=np.uint8)
            picture[:, :, :12] = INSTANCE_COLOURS[first]
            picture[:, :, 12:] = INSTANCE_COLOURS[second]
            degraded = degrade(picture, generator=generator)
            truth = np.where(np.arange(24) < 12, first + 1, second + 1)
            naive += np.sum(
                ~np.isin(nearest_colour(degraded, INSTANCE_COLOURS)[0], [first + 1, second + 1])
            )
            labels = read_labels(degraded, INSTANCE_COLOURS, min_area_px=16)
            assert set(np.unique(labels)) == {first + 1, second + 1}
            read += np.sum(labels != truth)
    assert naive > 100  # pixel by pixel, third colours do appear
    assert read < 0.03 * 276 * 12  # of the pixels along the border, on its wrong side


def test_thin_lines_survive_but_specks_do_not():
    picture = np.zeros((1, 40, 60, 3), dtype=np.uint8)
    picture[:, 10:13, 5:55] = INSTANCE_COLOURS[6]
    picture[:, 30:32, 30:32] = INSTANCE_COLOURS[3]
    labels = read_labels(
        degrade(picture, generator=np.random.default_rng(1)), INSTANCE_COLOURS, min_area_px=9
    )
    assert set(np.unique(labels)) == {0, 7}
    assert (labels[0, 10:13, 8:52] == 7).mean() > 0.9


def test_a_picture_of_noise_is_read_without_complaint():
    picture = np.random.default_rng(0).integers(0, 256, (2, 33, 47, 3)).astype(np.uint8)
    labels = read_labels(picture, INSTANCE_COLOURS, min_area_px=16)
    assert labels.min() >= 0
    assert labels.max() <= 24


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2)])
def test_tiny_frames_can_be_read(size):
    picture = np.full((1, *size, 3), INSTANCE_COLOURS[4], dtype=np.uint8)
    assert (read_labels(picture, INSTANCE_COLOURS, min_area_px=16) == 5).all()
