import numpy as np
import pytest

from lavin_dit.datasets import ade20k
from lavin_dit.datasets.ade20k import Ade20k
from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.panoptic import Panoptic

SIZES = {
    "ADE_train_00000001": (31, 47),
    "ADE_train_00000002": (19, 29),
    "ADE_train_00000003": (23, 37),
}


@pytest.fixture
def root(tmp_path, write_photo, write_labels):
    for seed, (name, (height, width)) in enumerate(SIZES.items()):
        path = tmp_path / f"images/training/{name}.jpg"
        write_photo(path, height=height, width=width, seed=seed)
        if seed == 2:
            continue
        scene = np.zeros((height, width), dtype=np.uint8)
        scene[:6] = 3  # sky
        scene[6:12] = 21  # car, of which a part is an instance
        scene[12:14] = 1  # wall
        things = np.zeros((height, width, 3), dtype=np.uint8)
        things[7:10, 2:6] = 9, 4, 0  # class 9 of 100 is class 21 of 150; instance 4
        things[13:16, 2:9] = 4, 1, 0  # class 4 of 100 is a person, class 13; over the wall
        write_labels(tmp_path / f"annotations/training/{name}.png", scene)
        write_labels(tmp_path / f"annotations_instance/training/{name}.png", things)
    table = "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1576\t11664\t1172\t1\twall\n"
    table += "13\t0.016\t5082\t537\t0\tperson, individual, someone\n"
    (tmp_path / "objectInfo150.txt").write_text(table)
    return tmp_path


def test_panoptic_is_stuff_with_instances_over_it(root):
    source = Ade20k(root)
    assert len(source) == 2
    sample = source[0]
    assert sample.name == "ADE_train_00000001.jpg"
    ids = np.zeros((31, 47), dtype=np.int32)
    ids[12:14] = 1
    ids[:6] = 2
    ids[13:16, 2:9] = 3
    ids[7:10, 2:6] = 4
    np.testing.assert_array_equal(sample[Panoptic].ids[0], ids)
    assert sample[Panoptic].classes.tolist() == [1, 3, 13, 21]


def test_instances(root):
    ids = np.zeros((19, 29), dtype=np.int32)
    ids[7:10, 2:6] = 4
    ids[13:16, 2:9] = 1
    np.testing.assert_array_equal(Ade20k(root, kinds=(Instances,))[1][Instances].ids[0], ids)


def test_names_and_what_is_missing(root):
    source = Ade20k(root)
    assert source.class_names == {1: "wall", 13: "person, individual, someone"}
    assert source.skipped == {"label picture is missing": 1}
    assert len(Ade20k(root, kinds=())) == 3
    assert Ade20k(root, kinds=())[2].shape.width == 37


def test_the_hundred_classes_with_instances():
    things = ade20k._THING_CLASSES
    assert len(things) == len(set(things)) == 100
    assert list(things) == sorted(things)
    # Bed, windowpane, person, car and flag; not wall, sky or tree.
    assert {8, 9, 13, 21, 150} <= set(things)
    assert not {1, 3, 5, 26, 114} & set(things)


@pytest.mark.parametrize(
    ("things", "scene", "reason"),
    [
        ([0, 0, 0], 3, "no instance has pixels"),
        ([101, 1, 0], 3, "an instance does not have one class of 1 to 100"),
        ([0, 1, 0], 3, "an instance does not have one class of 1 to 100"),
        ([4, 1, 0], 151, "label picture holds numbers that have no class"),
    ],
)
def test_damaged_labels_are_refused(root, write_labels, things, scene, reason):
    colours = np.zeros((31, 47, 3), dtype=np.uint8)
    colours[3:5, 7:9] = things
    write_labels(root / "annotations_instance/training/ADE_train_00000001.png", colours)
    write_labels(root / "annotations/training/ADE_train_00000001.png", np.full((31, 47), scene))
    with pytest.raises(UnusableSampleError, match=reason):
        Ade20k(root)[0]


def test_instance_of_two_classes_is_refused(root, write_labels):
    colours = np.zeros((31, 47, 3), dtype=np.uint8)
    colours[3, 7:9] = [[4, 1, 0], [5, 1, 0]]
    write_labels(root / "annotations_instance/training/ADE_train_00000001.png", colours)
    with pytest.raises(UnusableSampleError, match="one class of 1 to 100"):
        Ade20k(root)[0]


def test_labels_of_another_size_are_refused(root, write_labels):
    colours = np.ones((47, 31, 3), dtype=np.uint8)
    write_labels(root / "annotations_instance/training/ADE_train_00000001.png", colours)
    with pytest.raises(UnusableSampleError, match="differ in size"):
        Ade20k(root)[0]


@pytest.mark.parametrize("folder", ["images", "annotations", "annotations_instance"])
def test_missing_folders_are_named(root, folder):
    (root / folder).rename(root / "elsewhere")
    with pytest.raises(LayoutError, match=f"{folder}/training does not exist"):
        Ade20k(root)
