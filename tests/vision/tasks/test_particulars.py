"""What is particular to a task: its rule, what it leaves out, and when it has nothing to paint."""

import dataclasses

import cv2
import numpy as np
import pytest

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import NothingToPaintError
from lavin_dit.vision.tasks.frame_prediction import FramePrediction
from lavin_dit.vision.tasks.inpainting import InpaintingRule
from lavin_dit.vision.tasks.object_detection import DetectionRule
from lavin_dit.vision.tasks.panoptic_segmentation import PanopticRule


def emptied(annotation):
    """The annotation without anything in it."""
    match annotation:
        case Depth() | Normals() | Flow():
            return dataclasses.replace(annotation, valid=np.zeros_like(annotation.valid))
        case Mask():
            return Mask(foreground=np.zeros_like(annotation.foreground))
        case Instances() | Panoptic():
            return dataclasses.replace(annotation, ids=np.zeros_like(annotation.ids))
        case Boxes():
            return dataclasses.replace(annotation, present=np.zeros_like(annotation.present))
        case Keypoints():
            nobody = np.zeros_like(annotation.visibility)
            return dataclasses.replace(annotation, visibility=nobody)
        case _:
            return annotation


NEEDS_COLOUR_OR_EDGES = {"colorization", "edge_detection"}


def test_nothing_to_paint(task, scene_for, show):
    scene = scene_for(task)
    rule, _ = show(task, scene)
    empty = dataclasses.replace(
        scene,
        rgb=Rgb(pixels=np.full_like(scene.rgb.pixels, 90)),
        annotations=tuple(map(emptied, scene.annotations)),
        name="empty",
    )
    generator = np.random.default_rng(0)
    if not task.needs and task.name not in NEEDS_COLOUR_OR_EDGES:
        task.render(empty, rule=rule, generator=generator)
        return
    with pytest.raises(NothingToPaintError, match="sample 'empty' cannot be rendered: ") as error:
        task.render(empty, rule=rule, generator=generator)
    assert "empty" not in error.value.reason.replace("is empty", "")
    if task.rule_type is not None:
        with pytest.raises(NothingToPaintError):
            task.draw_rule([empty], generator=generator)


def test_no_instances_at_all(quick_task, scene_for):
    """Arrays of length 0, as a source gives for a photo without people or boxes."""
    generator = np.random.default_rng(0)
    task = quick_task("object_detection")
    scene = scene_for(task)
    size = scene.shape.size
    none = Sample(
        rgb=scene.rgb,
        annotations=(
            Boxes(
                corners_px=np.zeros((1, 0, 4), np.float32),
                present=np.zeros((1, 0), bool),
                classes=np.zeros(0, np.int32),
                size=size,
            ),
            Keypoints(
                positions_px=np.zeros((1, 0, 17, 2), np.float32),
                visibility=np.zeros((1, 0, 17), np.uint8),
                size=size,
            ),
        ),
    )
    for name in ("object_detection", "pose_estimation", "pose_to_image", "single_object_detection"):
        rule = DetectionRule(classes=None) if name == "object_detection" else None
        with pytest.raises(NothingToPaintError):
            quick_task(name).render(none, rule=rule, generator=generator)


def test_a_box_of_two_pixels_width_is_read(quick_task):
    """A column that is white only outside of its middle half moved both sides to one place."""
    picture = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    picture[0, 10:42, 5] = picture[0, 10, 6] = 255
    boxes = quick_task("single_object_detection").read(picture).annotation
    np.testing.assert_array_equal(boxes.corners_px[0, 0, ::2], [5, 7])


def test_two_objects_are_no_single_object(quick_task, scene_for):
    task = quick_task("single_object_detection")
    with pytest.raises(NothingToPaintError, match="not exactly one object"):
        task.render(scene_for(task, num_things=2), generator=np.random.default_rng(0))


def test_a_panoptic_rule_gives_a_class_one_hue_in_all_pairs(quick_task, scene_for):
    task = quick_task("panoptic_segmentation")
    scenes = [scene_for(task, seed=seed) for seed in range(3)]
    rule = task.draw_rule(scenes, generator=np.random.default_rng(4))
    shown = {number for scene in scenes for number in np.unique(scene[Panoptic].classes).tolist()}
    assert set(rule.classes) == shown
    hues = {}
    for scene in scenes:
        pair = task.render(scene, rule=rule, generator=np.random.default_rng(0))
        panoptic = scene[Panoptic]
        for number in np.unique(panoptic.ids):
            colour = pair.target[panoptic.ids == number][0].astype(float)
            # Shades of a hue differ in brightness and in paleness; what remains is the hue.
            pure = (colour - colour.min()) / np.ptp(colour)
            hues.setdefault(int(panoptic.classes[number - 1]), []).append(pure)
    for own in hues.values():
        np.testing.assert_allclose(own, np.broadcast_to(own[0], np.shape(own)), atol=0.02)
    middle = [np.mean(own, axis=0) for own in hues.values()]
    distance = [np.abs(a - b).max() for i, a in enumerate(middle) for b in middle[:i]]
    assert min(distance) > 0.2


