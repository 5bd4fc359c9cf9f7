"""Cropping, flipping and resizing mean the same to every kind, and to its painting."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lavin_dit.vision.codecs.boxes import BoxCodec, Boxes
from lavin_dit.vision.codecs.depth import Depth, DepthCodec
from lavin_dit.vision.codecs.edges import EdgeCodec, Edges
from lavin_dit.vision.codecs.flow import Flow, FlowCodec
from lavin_dit.vision.codecs.instances import InstanceCodec, Instances
from lavin_dit.vision.codecs.keypoints import KeypointCodec, Keypoints
from lavin_dit.vision.codecs.labelling import nearest_colour
from lavin_dit.vision.codecs.masks import Mask, MaskCodec
from lavin_dit.vision.codecs.normals import NormalCodec, Normals
from lavin_dit.vision.codecs.palette import class_colours
from lavin_dit.vision.codecs.panoptic import Panoptic, PanopticCodec
from lavin_dit.vision.codecs.rgb import Rgb, RgbCodec
from lavin_dit.vision.geometry import ClipShape, Size, Window
from lavin_dit.vision.random_scene import random_scene

KINDS = (Rgb, Depth, Normals, Flow, Mask, Instances, Panoptic, Boxes, Keypoints, Edges)

# Kinds whose painting is a picture of pixels: moving it is moving the annotation.
PIXELWISE = {
    Rgb: RgbCodec(),
    Depth: DepthCodec(),
    Mask: MaskCodec(),
    Instances: InstanceCodec(),
    Panoptic: PanopticCodec(),
    Edges: EdgeCodec(),
}


@pytest.fixture(scope="module")
def small():
    """A scene of two frames, small enough to be moved often."""
    shape = ClipShape(num_frames=2, height=53, width=71)
    return random_scene(shape, generator=np.random.default_rng(1), num_things=8)


def assert_same(one, two):
    for field in dataclasses.fields(one):
        left, right = getattr(one, field.name), getattr(two, field.name)
        if isinstance(left, np.ndarray) and left.dtype.kind == "f":
            np.testing.assert_allclose(left, right, atol=1e-4)
        elif isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
        else:
            assert left == right


windows = st.builds(
    Window,
    top=st.integers(0, 20),
    left=st.integers(0, 30),
    height=st.integers(5, 33),
    width=st.integers(5, 41),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_flipping_twice_changes_nothing(small, kind):
    assert_same(small[kind].flip().flip(), small[kind])
    flipped = small[kind].flip()
    assert any(
        not np.array_equal(getattr(flipped, field.name), getattr(small[kind], field.name))
        for field in dataclasses.fields(flipped)
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(window=windows)
@settings(max_examples=10, deadline=None)
def test_crop_then_flip_is_flip_then_mirrored_crop(small, kind, window):
    annotation = small[kind]
    mirrored = window.mirrored(width=annotation.shape.width)
    assert_same(annotation.crop(window).flip(), annotation.flip().crop(mirrored))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_resizing_to_the_same_size_changes_nothing(small, kind):
    assert_same(small[kind].resize(small.shape.size), small[kind])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_cropping_everything_changes_nothing(small, kind):
    whole = Window(top=0, left=0, height=small.shape.height, width=small.shape.width)
    assert_same(small[kind].crop(whole), small[kind])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_windows_outside_are_refused(small, kind):
    with pytest.raises(ValueError, match="does not lie inside"):
        small[kind].crop(Window(top=0, left=60, height=5, width=12))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(height=st.integers(9, 90), width=st.integers(9, 90))
@settings(max_examples=6, deadline=None)
def test_resizing_commutes_with_flipping(small, kind, height, width):
    # Nearest pixels have no middle to take in a row of odd length from one of even length: the
    # scene is odd, so the law holds exactly.
    size = Size(height=height, width=width)
    one, two = small[kind].resize(size).flip(), small[kind].flip().resize(size)
    assert one.shape == ClipShape(num_frames=2, height=height, width=width)
    if kind is Rgb:
        assert np.abs(one.pixels.astype(int) - two.pixels).max() <= 1
    elif kind in {Depth, Normals, Flow}:
        first = dataclasses.fields(one)[0].name
        known = one.valid & two.valid
        assert np.mean(one.valid == two.valid) > 0.99  # a weight of one half may round either way
        np.testing.assert_allclose(
            getattr(one, first)[known], getattr(two, first)[known], atol=1e-3
        )
    else:
        assert_same(one, two)


@pytest.mark.parametrize("kind", PIXELWISE, ids=lambda kind: kind.__name__)
@given(window=windows)
@settings(max_examples=5, deadline=None)
def test_painting_commutes_with_cropping_and_flipping(small, kind, window):
    codec, annotation = PIXELWISE[kind], small[kind]
    picture, key = codec.paint(annotation)
    moved = Rgb(pixels=picture).crop(window).flip().pixels
    if kind is Panoptic:
        # Shades are chosen by place, and the place has changed: the hues have not.
        again, _ = codec.paint(annotation.crop(window).flip(), key=key)
        table = class_colours(num_hues=codec.num_hues, num_shades=codec.num_shades)
        hues = [(nearest_colour(each, table)[0] - 1) // codec.num_shades for each in (moved, again)]
        np.testing.assert_array_equal(*hues)
        return
    again, _ = codec.paint(annotation.crop(window).flip(), key=key)
    np.testing.assert_array_equal(again, moved)


def test_painting_linear_depth_commutes_with_resizing(small):
    codec = DepthCodec(curve="linear", tail=0.0)
    everywhere = dataclasses.replace(small[Depth], valid=np.ones_like(small[Depth].valid))
    picture, key = codec.paint(everywhere)
    size = Size(height=37, width=101)
    again, _ = codec.paint(everywhere.resize(size), key=key)
    resized = Rgb(pixels=picture).resize(size).pixels
    assert np.abs(again.astype(int) - resized).max() <= 2


def test_normals_and_flow_turn_with_a_flip():
    ones = np.ones((1, 1, 2), dtype=bool)
    vectors = np.array([[[[0.6, 0.0, 0.8], [0.0, 1.0, 0.0]]]], dtype=np.float32)
    flipped = Normals(vectors=vectors, valid=ones).flip()
    np.testing.assert_allclose(flipped.vectors[0, 0], [[0, 1, 0], [-0.6, 0, 0.8]])
    pixels = np.array([[[[3.0, 1.0], [0.0, -2.0]]]], dtype=np.float32)
    np.testing.assert_allclose(
        Flow(pixels=pixels, valid=ones).flip().pixels[0, 0], [[0, -2], [-3, 1]]
    )


def test_flow_is_measured_in_the_new_pixels():
    pixels = np.full((1, 4, 6, 2), [3.0, -2.0], dtype=np.float32)
    flow = Flow(pixels=pixels, valid=np.ones((1, 4, 6), dtype=bool))
    resized = flow.resize(Size(height=10, width=3))
    np.testing.assert_allclose(
        resized.pixels, np.broadcast_to([1.5, -5.0], (1, 10, 3, 2)), rtol=1e-5
    )


def test_boxes_and_joints_sit_on_the_pixels_they_mark(small):
    """A box and a joint drawn around one pixel follow that pixel."""
    ids = np.zeros((1, 20, 30), dtype=np.int32)
    ids[0, 6, 9] = 1
    size = Size(height=20, width=30)
    mask = Instances(ids=ids)
    boxes = Boxes(
        corners_px=np.array([[[9, 6, 10, 7]]], dtype=np.float32),
        present=np.ones((1, 1), dtype=bool),
        classes=np.zeros(1, dtype=np.int32),
        size=size,
    )
    joints = Keypoints(
        positions_px=np.full((1, 1, 17, 2), [9.5, 6.5], dtype=np.float32),
        visibility=np.full((1, 1, 17), 2, dtype=np.uint8),
        size=size,
    )

    def moved(annotation):
        window = Window(top=2, left=5, height=15, width=20)
        return annotation.crop(window).flip().resize(Size(height=45, width=40))

    _, rows, columns = np.nonzero(moved(mask).ids)
    corners = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(moved(boxes).corners_px[0, 0], corners)
    centre = [(corners[0] + corners[2]) / 2, (corners[1] + corners[3]) / 2]
    np.testing.assert_allclose(moved(joints).positions_px[0, 0, 0], centre)


def test_what_leaves_the_window_is_gone():
    size = Size(height=20, width=30)
    boxes = Boxes(
        corners_px=np.array([[[0, 0, 5, 5], [8, 8, 20, 18]]], dtype=np.float32),
        present=np.ones((1, 2), dtype=bool),
        classes=np.array([4, 5], dtype=np.int32),
        size=size,
    ).crop(Window(top=10, left=10, height=5, width=15))
    np.testing.assert_array_equal(boxes.present, [[False, True]])
    np.testing.assert_allclose(boxes.corners_px[0, 1], [0, 0, 10, 5])
    positions = np.full((1, 1, 17, 2), [3.0, 3.0], dtype=np.float32)
    positions[0, 0, 5] = [12.0, 11.0]
    joints = Keypoints(
        positions_px=positions, visibility=np.full((1, 1, 17), 2, dtype=np.uint8), size=size
    ).crop(Window(top=10, left=10, height=5, width=15))
    assert joints.visibility[0, 0].tolist() == [2 if joint == 5 else 0 for joint in range(17)]
    np.testing.assert_allclose(joints.positions_px[0, 0, 5], [2, 1])


def test_left_and_right_joints_are_exchanged():
    positions = np.zeros((1, 1, 17, 2), dtype=np.float32)
    positions[0, 0, 5] = [3, 4]  # left shoulder
    visibility = np.zeros((1, 1, 17), dtype=np.uint8)
    visibility[0, 0, 5] = 2
    flipped = Keypoints(
        positions_px=positions, visibility=visibility, size=Size(height=9, width=10)
    ).flip()
    assert flipped.visibility[0, 0, 6] == 2  # right shoulder
    assert flipped.visibility[0, 0, 5] == 0
    np.testing.assert_allclose(flipped.positions_px[0, 0, 6], [7, 4])


@pytest.mark.parametrize("codec", [BoxCodec(), KeypointCodec()], ids=["boxes", "keypoints"])
def test_painting_shapes_commutes_with_flipping(small, codec):
    """Drawn shapes mirror exactly, apart from the colours that name left and right joints."""
    kind = Boxes if isinstance(codec, BoxCodec) else Keypoints
    picture, key = codec.paint(small[kind])
    flipped, _ = codec.paint(small[kind].flip(), key=key)
    one, two = picture[:, :, ::-1].max(axis=-1), flipped.max(axis=-1)
    if kind is Boxes:
        np.testing.assert_allclose(picture[:, :, ::-1], flipped, atol=1)
    assert np.mean((one > 40) == (two > 40)) > 0.998  # where discs overlap, their order differs


@pytest.mark.parametrize(
    ("kind", "codec"), [(Normals, NormalCodec()), (Flow, FlowCodec())], ids=["normals", "flow"]
)
def test_directions_are_read_as_flipped_from_a_flipped_annotation(small, kind, codec):
    picture, key = codec.paint(small[kind].flip())
    assert_close = np.testing.assert_allclose
    first = dataclasses.fields(small[kind])[0].name
    read, truth = codec.read(picture, key=key), small[kind].flip()
    assert_close(getattr(read, first)[truth.valid], getattr(truth, first)[truth.valid], atol=0.03)
