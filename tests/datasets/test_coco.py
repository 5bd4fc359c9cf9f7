import json
import pickle

import numpy as np
import pytest
from PIL import Image

from lavin_dit.datasets.coco import Coco
from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.source import Source, UnusableSampleError
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import HIDDEN, UNLABELLED, VISIBLE, Keypoints
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size

ALL = (Boxes, Instances, Keypoints, Panoptic)

# number, file, height, width
IMAGES = [
    (391895, "000000391895.jpg", 37, 61),
    (9, "000000000009.jpg", 29, 43),
    (25, "000000000025.jpg", 23, 31),  # crowd only
    (30, "000000000030.jpg", 41, 19),  # photo is missing
    (34, "000000000034.jpg", 17, 53),  # no annotation at all
]
CATEGORIES = [
    {"id": 1, "name": "person"},
    {"id": 18, "name": "dog"},
    {"id": 90, "name": "toothbrush"},
]


def annotation(number, image, category, box, segmentation=None, crowd=0, **more):
    left, top, width, height = box
    outline = [left, top, left + width, top, left + width, top + height, left, top + height]
    return {
        "id": number, "image_id": image, "category_id": category, "bbox": list(box),
        "area": width * height, "iscrowd": crowd,
        "segmentation": segmentation or [outline], **more,
    }  # fmt: skip


def instances():
    return [
        # Not in the order of the images, and not together.
        annotation(1, 9, 18, (3, 4, 20, 10)),
        annotation(2, 391895, 90, (50.5, 30.25, 20, 20)),  # leaves the image
        annotation(3, 9, 1, (5, 6, 4, 4)),  # lies on the dog
        annotation(4, 25, 1, (0, 0, 9, 9), {"size": [23, 31], "counts": [0, 713]}, crowd=1),
        annotation(5, 30, 1, (1, 1, 5, 5)),
        annotation(6, 9, 1, (7, 7, 0, 5)),  # no area
        annotation(7, 9, 1, (43, 7, 9, 5)),  # outside
        annotation(8, 9, 1, (30, 2, 9, 20), {"size": [29, 43], "counts": [900, 347]}, crowd=1),
        annotation(9, 777, 1, (1, 1, 5, 5)),  # no such image
    ]


def joints(**labelled):
    numbers = [0] * 51
    for index, values in labelled.items():
        place = int(index[1:])
        numbers[3 * place : 3 * place + 3] = values
    return {"keypoints": numbers, "num_keypoints": len(labelled)}


def people():
    return [
        annotation(3, 9, 1, (5, 6, 4, 4), **joints(j0=[7, 8, 2], j16=[10, 20, 1])),
        annotation(10, 9, 1, (5, 6, 4, 4), **joints()),
        annotation(11, 391895, 1, (5, 6, 4, 4), **joints(j5=[60, 0, 2])),
    ]


def panoptic():
    return [
        {
            "image_id": image, "file_name": file.replace(".jpg", ".png"),
            "segments_info": [
                {"id": 70000, "category_id": 18, "iscrowd": 0},
                {"id": 300, "category_id": 1, "iscrowd": 1},
                {"id": 7, "category_id": 187, "iscrowd": 0},
            ],
        }
        for image, file, _, _ in IMAGES[:3]
    ]  # fmt: skip


@pytest.fixture
def root(tmp_path, write_photo, write_labels):
    images = [
        {"id": number, "file_name": file, "height": height, "width": width}
        for number, file, height, width in IMAGES
    ]
    for number, file, height, width in IMAGES:
        if number != 30:
            write_photo(tmp_path / "train2017" / file, height=height, width=width, seed=number)
    parts = {
        "instances": (instances(), CATEGORIES),
        "person_keypoints": (people(), CATEGORIES[:1]),
        "panoptic": (panoptic(), [*CATEGORIES, {"id": 187, "name": "sky-other-merged"}]),
    }
    for part, (entries, categories) in parts.items():
        write_json(tmp_path, part, images, entries, categories)
    for _, file, height, width in IMAGES[:3]:
        colours = np.zeros((height, width, 3))
        colours[2:9, 5:12] = 70000 % 256, 70000 // 256 % 256, 70000 // 65536
        colours[10:12, 3:4] = 300 % 256, 300 // 256, 0
        colours[12:, 20:] = 7, 0, 0
        folder = tmp_path / "annotations/panoptic_train2017"
        write_labels(folder / file.replace(".jpg", ".png"), colours)
    return tmp_path