def test_panoptic_hues_are_drawn_for_each_episode(quick_task, scene_for):
    task = quick_task("panoptic_segmentation")
    scene = scene_for(task)
    rules = {task.draw_rule([scene], generator=np.random.default_rng(s)) for s in range(8)}
    assert len(rules) > 4
    fixed = dataclasses.replace(task, shuffle=False)
    rules = {fixed.draw_rule([scene], generator=np.random.default_rng(s)) for s in range(8)}
    assert rules == {PanopticRule(classes=tuple(np.unique(scene[Panoptic].classes).tolist()))}


def test_what_the_context_does_not_show_stays_black(quick_task, scene_for):
    task = quick_task("panoptic_segmentation")
    scene = scene_for(task)
    panoptic = scene[Panoptic]
    known = int(panoptic.classes[-1])
    rule = PanopticRule(classes=(known,))
    pair = task.render(scene, rule=rule, generator=np.random.default_rng(0))
    inside = np.concatenate([[False], panoptic.classes == known])[panoptic.ids]
    np.testing.assert_array_equal(pair.target.max(axis=-1) > 0, inside)


def test_more_classes_than_hues_keeps_the_largest(quick_task, scene_for):
    task = quick_task("panoptic_segmentation")
    scene = scene_for(task)
    classes = np.arange(len(scene[Panoptic].classes), dtype=np.int32) + 100
    panoptic = dataclasses.replace(scene[Panoptic], classes=classes)
    scene = dataclasses.replace(scene, annotations=(panoptic,))
    few = dataclasses.replace(task, codec=dataclasses.replace(task.codec, num_hues=3))
    rule = few.draw_rule([scene], generator=np.random.default_rng(0))
    areas = np.bincount(panoptic.ids.ravel())[1:]
    assert set(rule.classes) == set(classes[np.argsort(-areas)[:3]].tolist())
    few.render(scene, rule=rule, generator=np.random.default_rng(0))


def test_an_episode_about_few_classes_names_some_of_the_first_pairs(quick_task, scene_for):
    """Two to four, and never the one that covers most; other samples decide nothing."""
    task = dataclasses.replace(quick_task("panoptic_segmentation"), few_classes=1.0)
    numbers = set()
    for seed in range(12):
        first = dataclasses.replace(scene_for(task, seed=seed, num_things=6), name=f"scene {seed}")
        panoptic = first[Panoptic]
        areas = np.bincount(panoptic.classes[panoptic.ids[panoptic.ids > 0] - 1])
        rules = [
            task.draw_rule([first, other], generator=np.random.default_rng(s))
            for s, other in enumerate([first, scene_for(task, seed=99), scene_for(task, seed=98)])
        ]
        (named,) = {frozenset(rule.classes) for rule in rules}
        assert 2 <= len(named) <= 4
        assert int(areas.argmax()) not in named
        assert all(areas[number] >= 0.01 * panoptic.ids.size for number in named)
        numbers.add(len(named))
        pair = task.render(first, rule=rules[0], generator=np.random.default_rng(0))
        inside = np.isin(panoptic.classes, list(named))
        known = np.concatenate([[False], inside])[panoptic.ids]
        np.testing.assert_array_equal(pair.target.max(axis=-1) > 0, known)
    assert len(numbers) > 1


def test_a_share_of_the_episodes_is_about_few_classes(quick_task, scene_for):
    task = quick_task("panoptic_segmentation")
    some = dataclasses.replace(task, few_classes=0.5)
    scene = scene_for(task, num_things=6)
    scenes = [dataclasses.replace(scene, name=f"scene {number}") for number in range(24)]
    rules = [
        [one.draw_rule([scene], generator=np.random.default_rng(0)) for one in (task, some)]
        for scene in scenes
    ]
    fewer = [len(few.classes) < len(every.classes) for every, few in rules]
    assert 4 < sum(fewer) < 20
    assert all(every == few for (every, few), less in zip(rules, fewer, strict=True) if not less)


