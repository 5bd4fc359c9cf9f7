import numpy as np
import pytest

from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import ClipShape, Size, Window
from lavin_dit.vision.sample import Sample


def rgb(frames=2, height=5, width=7):
    return Rgb(pixels=np.zeros((frames, height, width, 3), dtype=np.uint8))


def mask(frames=2, height=5, width=7):
    return Mask(foreground=np.ones((frames, height, width), dtype=bool))


def test_annotations_are_found_by_kind(scene):
    assert isinstance(scene[Depth], Depth)
    assert scene[Rgb] is scene.rgb
    assert Flow in scene
    assert Rgb in scene
    assert len(scene.kinds) == 9


def test_missing_kind_is_named_with_those_that_exist():
    sample = Sample(rgb=rgb(), annotations=(mask(),), name="cat.jpg")
    assert Depth not in sample
    with pytest.raises(KeyError, match=r"'cat.jpg' has no Depth; it has Mask"):
        sample[Depth]
    with pytest.raises(KeyError, match="it has no annotation"):
        Sample(rgb=rgb())[Depth]


@pytest.mark.parametrize("changed", [{"frames": 1}, {"height": 4}, {"width": 8}])
def test_annotation_of_another_shape_is_refused(changed):
    with pytest.raises(ValueError, match=r"Mask of sample 'x' describes ClipShape.*but the clip"):
        Sample(rgb=rgb(), annotations=(mask(**changed),), name="x")


def test_two_annotations_of_a_kind_are_refused():
    with pytest.raises(ValueError, match="two annotations of kind Mask"):
        Sample(rgb=rgb(), annotations=(mask(), mask()))


def test_everything_moves_together(scene):
    window = Window(top=11, left=5, height=70, width=93)
    size = Size(height=41, width=67)
    moved = scene.crop(window).flip().resize(size)
    frames = scene.shape.num_frames
    assert moved.shape == ClipShape(num_frames=frames, height=41, width=67)
    assert moved.kinds == scene.kinds
    for annotation in moved.annotations:
        assert annotation.shape == moved.shape
    np.testing.assert_array_equal(
        moved[Mask].foreground, scene[Mask].crop(window).flip().resize(size).foreground
    )


def test_frames_are_taken_from_everything(scene):
    last = scene.shape.num_frames
    part = scene.take_frames(last - 1, last)
    assert part.shape.num_frames == 1
    assert all(annotation.shape.num_frames == 1 for annotation in part.annotations)
    np.testing.assert_array_equal(part[Edges].strength[0], scene[Edges].strength[-1])


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (1, 1), (-1, 1), (0, 99), (2, 1)])
def test_frames_outside_are_refused(scene, start, stop):
    with pytest.raises(ValueError, match="not a part of a clip"):
        scene.take_frames(start, stop)


def test_records_cannot_be_changed(scene):
    with pytest.raises(AttributeError):
        scene.name = "other"
    with pytest.raises(ValueError, match="read-only"):
        scene.rgb.pixels[0, 0, 0] = 1
    own = np.zeros((1, 2, 3, 3), dtype=np.uint8)
    Rgb(pixels=own)
    own[0] = 1  # what a caller keeps stays writeable