def write_json(root, part, images, entries, categories):
    path = root / f"annotations/{part}_train2017.json"
    path.parent.mkdir(exist_ok=True)
    content = {"info": {}, "annotations": entries, "images": images, "categories": categories}
    path.write_text(json.dumps(content))


def sample_named(source, name):
    return next(
        sample for sample in map(source.__getitem__, range(len(source))) if sample.name == name
    )


def test_boxes_and_masks(root, write_photo, tmp_path):
    source = Coco(root, split="train")
    assert isinstance(source, Source)
    assert len(source) == 2
    sample = sample_named(source, "000000000009.jpg")
    assert sample.shape.size == Size(height=29, width=43)
    expected = write_photo(tmp_path / "again.png", height=29, width=43, seed=9)
    np.testing.assert_array_equal(sample.rgb.pixels[0], expected)
    np.testing.assert_array_equal(
        sample[Boxes].corners_px[0], np.array([[3, 4, 23, 14], [5, 6, 9, 10]], dtype=np.float32)
    )
    assert sample[Boxes].classes.tolist() == [18, 1]
    assert sample[Boxes].present.all()
    ids = np.zeros((29, 43), dtype=np.int32)
    ids[4:14, 3:23] = 1
    ids[6:10, 5:9] = 2
    np.testing.assert_array_equal(sample[Instances].ids[0], ids)
    assert source.class_names == {1: "person", 18: "dog", 90: "toothbrush"}


def test_boxes_are_cut_at_the_border(root):
    sample = sample_named(Coco(root), "000000391895.jpg")
    np.testing.assert_array_equal(sample[Boxes].corners_px[0], [[50.5, 30.25, 61, 37]])
    assert sample[Instances].ids[0, 30:, 51:].all()


def test_joints_lie_at_the_centres_of_their_pixels(root):
    source = Coco(root, kinds=(Keypoints,))
    sample = sample_named(source, "000000000009.jpg")
    keypoints = sample[Keypoints]
    assert keypoints.visibility.shape == (1, 1, 17)
    np.testing.assert_array_equal(keypoints.positions_px[0, 0, 0], [7.5, 8.5])
    np.testing.assert_array_equal(keypoints.positions_px[0, 0, 16], [10.5, 20.5])
    seen = keypoints.visibility[0, 0]
    assert (seen[0], seen[16], seen[3]) == (VISIBLE, HIDDEN, UNLABELLED)
    assert source.skipped["person without labelled joints"] == 1


def test_panoptic_segments(root):
    sample = sample_named(Coco(root, kinds=(Panoptic,)), "000000391895.jpg")
    panoptic = sample[Panoptic]
    ids = np.zeros((37, 61), dtype=np.int32)
    ids[12:, 20:] = 1
    ids[2:9, 5:12] = 2
    np.testing.assert_array_equal(panoptic.ids[0], ids)  # the crowd is void
    assert panoptic.classes.tolist() == [187, 18]


def test_panoptic_folder_beside_annotations_is_found_too(root):
    (root / "annotations/panoptic_train2017").rename(root / "panoptic_train2017")
    assert len(Coco(root, kinds=(Panoptic,))) == 3


def test_all_kinds_at_once_and_none(root):
    source = Coco(root, kinds=ALL)
    assert [source[index].kinds for index in range(len(source))] == [ALL, ALL]
    photos = Coco(root, kinds=())
    assert len(photos) == 4
    assert photos[0].kinds == ()
    assert source[0].name == photos[0].name == "000000000009.jpg"
    assert photos[3].name == "000000391895.jpg"


def test_what_was_left_out_is_counted(root):
    source = Coco(root)
    assert +source.skipped == {
        "crowd region": 2,
        "box without area": 2,
        "annotation of an image that is not listed": 1,
        "image without the annotations asked for": 2,
        "photo is missing": 1,
    }