def test_a_sample_with_too_few_classes_begins_no_episode_about_few(quick_task, scene_for):
    task = dataclasses.replace(quick_task("panoptic_segmentation"), few_classes=1.0)
    plain = scene_for(task)
    panoptic = plain[Panoptic]
    alike = dataclasses.replace(panoptic, classes=np.minimum(panoptic.classes, 1))
    scene = dataclasses.replace(plain, annotations=(alike,), name="plain")
    with pytest.raises(NothingToPaintError, match=r"'plain'.*too few classes are in sight"):
        task.draw_rule([scene], generator=np.random.default_rng(0))
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"few_classes must lie in .0, 1., got {share}"):
            dataclasses.replace(task, few_classes=share)


def test_detection_rules_are_of_both_kinds(quick_task, scene_for):
    task = quick_task("object_detection")
    scene = scene_for(task)
    rules = [task.draw_rule([scene], generator=np.random.default_rng(s)) for s in range(40)]
    with_classes = [rule for rule in rules if rule.classes is not None]
    assert 10 < len(with_classes) < 30
    shown = set(scene[Boxes].classes[scene[Boxes].present[0]].tolist())
    assert all(set(rule.classes) == shown for rule in with_classes)
    assert len({rule.classes for rule in with_classes}) > 5
    with pytest.raises(ValueError, match="1 to 8 classes"):
        DetectionRule(classes=tuple(range(9)))


def test_unknown_classes_never_name_colours(quick_task, scene_for):
    task = dataclasses.replace(quick_task("object_detection"), by_class=1.0)
    scene = scene_for(task)
    boxes = dataclasses.replace(scene[Boxes], classes=np.full_like(scene[Boxes].classes, -1))
    scene = dataclasses.replace(scene, annotations=(boxes,))
    assert task.draw_rule([scene], generator=np.random.default_rng(0)).classes is None


def test_boxes_too_small_or_too_many_are_left_out(quick_task, scene_for):
    task = quick_task("object_detection")
    scene = scene_for(task)
    x, y = np.meshgrid(np.arange(7) * 18, np.arange(5) * 20)
    corners = np.stack([x, y, x + 16, y + 18], axis=-1).reshape(1, 35, 4).astype(np.float32)
    corners[0, 3, 2] = corners[0, 3, 0] + 7
    boxes = Boxes(
        corners_px=corners,
        present=np.ones((1, 35), bool),
        classes=np.zeros(35, np.int32),
        size=scene.shape.size,
    )
    scene = dataclasses.replace(scene, annotations=(boxes,))
    rule = DetectionRule(classes=None)
    pair = task.render(scene, rule=rule, generator=np.random.default_rng(0))
    read = task.read(pair.target, rule=rule, key=pair.key).annotation
    assert read.present.sum() == 24
    assert not pair.target[0, :18, 54:61].any()


def test_small_and_surplus_objects_are_left_out(quick_task, scene_for):
    task = quick_task("instance_segmentation")
    scene = scene_for(task)
    ids = np.zeros((1, 107, 131), np.int32)
    for number in range(30):
        y, x = divmod(number, 6)
        ids[0, y * 20 : y * 20 + 12 + (number < 6), x * 20 : x * 20 + 12] = number + 1
    ids[0, 102:105, 2:12] = 99  # 30 pixels
    scene = dataclasses.replace(scene, annotations=(Instances(ids=ids),))
    pair = task.render(scene, generator=np.random.default_rng(0))
    assert len(pair.key.names) == 24
    assert set(range(1, 7)) <= set(pair.key.names)
    assert 99 not in pair.key.names


def test_an_object_too_small_in_every_frame_is_left_out(quick_task):
    task = dataclasses.replace(quick_task("video_instance_segmentation"), least_area_px=40)
    ids = np.zeros((task.num_frames, 40, 40), dtype=np.int32)
    ids[:, 4:24, 4:24] = 1
    ids[:, 30:33, 30:34] = 2  # 12 pixels, in all frames together enough
    pixels = np.zeros((*ids.shape, 3), dtype=np.uint8)
    sample = Sample(name="a", rgb=Rgb(pixels=pixels), annotations=(Instances(ids=ids),))
    assert (ids == 2).sum() > task.least_area_px
    pair = task.render(sample, generator=np.random.default_rng(0))
    assert pair.key.names == (1,)


