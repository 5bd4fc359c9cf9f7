import numpy as np
import pytest

from lavin_dit.datasets.imagenet import Imagenet
from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.source import UnusableSampleError

TRAIN = ["n01443537/n01443537_2.JPEG", "n01440764/n01440764_10.JPEG", "n01440764/n01440764_9.JPEG"]
VAL = ["ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG"]


@pytest.fixture(params=["ILSVRC/Data/CLS-LOC/", ""])
def root(request, tmp_path, write_photo):
    for seed, file in enumerate(TRAIN):
        path = tmp_path / f"{request.param}train/{file}"
        write_photo(path, height=11 + 2 * seed, width=31 - 4 * seed, seed=seed)
    for seed, file in enumerate(VAL):
        write_photo(tmp_path / f"{request.param}val/{file}", height=13, width=17, seed=seed)
    (tmp_path / f"{request.param}train/n01440764/notes.txt").touch()
    return tmp_path


def test_training_photos_in_order_of_class_and_file(root, write_photo, tmp_path):
    source = Imagenet(root)
    names = [source[index].name for index in range(len(source))]
    assert names == [TRAIN[1], TRAIN[2], TRAIN[0]]
    assert source.synsets() == ("n01440764", "n01440764", "n01443537")
    assert source.skipped == {"file that is not a photo": 1}
    expected = write_photo(tmp_path / "again.png", height=13, width=27, seed=1)
    np.testing.assert_array_equal(source[0].rgb.pixels[0], expected)
    assert source[0].kinds == source.kinds == ()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "I;16", "1"])
def test_photos_of_all_colour_modes(root, write_photo, mode):
    path = next(root.rglob("n01440764_10.JPEG"))
    if mode == "I;16":
        from PIL import Image

        grey = np.arange(11 * 31, dtype=np.uint16).reshape(11, 31) * 190
        Image.fromarray(grey).save(path, format="PNG")
        expected = np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    else:
        expected = write_photo(path, height=11, width=31, mode=mode)
    np.testing.assert_array_equal(Imagenet(root)[0].rgb.pixels[0], expected)


def test_cmyk_photo(root):
    from PIL import Image

    path = next(root.rglob("n01440764_10.JPEG"))
    Image.new("CMYK", (31, 11), (0, 255, 255, 0)).save(path, format="JPEG", quality=100)
    assert np.abs(Imagenet(root)[0].rgb.pixels.astype(int) - [254, 0, 0]).max() <= 2


def test_validation_classes_from_the_competitions_list(root):
    (root / "LOC_val_solution.csv").write_text(
        "ImageId,PredictionString\n"
        "ILSVRC2012_val_00000002,n02123394 1 2 3 4 n02123394 5 6 7 8 \n"
        "ILSVRC2012_val_00000001,n01751748 111 108 249 260 \n"
    )
    source = Imagenet(root, split="val")
    assert source.synsets() == ("n01751748", "n02123394")
    assert source[1].name == VAL[1]


def test_validation_classes_from_the_development_kit(root):
    matlab = pytest.importorskip("scipy.io", reason="the extra data is not installed")
    data = root / "ILSVRC2012_devkit_t12/data"
    data.mkdir(parents=True)
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text("490\n361\n")
    rows = [(361, "n02445715"), (490, "n01751748")]
    fields = [("ILSVRC2012_ID", float), ("WNID", object)]
    matlab.savemat(data / "meta.mat", {"synsets": np.array(rows, dtype=fields)})
    source = Imagenet(root, split="val")
    assert source.synsets() == ("n01751748", "n02445715")
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text("490\n")
    with pytest.raises(LayoutError, match="lists 1 photos of 2"):
        source.synsets()


def test_photos_need_no_list_of_classes(root):
    source = Imagenet(root, split="val")
    assert source[0].shape.width == 17
    with pytest.raises(LayoutError, match=r"LOC_val_solution.csv or .*ground_truth.txt does not"):
        source.synsets()


def test_corrupt_photo_is_refused(root):
    next(root.rglob("n01440764_10.JPEG")).write_bytes(b"\xff\xd8\xff")
    source = Imagenet(root)
    with pytest.raises(UnusableSampleError, match="photo cannot be decoded"):
        source[0]
    assert source[1].name == TRAIN[2]


def test_missing_parts_are_named(tmp_path):
    with pytest.raises(LayoutError, match=r"ILSVRC/Data/CLS-LOC/train or .*/train does not exist"):
        Imagenet(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(LayoutError, match="no photos in"):
        Imagenet(tmp_path)
