import numpy as np
import pytest

from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.pascal5i import Pascal5i
from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.masks import Mask

HEIGHT, WIDTH = 90, 120
VAL = {
    # image: class and rows of its band, 120 pixels wide; box rows and columns counted from 1
    "2007_000033": ([(1, 20), (15, 30)], [("aeroplane", 11, 21, 30, 40)]),
    "2007_000061": ([(2, 18)], [("bicycle", 1, 1, 120, 18), ("person", 5, 5, 9, 9)]),
    "2007_000063": ([(3, 17)], [("bird", 1, 1, 60, 20)]),  # covers 2,040 pixels: too few
    "2008_000123": ([(3, 40)], [("bird", 1, 1, 120, 40)]),
    "2008_000124": ([(8, 20)], [("cat", 3, 4, 50, 20)]),
}
TRAIN = {"2009_000001": ([(16, 30)], [("pottedplant", 1, 2, 30, 40)])}


@pytest.fixture(params=["VOCdevkit/VOC2012", ""])
def root(request, tmp_path, write_photo, write_labels):
    base = tmp_path / request.param
    for seed, (image, (bands, objects)) in enumerate((VAL | TRAIN).items()):
        write_photo(base / f"JPEGImages/{image}.jpg", height=HEIGHT, width=WIDTH, seed=seed)
        labels = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        row = 2
        for number, height in bands:
            labels[row : row + height] = number
            row += height
        labels[row : row + 2] = 255
        write_labels(base / f"SegmentationClassAug/{image}.png", labels)
        write_xml(base / f"Annotations/{image}.xml", objects)
    (base / "ImageSets/Segmentation").mkdir(parents=True)
    (base / "ImageSets/Segmentation/val.txt").write_text("\n".join(VAL) + "\n")
    return tmp_path


def write_xml(path, objects):
    path.parent.mkdir(exist_ok=True)
    parts = [
        f"<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>{left}</xmin>"
        f"<ymin>{top}</ymin><xmax>{right}.0</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for name, left, top, right, bottom in objects
    ]
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    path.write_text(f"<annotation>{size}{''.join(parts)}</annotation>")


def names(source):
    return [source[index].name for index in range(len(source))]


def test_classes_of_the_four_folds(root):
    folds = [Pascal5i(root, fold=fold).classes for fold in range(4)]
    assert folds == [tuple(range(first, first + 5)) for first in (1, 6, 11, 16)]
    assert Pascal5i(root, split="train", fold=1).classes == (*range(1, 6), *range(11, 21))
    source = Pascal5i(root, fold=2)
    assert [source.class_names[number] for number in source.classes] == [
        "diningtable", "dog", "horse", "motorbike", "person",
    ]  # fmt: skip


def test_pairs_of_image_and_class(root):
    source = Pascal5i(root, fold=0)
    assert names(source) == ["2007_000033__01", "2007_000061__02", "2008_000123__03"]
    assert [source.class_of(index) for index in range(3)] == [1, 2, 3]
    assert source.skipped["class that covers less than 2,048 pixels"] == 1
    assert names(Pascal5i(root, fold=1)) == ["2008_000124__08"]
    assert names(Pascal5i(root, fold=2)) == ["2007_000033__15"]
    assert len(Pascal5i(root, fold=3)) == 0


def test_training_images_are_those_outside_val(root):
    assert names(Pascal5i(root, split="train", fold=0)) == ["2009_000001__16"]
    assert names(Pascal5i(root, split="train", fold=3)) == []


def test_mask_is_one_class_against_the_rest(root, write_photo, tmp_path):
    source = Pascal5i(root, fold=0)
    sample = source[0]
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[2:22] = True
    np.testing.assert_array_equal(sample[Mask].foreground[0], mask)
    expected = write_photo(tmp_path / "again.png", height=HEIGHT, width=WIDTH, seed=0)
    np.testing.assert_array_equal(sample.rgb.pixels[0], expected)
    border = np.zeros((HEIGHT, WIDTH), dtype=bool)
    border[52:54] = True
    np.testing.assert_array_equal(source.border(0).foreground[0], border)


def test_boxes_of_single_objects(root):
    source = Pascal5i(root, fold=0, kinds=(Boxes, Mask))
    assert names(source) == ["2007_000033__01"]
    sample = source[0]
    np.testing.assert_array_equal(sample[Boxes].corners_px[0], [[10, 20, 30, 40]])
    assert sample[Boxes].classes.tolist() == [1]
    assert source.skipped["image with several objects"] == 1
    assert source.skipped["object that fills a fifth of its image"] == 1


def test_pairs_from_a_list(root, tmp_path):
    path = tmp_path / "fold0.txt"
    path.write_text("2007_000063__03\n2008_000123__01\n")
    source = Pascal5i(root, fold=0, pairs=path)
    assert source[0].name == "2007_000063__03"
    with pytest.raises(UnusableSampleError, match="mask has no pixel of the class"):
        source[1]
    with pytest.raises(ValueError, match=r"classes \[1, 3\] do not belong to val of fold 1"):
        Pascal5i(root, fold=1, pairs=path)


def test_corrupt_masks_and_boxes_are_counted(root):
    next(root.rglob("SegmentationClassAug/2007_000061.png")).write_bytes(b"no picture")
    next(root.rglob("SegmentationClassAug/2008_000123.png")).unlink()
    source = Pascal5i(root, fold=0)
    assert len(source) == 1
    assert source.skipped["label picture cannot be decoded"] == 1
    assert source.skipped["label picture is missing"] == 1
    next(root.rglob("2007_000033.xml")).write_text("<annotation><object>")
    boxes = Pascal5i(root, fold=0, kinds=(Boxes,))
    assert len(boxes) == 0
    assert boxes.skipped["box annotation cannot be read"] == 1


def test_box_without_area_is_counted(root):
    write_xml(next(root.rglob("2007_000033.xml")), [("aeroplane", 31, 5, 30, 9)])
    assert Pascal5i(root, fold=0, kinds=(Boxes,)).skipped["box without area"] == 1


def test_masks_of_voc_itself_serve_val_alone(root):
    folder = next(root.rglob("SegmentationClassAug"))
    folder.rename(folder.with_name("SegmentationClass"))
    assert len(Pascal5i(root, fold=0)) == 3
    with pytest.raises(LayoutError, match="SegmentationClassAug does not exist"):
        Pascal5i(root, split="train", fold=0)


def test_missing_parts_and_wrong_folds_are_named(root, tmp_path):
    with pytest.raises(ValueError, match="folds 0 to 3, got 4"):
        Pascal5i(root, fold=4)
    (next(root.rglob("ImageSets")) / "Segmentation/val.txt").unlink()
    with pytest.raises(LayoutError, match=r"ImageSets/Segmentation/val.txt does not exist"):
        Pascal5i(root)
    with pytest.raises(LayoutError, match=r"VOCdevkit/VOC2012 or .*JPEGImages does not exist"):
        Pascal5i(tmp_path / "nowhere")