def test_small_people_are_left_out(quick_task, scene_for):
    task = quick_task("pose_estimation")
    scene = scene_for(task)
    poses = scene[Keypoints]
    positions = poses.positions_px.copy()
    positions[0, 1] = positions[0, 1].mean(axis=0) + (positions[0, 1] % 5)
    changed = dataclasses.replace(poses, positions_px=positions)
    scene = dataclasses.replace(scene, annotations=(changed,))
    pair = task.render(scene, generator=np.random.default_rng(0))
    assert len(pair.key.colours) == 1


def test_holes(quick_task, scene_for):
    task = quick_task("inpainting")
    scene = scene_for(task)
    rules = {task.draw_rule([scene], generator=np.random.default_rng(seed)) for seed in range(60)}
    assert len(rules) == 9
    for rule in rules:
        first, second = (
            task.render(scene, rule=rule, generator=np.random.default_rng(seed)) for seed in (1, 2)
        )
        np.testing.assert_array_equal(first.target, scene.rgb.pixels)
        hole = (first.input != first.target).any(axis=-1)
        assert (first.input[hole] == rule.level).all()
        assert 0.01 < hole.mean() < 0.5
        assert not np.array_equal(first.input, second.input)
    with pytest.raises(ValueError, match="level 0 to 255"):
        InpaintingRule(kind="square", level=256)
    with pytest.raises((ValueError, TypeError), match=r"a hole is one of|parameter 'kind'"):
        InpaintingRule(kind="heart", level=0)


def test_the_papers_hole(quick_task):
    """128 x 128 of 256 x 256 pixels."""
    task = quick_task("inpainting")
    sample = Sample(rgb=Rgb(pixels=np.full((1, 256, 256, 3), 200, np.uint8)))
    rule = InpaintingRule(kind="square", level=0)
    pair = task.render(sample, rule=rule, generator=np.random.default_rng(0))
    rows, columns = np.nonzero(pair.input[0, ..., 0] == 0)
    assert len(rows) == 128 * 128
    assert np.ptp(rows) == np.ptp(columns) == 127


def test_grey_is_opencvs(quick_task, scene_for, show):
    task = quick_task("colorization")
    scene = scene_for(task)
    _, pair = show(task, scene)
    expected = cv2.cvtColor(scene.rgb.pixels[0], cv2.COLOR_RGB2GRAY)
    assert np.abs(pair.input[0].astype(int) - expected[..., None]).max() <= 1
    np.testing.assert_array_equal(pair.target, scene.rgb.pixels)


def test_edges_are_cannys(quick_task, scene_for, show):
    task = quick_task("edge_detection")
    scene = scene_for(task)
    _, pair = show(task, scene)
    grey = cv2.cvtColor(scene.rgb.pixels[0], cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(pair.target[0, ..., 1], cv2.Canny(grey, 100, 200))


def test_frames_given_and_to_come():
    task = FramePrediction(num_given=5, num_future=8)
    assert (task.num_input_frames, task.num_frames) == (5, 13)
    with pytest.raises(ValueError, match=r"an input has 1, 5, 9, \.\.\. frames, got 2"):
        FramePrediction(num_given=2)
    with pytest.raises(ValueError, match=r"5, 9, 13, \.\.\. frames, got 11"):
        FramePrediction(num_future=10)
    with pytest.raises(ValueError, match="holds 5 given frames and what follows, got 5 frames"):
        task.read(np.zeros((5, 8, 8, 3), np.uint8))


def test_the_target_begins_with_what_is_given(quick_task, scene_for, show):
    task = quick_task("frame_prediction")
    scene = scene_for(task)
    _, pair = show(task, scene)
    np.testing.assert_array_equal(pair.target[:1], pair.input)
    np.testing.assert_array_equal(pair.target, scene.rgb.pixels)


def test_motion_out_of_the_clip_is_not_painted(quick_task, scene_for, show):
    task = quick_task("optical_flow")
    scene = scene_for(task)
    assert scene[Flow].valid[-1].any()
    _, pair = show(task, scene)
    assert not pair.target[-1].any()
    assert pair.target[-2].any()


def test_the_query_never_enters_a_rule(quick_task, scene_for):
    """A rule depends on the context's samples and the generator alone."""
    for name in ("panoptic_segmentation", "object_detection", "inpainting"):
        task = quick_task(name)
        context = [scene_for(task, seed=1), scene_for(task, seed=2)]
        first = task.draw_rule(context, generator=np.random.default_rng(0))
        assert first == task.draw_rule(tuple(context), generator=np.random.default_rng(0))