def test_cached_index_is_the_same_and_made_anew_when_the_file_changes(root, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    first = Coco(root, cache=cache)
    monkeypatch.setattr("lavin_dit.datasets.coco_format._build", None)
    again = Coco(root, cache=cache)
    assert again.skipped == first.skipped
    assert again.class_names == first.class_names
    np.testing.assert_array_equal(again[0][Boxes].corners_px, first[0][Boxes].corners_px)
    np.testing.assert_array_equal(again[1][Instances].ids, first[1][Instances].ids)
    path = root / "annotations/instances_train2017.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(TypeError, match="NoneType"):
        Coco(root, cache=cache)


def test_source_can_be_pickled(root):
    source = Coco(root, kinds=ALL)
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(copy[1][Panoptic].ids, source[1][Panoptic].ids)


def test_grey_and_turned_photos(root, write_photo):
    path = root / "train2017/000000000009.jpg"
    grey = write_photo(path, height=29, width=43, mode="L")
    np.testing.assert_array_equal(Coco(root)[0].rgb.pixels[0], grey)
    # Stored lying on its side, with the tag that turns it upright.
    upright = write_photo(path, height=29, width=43, seed=3)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright).copy()).save(path, format="PNG", exif=exif)
    np.testing.assert_array_equal(Coco(root)[0].rgb.pixels[0], upright)
    # A tag that contradicts the annotations' size is not followed.
    Image.fromarray(upright).save(path, format="PNG", exif=exif)
    np.testing.assert_array_equal(Coco(root)[0].rgb.pixels[0], upright)


def corrupt_photo(root):
    path = root / "train2017/000000000009.jpg"
    path.write_bytes(path.read_bytes()[:500])


def smaller_photo(root):
    Image.new("RGB", (42, 29)).save(root / "train2017/000000000009.jpg", format="PNG")


def no_photo_any_more(root):
    (root / "train2017/000000000009.jpg").unlink()


def broken_segments(root):
    change(root, "instances", '"counts": [0, 713]', '"counts": [0, 712]')
    change(root, "instances", "[3, 4, 23, 4, 23, 14, 3, 14]", "[3, 4, 23, 4]")


def unknown_segment(root):
    change(root, "panoptic", '"id": 300', '"id": 301')


def missing_joints(root):
    change(root, "person_keypoints", '"keypoints": [0, 0, 0, ', '"keypoints": [')
    change(root, "person_keypoints", '"keypoints": [7, 8, 2, ', '"keypoints": [')


def change(root, part, old, new):
    path = root / f"annotations/{part}_train2017.json"
    text = path.read_text()
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (corrupt_photo, "photo cannot be decoded"),
        (smaller_photo, "photo and annotations differ in size"),
        (broken_segments, "segmentation cannot be decoded"),
        (unknown_segment, "label picture holds numbers that have no class"),
        (missing_joints, "a person does not have 17 joints"),
    ],
)
def test_damage_is_refused_with_its_reason(root, damage, reason):
    damage(root)
    source = Coco(root, kinds=ALL)
    with pytest.raises(UnusableSampleError) as caught:
        source[0]
    assert (caught.value.name, caught.value.reason) == ("000000000009.jpg", reason)


def test_photo_that_vanishes_later_is_refused(root):
    source = Coco(root)
    no_photo_any_more(root)
    with pytest.raises(UnusableSampleError, match="photo is missing"):
        source[0]


def test_missing_files_are_named(root):
    (root / "annotations/panoptic_train2017.json").unlink()
    with pytest.raises(LayoutError, match=r"annotations/panoptic_train2017.json does not exist"):
        Coco(root, kinds=(Panoptic,))
    with pytest.raises(LayoutError, match=r"COCO: .*val2017 does not exist; .* holds annotations/"):
        Coco(root, split="val")
    with pytest.raises(ValueError, match="'test' is not a split of COCO"):
        Coco(root, split="test")
    with pytest.raises(ValueError, match="COCO has no Depth; it has Boxes, Instances, Key"):
        Coco(root, kinds=(Depth,))
