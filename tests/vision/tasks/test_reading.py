"""The law: what is read from a degraded target is what the sample's annotation says."""

import dataclasses

import numpy as np
import pytest

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.depth import Depth, along_curve, off_curve
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene


@pytest.fixture
def reread(quick_task, scene_for, show):
    """A scene, and what is read of its degraded target."""

    def read(name, *, with_key=True, seed=0, **settings):
        task = dataclasses.replace(quick_task(name), **settings)
        scene = scene_for(task, seed=seed)
        rule, pair = show(task, scene, seed=seed)
        picture = degrade(pair.target, generator=np.random.default_rng(seed + 100))
        result = task.read(picture, rule=rule, key=pair.key if with_key else None)
        return scene, result

    return read


def away_from_borders(ids, reach=3):
    """Pixels whose surroundings, as far as a blur reaches, are of one thing."""
    padded = np.pad(ids, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1,) * 2, axis=(1, 2))
    return windows.min(axis=(-1, -2)) == windows.max(axis=(-1, -2))


def overlap(one, two):
    return np.sum(one & two) / np.sum(one | two)


def mean_overlap(truth, read):
    """Mean intersection over union of each thing with what is read most often in its place."""
    scores = []
    for number in np.unique(truth[truth > 0]):
        best = np.bincount(read[truth == number]).argmax()
        scores.append(overlap(truth == number, read == best) if best else 0.0)
    return float(np.mean(scores))


def painted_quantity(depth, result):
    return along_curve(np.where(depth.valid, depth.metres, 1).astype(np.float64), result.curve)


@pytest.mark.parametrize("name", ["depth_estimation", "video_depth"])
def test_depth(reread, name):
    scene, result = reread(name)
    truth, read = scene[Depth], result.annotation
    assert result.metric
    trusted = away_from_borders(scene[Instances].ids) & away_from_borders(truth.valid.astype(int))
    np.testing.assert_array_equal(read.valid[trusted], truth.valid[trusted])
    both = trusted & truth.valid
    one, two = painted_quantity(truth, result)[both], painted_quantity(read, result)[both]
    error = np.abs(one - two) / np.ptp(one)
    assert error.mean() < 0.014  # noise of 6 levels in three channels on a range of 223


@pytest.mark.parametrize("name", ["depth_estimation", "video_depth"])
def test_depth_without_a_key_is_right_up_to_scale_and_shift(reread, name):
    scene, result = reread(name, with_key=False)
    assert not result.metric
    truth, read = scene[Depth], result.annotation
    trusted = away_from_borders(scene[Instances].ids) & away_from_borders(truth.valid.astype(int))
    both = trusted & truth.valid
    quantity = painted_quantity(truth, result)[both]
    design = np.stack([painted_quantity(read, result)[both], np.ones(both.sum())], axis=1)
    fitted, *_ = np.linalg.lstsq(design, quantity, rcond=None)
    assert fitted[0] > 0
    aligned = np.clip(design @ fitted, quantity.min(), quantity.max())
    metres = off_curve(aligned, result.curve)
    relative = np.abs(metres - truth.metres[both]) / truth.metres[both]
    assert relative.mean() < 0.025


