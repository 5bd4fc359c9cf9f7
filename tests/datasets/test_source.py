import logging
import pickle
from collections import Counter
from types import MappingProxyType

import numpy as np
import pytest

from lavin_dit.datasets.layout import LayoutError, check_choice, check_kinds, require
from lavin_dit.datasets.source import (
    Source,
    UnusableSampleError,
    check_index,
    usable_samples,
)
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.sample import Sample


class Four:
    """Four photos, of which the third is corrupt."""

    name = "four"
    split = "train"
    kinds = ()
    skipped = MappingProxyType({})

    def __len__(self):
        return 4

    def __getitem__(self, index):
        index = check_index(index, length=len(self))
        if index == 2:
            raise UnusableSampleError("third.jpg", "photo cannot be decoded")
        pixels = np.full((1, 3, 5, 3), index, dtype=np.uint8)
        return Sample(rgb=Rgb(pixels=pixels), name=str(index))


def test_unusable_samples_are_passed_over_counted_and_named(caplog):
    skipped = Counter()
    with caplog.at_level(logging.WARNING):
        names = [sample.name for sample in usable_samples(Four(), [3, 2, 0, 2], skipped=skipped)]
    assert names == ["3", "0"]
    assert skipped == {"photo cannot be decoded": 2}
    assert "four (train): sample 'third.jpg' cannot be used: photo cannot be decoded" in caplog.text


def test_other_errors_are_not_passed_over():
    with pytest.raises(IndexError, match="no sample 4 in a source of 4"):
        list(usable_samples(Four(), [4], skipped=Counter()))


def test_the_protocol_is_what_a_source_has():
    assert isinstance(Four(), Source)
    assert not isinstance([1, 2], Source)


def test_error_survives_pickling():
    error = pickle.loads(pickle.dumps(UnusableSampleError("a", "b")))
    assert (error.name, error.reason, str(error)) == ("a", "b", "sample 'a' cannot be used: b")


@pytest.mark.parametrize(("index", "expected"), [(0, 0), (4, 4), (-1, 4), (-5, 0)])
def test_indices_count_from_both_ends(index, expected):
    assert check_index(index, length=5) == expected


@pytest.mark.parametrize("index", [5, -6])
def test_index_outside_is_refused(index):
    with pytest.raises(IndexError):
        check_index(index, length=5)


def test_missing_file_says_what_is_there_instead(tmp_path):
    (tmp_path / "val").mkdir()
    (tmp_path / "a.json").touch()
    with pytest.raises(LayoutError) as caught:
        require(tmp_path, "train", "images/train", dataset="COCO")
    message = str(caught.value)
    assert f"COCO: {tmp_path}/train or {tmp_path}/images/train does not exist" in message
    assert f"{tmp_path} holds a.json, val/." in message
    assert "docs/data.md" in message
    assert isinstance(caught.value, FileNotFoundError)


def test_missing_and_empty_roots_are_said(tmp_path):
    with pytest.raises(LayoutError, match="is empty"):
        require(tmp_path, "train", dataset="COCO")
    with pytest.raises(LayoutError, match="does not exist either"):
        require(tmp_path / "nowhere", "train", dataset="COCO")


def test_the_first_choice_that_exists_is_taken(tmp_path):
    for name in ("b", "c"):
        (tmp_path / name).touch()
    assert require(tmp_path, "a", "b", "c", dataset="x").name == "b"


def test_wrong_settings_name_the_right_ones():
    with pytest.raises(ValueError, match="'test' is not a split of COCO; there are train, val"):
        check_choice("test", ("train", "val"), what="a split of COCO")
    with pytest.raises(ValueError, match="COCO has no Depth; it has Mask"):
        check_kinds([Mask, Depth], (Mask,), dataset="COCO")
    assert check_kinds([Mask, Mask], (Mask, Depth), dataset="COCO") == (Mask,)
