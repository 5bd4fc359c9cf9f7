"""Pictures for people show what is there, and say where nothing is known."""

import dataclasses

import numpy as np
import pytest

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.results.boxes import BoxesResult
from lavin_dit.vision.results.depth import DepthResult
from lavin_dit.vision.results.flow import FlowResult
from lavin_dit.vision.results.instances import InstancesResult
from lavin_dit.vision.results.masks import MaskResult
from lavin_dit.vision.results.normals import NormalsResult
from lavin_dit.vision.results.overlay import UNKNOWN_LEVEL, colour_scale, write_label
from lavin_dit.vision.results.panoptic import PanopticResult
from lavin_dit.vision.results.pictures import PictureResult


@pytest.fixture(scope="module")
def scene():
    shape = ClipShape(num_frames=2, height=83, width=109)
    return random_scene(shape, generator=np.random.default_rng(1), num_things=6)


def test_the_scale_grows_steadily_brighter():
    colours = colour_scale(np.linspace(0, 1, 256)[None, None])[0, 0]
    brightness = colours.astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness) > -0.6).all()
    assert brightness[0] < 25
    assert brightness[-1] > 225
    outside = colour_scale(np.array([[[-1.0, 2.0]]]))[0, 0]
    np.testing.assert_array_equal(outside, colours[[0, -1]])


def test_near_is_bright_and_unknown_is_grey(scene):
    depth = scene[Depth]
    drawn = DepthResult(annotation=depth, metric=True).draw()
    assert (drawn[~depth.valid] == UNKNOWN_LEVEL).all()
    near, far = np.quantile(depth.metres[depth.valid], [0.1, 0.9])
    brightness = drawn.mean(axis=-1)
    assert brightness[depth.valid & (depth.metres < near)].mean() > 100 + (
        brightness[depth.valid & (depth.metres > far)].mean()
    )


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (Depth, lambda a: DepthResult(annotation=a, metric=True)),
        (Normals, lambda a: NormalsResult(annotation=a)),
        (Flow, lambda a: FlowResult(annotation=a, in_pixels=True)),
    ],
)
def test_nothing_known_is_grey_throughout(scene, kind, result):
    unknown = dataclasses.replace(scene[kind], valid=np.zeros_like(scene[kind].valid))
    assert (result(unknown).draw() == UNKNOWN_LEVEL).all()


def test_arrows_show_where_things_go():
    pixels = np.zeros((1, 48, 48, 2), np.float32)
    pixels[..., 0] = 3
    valid = np.ones((1, 48, 48), bool)
    drawn = FlowResult(annotation=Flow(pixels=pixels, valid=valid), in_pixels=True).draw()[0]
    dark = drawn.max(axis=-1) < 150
    assert dark[8].mean() > 0.7  # a row of arrows, head to tail
    assert not dark[0].any()
    still = Flow(pixels=np.zeros_like(pixels), valid=valid)
    assert (FlowResult(annotation=still, in_pixels=True).draw() == 255).all()


def test_overlays_leave_the_rest_of_the_photo_alone(scene):
    mask = scene[Mask]
    drawn = MaskResult(annotation=mask).draw(scene.rgb)
    changed = (drawn != scene.rgb.pixels).any(axis=-1)
    grown = mask.foreground.copy()
    grown[:, :-1] |= mask.foreground[:, 1:]
    grown[:, :, :-1] |= mask.foreground[:, :, 1:]
    assert not (changed & ~grown).any()
    assert changed[mask.foreground].mean() > 0.99
    drawn = InstancesResult(annotation=scene[Instances]).draw(scene.rgb)
    colours = {
        tuple(np.median(drawn[scene[Instances].ids == number], axis=0))
        for number in scene[Instances].names
    }
    assert len(colours) == len(scene[Instances].names)


def test_a_photo_of_another_size_is_refused(scene):
    other = scene.rgb.take_frames(0, 1)
    with pytest.raises(ValueError, match="cannot be drawn on a photo of"):
        MaskResult(annotation=scene[Mask]).draw(other)


def test_classes_are_written_by_name(scene):
    boxes = scene[Boxes]
    numbers = BoxesResult(annotation=boxes).draw(scene.rgb)
    names = dict.fromkeys(np.unique(boxes.classes).tolist(), "something")
    named = BoxesResult(annotation=boxes, class_names=names).draw(scene.rgb)
    assert not np.array_equal(numbers, named)
    unknown = dataclasses.replace(boxes, classes=np.full_like(boxes.classes, -1))
    bare = BoxesResult(annotation=unknown).draw(scene.rgb)
    white = [np.sum((picture > 180).all(axis=-1)) for picture in (bare, numbers, named)]
    assert white[0] <= white[1] < white[2]
    panoptic = PanopticResult(annotation=scene[Panoptic], class_names=names).draw(scene.rgb)
    assert panoptic.shape == scene.rgb.pixels.shape


def test_labels_stay_inside():
    for place in ((-50.0, -50.0), (500.0, 500.0)):
        frame = np.zeros((40, 80, 3), np.uint8)
        write_label(frame, "cat", place=place)
        assert (frame > 180).any()
    tiny = np.zeros((4, 5, 3), np.uint8)
    write_label(tiny, "a long name", place=(0.0, 0.0))


def test_more_segments_than_colours():
    ids = np.arange(1, 401, dtype=np.int32).reshape(1, 20, 20)
    classes = (np.arange(400) % 40).astype(np.int32)
    drawn = PanopticResult(annotation=Panoptic(ids=ids, classes=classes)).draw()
    assert drawn.shape == (1, 20, 20, 3)


def test_a_picture_is_drawn_as_itself(scene):
    np.testing.assert_array_equal(
        PictureResult(annotation=scene.rgb).draw(scene.rgb), scene.rgb.pixels
    )
