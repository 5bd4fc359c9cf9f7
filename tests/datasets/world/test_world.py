"""The source of samples: what it promises its users."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from lavin_dit.datasets.source import Source
from lavin_dit.datasets.world import World
from lavin_dit.datasets.world.classes import CLASS_NAMES, OBJECT_CLASSES, PATTERNS, SPLITS
from lavin_dit.datasets.world.photos import load_photos
from lavin_dit.datasets.world.spec import spec_from_json, spec_to_json
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size

SIZE = Size(height=47, width=71)


@pytest.fixture(scope="module")
def clips():
    world = World(num_frames=5, size=SIZE)
    return [world.clip(index) for index in range(12)]


def test_it_is_a_source():
    world = World(size=SIZE, length=9)
    assert isinstance(world, Source)
    assert len(world) == 9
    assert (world.name, world.split) == ("world", "train")
    with pytest.raises(IndexError, match="no sample 9"):
        world[9]


@pytest.mark.parametrize(("num_frames", "has_flow"), [(1, False), (3, True)])
def test_a_sample_has_all_kinds(num_frames, has_flow):
    world = World(num_frames=num_frames, size=SIZE)
    sample = world[2]
    assert set(sample.kinds) == set(world.kinds)
    assert (Flow in sample) == has_flow
    assert (sample.shape.num_frames, sample.shape.size) == (num_frames, SIZE)
    if has_flow:
        assert sample[Flow].valid[:-1].mean() > 0.9
        assert not sample[Flow].valid[-1].any()


def test_the_same_index_gives_the_same_sample():
    one, other = World(num_frames=2, size=SIZE), World(num_frames=2, size=SIZE)
    other[1]
    other = pickle.loads(pickle.dumps(other))
    first, second = one[5], other[5]
    np.testing.assert_array_equal(first.rgb.pixels, second.rgb.pixels)
    np.testing.assert_array_equal(first[Depth].metres, second[Depth].metres)
    assert (one[6].rgb.pixels != first.rgb.pixels).any()


def test_a_source_can_begin_after_the_scenes_of_another():
    all_of_them, later = World(size=SIZE, length=9), World(size=SIZE, length=3, first=6)
    assert len(later) == 3
    for index in range(3):
        sample = later[index]
        np.testing.assert_array_equal(sample.rgb.pixels, all_of_them[6 + index].rgb.pixels)
        assert sample.name == all_of_them[6 + index].name == f"train/{6 + index:06d}"
    with pytest.raises(IndexError):
        later[3]
    with pytest.raises(ValueError, match="first must be at least 0, got -1"):
        World(first=-1)


def test_a_scene_survives_json(clips):
    for clip in clips:
        assert spec_from_json(json.loads(json.dumps(spec_to_json(clip.spec)))) == clip.spec


def test_splits_share_no_classes_and_no_patterns_but_plain():
    for one in SPLITS:
        for other in SPLITS:
            if one != other:
                assert not set(OBJECT_CLASSES[one]) & set(OBJECT_CLASSES[other])
                assert set(PATTERNS[one]) & set(PATTERNS[other]) == {"plain"}


@pytest.mark.parametrize("split", SPLITS)
def test_scenes_keep_to_their_split(split):
    world = World(split=split, size=SIZE)
    specs = [world.draw(index) for index in range(60)]
    names = {thing.class_name for spec in specs for thing in spec.objects}
    assert names == set(OBJECT_CLASSES[split])
    looks = {spec.floor.pattern for spec in specs}
    looks |= {m.pattern for spec in specs for thing in spec.objects for m in thing.materials}
    assert looks == set(PATTERNS[split])
    others = [World(split=other, size=SIZE) for other in SPLITS if other != split]
    for other in others:
        assert other.draw(0).camera != specs[0].camera


def test_labels_of_a_pixel_agree(clips):
    for clip in clips:
        ids, classes = clip.instances.ids, clip.classes
        segments = clip.panoptic
        np.testing.assert_array_equal(segments.classes[segments.ids - 1], classes)
        np.testing.assert_array_equal(np.where(ids > 0, segments.ids, 0), ids)
        sky = classes == CLASS_NAMES.index("sky")
        assert not clip.depth.valid[sky].any()
        assert clip.normals.valid[~sky].all()
        assert clip.normals.vectors[~sky][:, 2].min() > -0.9  # no surface shows its back


def test_boxes_hold_what_is_seen_and_full_boxes_hold_them(clips):
    for clip in clips:
        inner, outer = clip.boxes, clip.boxes_full
        both = inner.present & outer.present
        low = inner.corners_px[both][:, :2] - outer.corners_px[both][:, :2]
        high = outer.corners_px[both][:, 2:] - inner.corners_px[both][:, 2:]
        # A pixel counts as seen if its centre is: half of it may lie outside of the thing.
        assert min(low.min(), high.min()) > -0.51
        for frame, ids in enumerate(clip.instances.ids):
            assert set(np.unique(ids)) - {0} == set(np.flatnonzero(inner.present[frame]) + 1)


def test_full_boxes_touch_things_that_nothing_hides(clips):
    """Where a thing lies free within the frame, both boxes agree to a pixel.

    A tip that is narrower than a pixel may lie between their centres.
    """
    errors = []
    for clip in clips:
        all_full, all_seen = clip.boxes_full.corners_px, clip.boxes.corners_px
        for frame, thing in np.argwhere(clip.boxes_full.present):
            full, others = all_full[frame, thing], np.delete(all_full[frame], thing, axis=0)
            inside = (full[:2] > 1).all() and (full[2:] < [SIZE.width - 1, SIZE.height - 1]).all()
            apart = (others[:, :2] > full[2:]).any(axis=1) | (others[:, 2:] < full[:2]).any(axis=1)
            if inside and apart.all() and (full[2:] - full[:2]).min() > 4:
                errors.append(np.abs(full - all_seen[frame, thing]).max())
    assert len(errors) > 10
    assert np.mean(np.array(errors) < 1.01) > 0.9
    assert max(errors) < 4


def test_joints_lie_on_their_person(clips):
    near = []
    for clip in clips:
        joints = clip.keypoints
        numbers = np.flatnonzero(clip.boxes.classes == CLASS_NAMES.index("person")) + 1
        for person, number in enumerate(numbers):
            for frame, ids in enumerate(clip.instances.ids):
                places = joints.positions_px[frame, person]
                visible = joints.visibility[frame, person] == 2
                for x, y in places[visible].astype(int):
                    around = ids[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                    near.append(number in around)
                box = clip.boxes_full.corners_px[frame, number - 1]
                labelled = places[joints.visibility[frame, person] > 0]
                assert (labelled > box[:2]).all()
                assert (labelled < box[2:]).all()
    assert len(near) > 50
    assert np.mean(near) > 0.97  # an arm may be narrower than a pixel


def test_things_fill_the_picture():
    """The prototype's objects covered 17 % of the pixels."""
    world = World(size=SIZE)
    shares = [(world[index][Instances].ids > 0).mean() for index in range(40)]
    assert np.mean(shares) > 0.2


