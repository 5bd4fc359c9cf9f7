import numpy as np
import pytest

from lavin_dit.datasets.cityscapes import Cityscapes
from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.panoptic import Panoptic

NAMES = {"zurich/zurich_000000_000019": (31, 61), "aachen/aachen_000001_000019": (23, 47)}


@pytest.fixture
def root(tmp_path, write_photo, write_labels):
    for seed, (name, (height, width)) in enumerate(NAMES.items()):
        photo = tmp_path / f"leftImg8bit/train/{name}_leftImg8bit.png"
        write_photo(photo, height=height, width=width, seed=seed)
        numbers = np.full((height, width), 3, dtype=np.uint16)  # out of region of interest
        numbers[:5] = 23  # sky
        numbers[5:20] = 7  # road
        numbers[6:9, 1:5] = 26000  # first car
        numbers[6:9, 8:12] = 26001  # second car
        numbers[6:9, 14:18] = 26  # cars that cannot be told apart
        numbers[10:12, 1:5] = 24007  # person
        numbers[10:12, 8:12] = 29000  # caravan, not evaluated
        numbers[10:12, 14:18] = 9  # parking, not evaluated
        write_labels(tmp_path / f"gtFine/train/{name}_gtFine_instanceIds.png", numbers)
    write_photo(
        tmp_path / "leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png", height=9, width=7
    )
    return tmp_path


def test_panoptic_in_train_ids(root, write_photo, tmp_path):
    source = Cityscapes(root)
    assert len(source) == 2
    sample = source[0]
    assert sample.name == "aachen/aachen_000001_000019"
    expected = write_photo(tmp_path / "again.png", height=23, width=47, seed=1)
    np.testing.assert_array_equal(sample.rgb.pixels[0], expected)
    ids = np.zeros((23, 47), dtype=np.int32)
    ids[5:20] = 1
    ids[:5] = 2
    ids[10:12, 1:5] = 3
    ids[6:9, 1:5], ids[6:9, 8:12] = 4, 5
    ids[6:9, 14:18] = ids[10:12, 8:12] = ids[10:12, 14:18] = 0
    np.testing.assert_array_equal(sample[Panoptic].ids[0], ids)
    assert sample[Panoptic].classes.tolist() == [0, 10, 11, 13, 13]


def test_instances_are_the_things_that_are_evaluated(root):
    instances = Cityscapes(root, kinds=(Instances,))[1][Instances]
    assert instances.names == (24007, 26000, 26001)
    assert (instances.ids[0, 6:9, 8:12] == 26001).all()


def test_class_names_in_the_publishers_order(root):
    names = Cityscapes(root).class_names
    assert len(names) == 19
    assert (names[0], names[10], names[11], names[13], names[18]) == (
        "road", "sky", "person", "car", "bicycle",
    )  # fmt: skip


def test_photos_without_labels_are_counted(root):
    assert Cityscapes(root).skipped == {"label picture is missing": 1}
    assert len(Cityscapes(root, kinds=())) == 3


def test_picture_without_instances_is_refused(root, write_labels):
    path = root / "gtFine/train/aachen/aachen_000001_000019_gtFine_instanceIds.png"
    write_labels(path, np.full((23, 47), 26, dtype=np.uint16))
    with pytest.raises(UnusableSampleError, match="no instance has pixels"):
        Cityscapes(root, kinds=(Instances,))[0]
    with pytest.raises(UnusableSampleError, match="nothing is labelled"):
        Cityscapes(root, kinds=(Panoptic,))[0]


def test_missing_parts_are_named(root, tmp_path):
    with pytest.raises(LayoutError, match="leftImg8bit/val does not exist"):
        Cityscapes(root, split="val")
    (root / "gtFine").rename(root / "elsewhere")
    with pytest.raises(LayoutError, match="gtFine/train does not exist"):
        Cityscapes(root)
    (tmp_path / "empty/leftImg8bit/train").mkdir(parents=True)
    with pytest.raises(LayoutError, match="no city with"):
        Cityscapes(tmp_path / "empty")
    with pytest.raises(ValueError, match="'test' is not a split of Cityscapes"):
        Cityscapes(root, split="test")