@pytest.mark.parametrize("name", ["surface_normal_estimation", "video_normals"])
def test_normals(reread, name):
    scene, result = reread(name)
    truth, read = scene[Normals], result.annotation
    both = truth.valid & read.valid & away_from_borders(scene[Instances].ids)
    cosine = np.sum(truth.vectors[both] * read.vectors[both], axis=-1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < 3.8


def test_flow(reread):
    scene, result = reread("optical_flow")
    truth, read = scene[Flow], result.annotation
    assert result.in_pixels
    assert not read.valid[-1].any()
    both = truth.valid & read.valid & away_from_borders(scene[Instances].ids)
    assert both[:-1].mean() > 0.5
    error = np.linalg.norm(truth.pixels - read.pixels, axis=-1)[both]
    assert error.mean() < 0.04 * np.linalg.norm(truth.pixels[both], axis=-1).max()


def test_flow_without_a_key_is_right_up_to_scale(reread):
    scene, result = reread("optical_flow", with_key=False)
    truth, read = scene[Flow], result.annotation
    assert not result.in_pixels
    both = truth.valid & read.valid & away_from_borders(scene[Instances].ids)
    one, two = truth.pixels[both], read.pixels[both]
    scale = np.sum(one * two) / np.sum(two * two)
    assert scale > 0
    error = np.linalg.norm(one - scale * two, axis=-1)
    assert error.mean() < 0.04 * np.linalg.norm(one, axis=-1).max()


@pytest.mark.parametrize("name", ["instance_segmentation", "video_instance_segmentation"])
@pytest.mark.parametrize("with_key", [True, False])
def test_instances(reread, name, with_key):
    scene, result = reread(name, with_key=with_key)
    truth, read = scene[Instances], result.annotation
    assert mean_overlap(truth.ids, read.ids) > 0.97
    if with_key:
        assert set(read.names) == set(truth.names)
        assert np.mean(read.ids == truth.ids) > 0.98


def test_panoptic(reread):
    scene, result = reread("panoptic_segmentation")
    truth, read = scene[Panoptic], result.annotation
    assert mean_overlap(truth.ids, read.ids) > 0.95
    true_classes = np.concatenate([[-1], truth.classes])[truth.ids]
    read_classes = np.concatenate([[-1], read.classes])[read.ids]
    assert np.mean(true_classes == read_classes) > 0.98


def test_panoptic_classes_are_read_with_the_rule_alone(reread):
    scene, result = reread("panoptic_segmentation", with_key=False)
    truth, read = scene[Panoptic], result.annotation
    true_classes = np.concatenate([[-1], truth.classes])[truth.ids]
    read_classes = np.concatenate([[-1], read.classes])[read.ids]
    assert np.mean(true_classes == read_classes) > 0.98


def box_overlaps(truth, read):
    """Intersection over union of every box with each that was read."""
    low = np.maximum(truth[:, None, :2], read[None, :, :2])
    high = np.minimum(truth[:, None, 2:], read[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (truth, read)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)


@pytest.mark.parametrize("with_key", [True, False])
def test_boxes_told_apart_by_colour(reread, with_key):
    scene, result = reread("object_detection", with_key=with_key, by_class=0.0)
    truth, read = scene[Boxes], result.annotation
    found = read.corners_px[0][read.present[0]]
    assert len(found) == truth.present.sum()
    overlaps = box_overlaps(truth.corners_px[0][truth.present[0]], found).max(axis=1)
    # A side that another box's line hides for most of its length is read less exactly.
    assert overlaps.min() > 0.8
    assert overlaps.mean() > 0.97
    if with_key:
        np.testing.assert_array_equal(read.classes, truth.classes)
    else:
        assert set(read.classes.tolist()) == {-1}


def test_boxes_whose_colour_names_their_class(quick_task, show):
    """Boxes of a class that do not touch are found, each with its class, by the rule alone."""
    task = dataclasses.replace(quick_task("object_detection"), by_class=1.0)
    shape = ClipShape(num_frames=1, height=107, width=131)
    scene = random_scene(shape, generator=np.random.default_rng(3), num_things=3, num_classes=3)
    boxes = dataclasses.replace(
        scene[Boxes],
        corners_px=np.array([[[4, 5, 40.5, 44], [60, 9.25, 100, 61], [8, 70, 52, 99]]], np.float32),
        present=np.ones((1, 3), dtype=bool),
        classes=np.array([7, 3, 7], dtype=np.int32),
    )
    scene = dataclasses.replace(scene, annotations=(boxes,))
    rule, pair = show(task, scene)
    assert set(rule.classes) == {3, 7}
    picture = degrade(pair.target, generator=np.random.default_rng(0))
    read = task.read(picture, rule=rule).annotation
    overlaps = box_overlaps(boxes.corners_px[0], read.corners_px[0])
    assert overlaps.shape == (3, 3)
    assert overlaps.max(axis=1).min() > 0.95
    np.testing.assert_array_equal(read.classes[overlaps.argmax(axis=1)], [7, 3, 7])


@pytest.mark.parametrize("with_key", [True, False])
def test_pose(reread, with_key):
    scene, result = reread("pose_estimation", with_key=with_key)
    truth, read = scene[Keypoints], result.annotation
    labelled = truth.visibility[0] > 0
    if not with_key:  # up to order: here, from left to right
        centres = [
            np.mean(own[seen > 0, 0])
            for own, seen in zip(read.positions_px[0], read.visibility[0], strict=True)
        ]
        order = np.argsort(centres)
        read = dataclasses.replace(
            read, positions_px=read.positions_px[:, order], visibility=read.visibility[:, order]
        )
    assert read.visibility.shape == truth.visibility.shape
    found = labelled & (read.visibility[0] > 0)
    assert found.sum() >= 0.9 * labelled.sum()
    error = np.linalg.norm(truth.positions_px - read.positions_px, axis=-1)[0][found]
    assert np.median(error) < 0.3


def test_edges(quick_task, scene_for, show):
    task = quick_task("edge_detection")
    _, pair = show(task, scene_for(task))
    truth = pair.target[..., 0] > 127
    picture = degrade(pair.target, generator=np.random.default_rng(0))
    read = task.read(picture).annotation.strength > 0.5
    assert 2 * np.sum(truth & read) / (truth.sum() + read.sum()) > 0.95


def test_foreground(reread):
    scene, result = reread("foreground_segmentation")
    assert overlap(scene[Mask].foreground, result.annotation.foreground) > 0.995


def test_single_objects_are_read_to_a_fraction_of_a_pixel(reread):
    errors = []
    for seed in range(12):
        scene, result = reread("single_object_detection", seed=seed)
        read = result.annotation
        assert read.present.tolist() == [[True]]
        moved = scene[Boxes].corners_px + 0  # whole pixels
        errors.append(np.abs(read.corners_px - moved).max())
    assert max(errors) < 0.25


@pytest.mark.parametrize(
    "corners", [(10.25, 20.5, 60.75, 70.125), (0, 0, 131, 107), (0.5, 30, 9.5, 106.5), (3, 4, 7, 9)]
)
def test_single_objects_between_pixels(quick_task, scene_for, show, corners):
    task = quick_task("single_object_detection")
    scene = scene_for(task)
    boxes = dataclasses.replace(scene[Boxes], corners_px=np.array([[corners]], dtype=np.float32))
    scene = dataclasses.replace(scene, annotations=(boxes,))
    _, pair = show(task, scene)
    picture = degrade(pair.target, generator=np.random.default_rng(0))
    read = task.read(picture).annotation.corners_px[0, 0]
    np.testing.assert_allclose(read, corners, atol=0.25)


def test_of_several_white_patches_that_with_the_largest_box_counts(quick_task):
    picture = np.zeros((1, 40, 50, 3), dtype=np.uint8)
    picture[0, 2:12, 3:13] = 255
    picture[0, 20, 15:45] = 255  # a box of 30 x 15 pixels, but few of them white
    picture[0, 20:35, 15] = 255
    read = quick_task("single_object_detection").read(picture).annotation
    np.testing.assert_allclose(read.corners_px[0, 0], [15, 20, 45, 35], atol=0.1)


def test_frames_are_read_after_the_given_ones(reread):
    scene, result = reread("frame_prediction")
    assert result.annotation.shape.num_frames == scene.shape.num_frames - 1
    difference = np.abs(result.annotation.pixels.astype(int) - scene.rgb.pixels[1:])
    assert difference.mean() < 13
