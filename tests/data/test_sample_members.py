import dataclasses
import io
import tarfile

import numpy as np
import pytest

from lavin_dit.data.sample_members import (
    KINDS,
    PictureEncoding,
    SampleFormatError,
    kind_name,
    sample_from_members,
    sample_to_members,
)
from lavin_dit.data.tar_members import TAR_END, members_of, tar_block
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.geometry import ClipShape, Size
from lavin_dit.vision.random_scene import random_scene


def scene(num_frames):
    shape = ClipShape(num_frames=num_frames, height=67, width=89)
    return dataclasses.replace(
        random_scene(shape, generator=np.random.default_rng(0)), name="straße/0001.jpg"
    )


def block_of(sample, **encoding):
    return tar_block(
        sample_to_members(sample, key="000000007", encoding=PictureEncoding(**encoding))
    )


def assert_equal_records(left, right):
    for field in dataclasses.fields(left):
        one, other = getattr(left, field.name), getattr(right, field.name)
        if isinstance(one, Size):
            assert one == other
        else:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("num_frames", [1, 5])
@pytest.mark.parametrize("picture", ["png", "webp"])
def test_lossless_samples_come_back_as_they_were(num_frames, picture):
    sample = scene(num_frames)
    back = sample_from_members(block_of(sample, format=picture), kinds=sample.kinds, format=picture)
    assert back.name == sample.name
    np.testing.assert_array_equal(back.rgb.pixels, sample.rgb.pixels)
    for left, right in zip(sample.annotations, back.annotations, strict=True):
        assert type(left) is type(right)
        assert_equal_records(left, right)


def test_scene_has_every_kind_that_shards_hold():
    assert {kind_name(kind) for kind in scene(1).kinds} == set(KINDS)


def test_jpeg_keeps_pictures_close_and_annotations_exact():
    sample = scene(1)
    back = sample_from_members(block_of(sample), kinds=sample.kinds, format="jpg")
    error = np.abs(back.rgb.pixels.astype(int) - sample.rgb.pixels.astype(int))
    assert error.mean() < 3
    assert_equal_records(sample[Instances], back[Instances])


def test_blocks_are_what_tar_reads():
    sample = scene(5)
    block = block_of(sample)
    with tarfile.open(fileobj=io.BytesIO(block + TAR_END)) as tar:
        names = tar.getnames()
        assert names[0] == "000000007.json"
        assert {name.partition(".")[0] for name in names} == {"000000007"}
        assert "000000007.rgb.0004.jpg" in names
        for name, data in members_of(block).items():
            file = tar.extractfile(f"000000007.{name}")
            assert file is not None
            assert file.read() == bytes(data)


def test_arrays_are_read_by_numpy_under_their_field_names():
    members = members_of(block_of(scene(1)))
    with np.load(io.BytesIO(members["boxes.npz"]), allow_pickle=False) as arrays:
        assert set(arrays) == {"corners_px", "present", "classes", "size"}


def test_only_what_is_asked_for_is_decoded():
    back = sample_from_members(block_of(scene(1)), kinds=(Mask,), format="jpg")
    assert back.kinds == (Mask,)


def test_same_sample_same_bytes():
    assert block_of(scene(5)) == block_of(scene(5))


def test_large_samples_are_shrunk_with_their_annotations():
    sample = scene(1)
    back = sample_from_members(
        block_of(sample, max_short_side_px=33), kinds=sample.kinds, format="jpg"
    )
    assert back.shape == ClipShape(num_frames=1, height=33, width=44)


@pytest.mark.parametrize("damage", ["missing", "torn header", "torn picture", "cut off"])
def test_damaged_members_are_recognised(damage):
    members = sample_to_members(scene(1), key="k", encoding=PictureEncoding())
    block = tar_block(members)
    if damage == "missing":
        block = tar_block(members[:-1])
    elif damage == "torn header":
        block = bytes(512) + block
    elif damage == "torn picture":
        block = tar_block([members[0], (members[1][0], members[1][1][:300]), *members[2:]])
    else:
        block = block[: len(block) // 2 // 512 * 512]
    with pytest.raises(SampleFormatError):
        sample_from_members(block, kinds=scene(1).kinds, format="jpg")


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="shards cannot hold str; they hold boxes, depth"):
        kind_name(str)


def test_tiny_sides_are_refused():
    with pytest.raises(ValueError, match="at least 16, got 8"):
        PictureEncoding(max_short_side_px=8)
