import json

import numpy as np
import pytest

from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.objects365 import Objects365
from lavin_dit.vision.codecs.boxes import Boxes

IMAGES = [
    # file as listed, height, width
    ("images/v1/patch8/objects365_v1_00420917.jpg", 31, 47),
    ("images/v2/patch16/objects365_v2_00908726.jpg", 19, 23),  # listed, but never shipped
    ("images/v2/patch20/objects365_v2_00900001.jpg", 41, 29),  # no boxes
    ("images/v2/patch20/objects365_v2_00900002.jpg", 13, 59),
]


@pytest.fixture(params=["train", "train/images/v0"])
def root(request, tmp_path, write_photo):
    for number, (file, height, width) in enumerate(IMAGES):
        _, _, patch, name = file.split("/")
        if number != 1:
            path = tmp_path / request.param / patch / name
            write_photo(path, height=height, width=width, seed=number)
    content = {
        "images": [
            {"id": 10 + number, "file_name": file, "height": height, "width": width}
            for number, (file, height, width) in enumerate(IMAGES)
        ],
        "annotations": [
            box(13, 84, [491.39 - 480, 8.18, 35.5, 4.25]),
            box(10, 365, [1.5, 2.5, 3, 4]),
            box(10, 1, [5, 6, 7, 8], iscrowd=1),
            box(10, 2, [40, 20, 10, 20], isfake=1),
            box(11, 2, [1, 1, 2, 2]),
            box(13, 3, [1, 1, 0, 2]),
        ],
        "categories": [{"id": 1, "name": "Person"}, {"id": 365, "name": "Iron"}],
    }
    (tmp_path / "zhiyuan_objv2_train.json").write_text(json.dumps(content))
    return tmp_path


def box(image, category, corners, **flags):
    entry = {"image_id": image, "category_id": category, "bbox": corners}
    return entry | {"iscrowd": 0, "isfake": 0, "isreflected": 0} | flags


def test_boxes_of_each_photo(root, write_photo, tmp_path):
    source = Objects365(root)
    assert len(source) == 2
    sample = source[0]
    assert sample.name == "patch8/objects365_v1_00420917.jpg"
    expected = write_photo(tmp_path / "again.png", height=31, width=47, seed=0)
    np.testing.assert_array_equal(sample.rgb.pixels[0], expected)
    np.testing.assert_array_equal(
        sample[Boxes].corners_px[0], np.array([[1.5, 2.5, 4.5, 6.5], [40, 20, 47, 31]])
    )
    assert sample[Boxes].classes.tolist() == [365, 2]
    other = source[1][Boxes]
    np.testing.assert_allclose(other.corners_px[0], [[11.39, 8.18, 46.89, 12.43]], rtol=1e-6)
    assert other.classes.tolist() == [84]
    assert source.class_names == {1: "Person", 365: "Iron"}


def test_what_was_left_out_is_counted(root):
    assert +Objects365(root).skipped == {
        "crowd region": 1,
        "box without area": 1,
        "image without boxes": 1,
        "photo is missing": 1,
    }


def test_list_is_found_in_the_split_too(root):
    file = "zhiyuan_objv2_train.json"
    (root / file).rename(root / "train" / file)
    assert len(Objects365(root)) == 2


def test_missing_parts_are_named(root, tmp_path):
    with pytest.raises(LayoutError, match="val does not exist"):
        Objects365(root, split="val")
    (root / "zhiyuan_objv2_train.json").unlink()
    with pytest.raises(LayoutError, match=r"zhiyuan_objv2_train.json or .*annotations/zhiyuan"):
        Objects365(root)
    (tmp_path / "empty/train").mkdir(parents=True)
    with pytest.raises(LayoutError, match="no folder patch0"):
        Objects365(tmp_path / "empty")