def test_pictures_are_neither_dark_nor_blown_out():
    world = World(size=SIZE)
    levels = np.stack([world[index].rgb.pixels for index in range(40)])
    white = (levels.min(axis=-1) >= 254).mean(axis=(1, 2))
    assert white.max() < 0.12
    assert (levels.mean(axis=(1, 2, 3)) > 25).all()
    assert 70 < levels.mean() < 160


def test_photos_show_on_surfaces():
    red = np.zeros((40, 60, 3), dtype=np.uint8)
    red[..., 0] = 250
    with_photos = World(size=SIZE, photos=[red])
    photos = [with_photos.draw(index).floor.pattern == "photo" for index in range(40)]
    assert 5 < sum(photos) < 30


def test_photos_come_from_a_folder(tmp_path):
    (tmp_path / "more").mkdir()
    for name, level in (("b.png", 30), ("more/c.jpg", 90), ("a.PNG", 200)):
        Image.fromarray(np.full((9, 14, 3), level, dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    levels = load_photos(str(tmp_path))[:, 0, 0, 0] ** (1 / 2.2) * 255
    np.testing.assert_allclose(levels, [200, 30, 90], atol=1.5)
    World(size=SIZE, photos=tmp_path).draw(0)
    with pytest.raises(FileNotFoundError, match="gone: no such folder of photos"):
        World(size=SIZE, photos=tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty holds no \.jpg"):
        World(size=SIZE, photos=tmp_path / "empty")


@pytest.mark.unchecked
def test_photos_of_another_form_are_refused():
    with pytest.raises(ValueError, match=r"shape \(h, w, 3\)"):
        World(photos=[np.zeros((40, 60), dtype=np.uint8)])


@pytest.mark.parametrize("settings", [{"split": "val"}, {"num_frames": 0}, {"length": 0}])
@pytest.mark.unchecked
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=r"split|num_frames"):
        World(**settings)


def test_annotations_have_the_declared_kinds():
    assert {Boxes, Depth, Instances, Keypoints, Panoptic} <= set(World().kinds)
