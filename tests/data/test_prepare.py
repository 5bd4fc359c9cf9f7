import json
import tarfile
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from lavin_dit.data.prepare import Part, damaged_shards, prepare_shards
from lavin_dit.data.sample_members import PictureEncoding
from lavin_dit.data.shard_source import ShardSource
from lavin_dit.data.shard_writer import ShardSettings
from lavin_dit.data.shards import ShardError
from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.vision.codecs.depth import Depth
from scene_source import SceneSource

SOURCE = SceneSource(
    length=11, unusable=frozenset({1, 8}), skipped=Counter({"box without area": 3})
)
SETTINGS = ShardSettings(samples_per_shard=3, pictures=PictureEncoding(format="png"))


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@dataclass(frozen=True, kw_only=True)
class DyingSource(SceneSource):
    """Stops the program at a sample, like a kill or a full disk."""

    dies_at: int = 100

    def __getitem__(self, index):
        if index == self.dies_at:
            raise KeyboardInterrupt
        return super().__getitem__(index)


def test_everything_usable_is_written(tmp_path):
    calls = []
    report = prepare_shards(
        SOURCE, tmp_path, settings=SETTINGS, progress=lambda *done: calls.append(done)
    )
    assert (report.num_shards, report.written, report.kept, report.missing) == (4, 4, 0, 0)
    assert report.num_samples == 9
    assert report.skipped == {"photo is torn": 2}
    assert calls == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    shards = ShardSource(tmp_path)
    assert [sample.name for sample in shards] == [
        f"scene {index}" for index in range(11) if index not in SOURCE.unusable
    ]
    assert (shards.name, shards.split, shards.kinds) == ("scenes", "train", SOURCE.kinds)
    assert shards.skipped == {"photo is torn": 2, "box without area": 3}
    np.testing.assert_array_equal(shards[1].rgb.pixels, SOURCE[2].rgb.pixels)
    np.testing.assert_array_equal(shards[-1][Depth].metres, SOURCE[10][Depth].metres)
    assert damaged_shards(tmp_path) == []


def test_layout_is_webdatasets(tmp_path):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS)
    facts = json.loads((tmp_path / "shards.json").read_text())
    assert facts["__kind__"] == "wids-shard-index-v1"
    for shard in facts["shardlist"]:
        with tarfile.open(tmp_path / shard["url"]) as tar:
            keys = [name.partition(".")[0] for name in tar.getnames()]
        assert len(set(keys)) == shard["nsamples"]
        assert keys == sorted(keys)
        assert (tmp_path / shard["url"]).stat().st_size == shard["filesize"]


def test_parts_and_workers_write_the_same_bytes(tmp_path):
    prepare_shards(SOURCE, tmp_path / "at_once", settings=SETTINGS)
    for number in (3, 1, 2):
        report = prepare_shards(
            SOURCE, tmp_path / "parts", settings=SETTINGS, part=Part(number=number, count=3)
        )
        assert (tmp_path / "parts" / "shards.json").exists() == (report.missing == 0)
    assert report.missing == 0
    prepare_shards(SOURCE, tmp_path / "workers", settings=SETTINGS, workers=2)
    assert (
        contents(tmp_path / "at_once")
        == contents(tmp_path / "parts")
        == contents(tmp_path / "workers")
    )


def test_an_incomplete_folder_cannot_be_read(tmp_path):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS, part=Part(number=1, count=2))
    with pytest.raises(ShardError, match="not all of its parts are prepared"):
        ShardSource(tmp_path)


@pytest.mark.parametrize("dies_at", [0, 4, 10])
def test_killed_and_started_again(tmp_path, dies_at):
    dying = DyingSource(**vars(SOURCE), dies_at=dies_at)
    with pytest.raises(KeyboardInterrupt):
        prepare_shards(dying, tmp_path / "killed", settings=SETTINGS)
    whole = list((tmp_path / "killed").glob("shard-*.tar"))
    assert len(whole) == dies_at // 3
    assert not (tmp_path / "killed" / "shards.json").exists()
    # A process that was killed for good leaves its unfinished file behind.
    (tmp_path / "killed" / f".shard-{dies_at // 3:06d}.tar.99.partial").write_bytes(b"half")
    report = prepare_shards(SOURCE, tmp_path / "killed", settings=SETTINGS)
    assert (report.kept, report.written) == (dies_at // 3, 4 - dies_at // 3)
    prepare_shards(SOURCE, tmp_path / "whole", settings=SETTINGS)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_second_run_writes_nothing(tmp_path):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS)
    dying = DyingSource(**vars(SOURCE), dies_at=0)
    report = prepare_shards(dying, tmp_path, settings=SETTINGS)
    assert (report.written, report.kept) == (0, 4)


def test_errors_of_workers_arrive(tmp_path):
    class Broken(SceneSource):
        def __getitem__(self, index):
            raise ZeroDivisionError

    for workers in (0, 2):
        with pytest.raises(ZeroDivisionError):
            prepare_shards(Broken(), tmp_path, settings=SETTINGS, workers=workers)


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        (SOURCE, ShardSettings(samples_per_shard=4), "samples_per_shard 3 rather than"),
        (replace(SOURCE, length=12), SETTINGS, "num_samples 11 rather than 12"),
        (replace(SOURCE, kinds=(Depth,)), SETTINGS, "kinds"),
        (replace(SOURCE, split="val"), SETTINGS, "split 'train' rather than 'val'"),
    ],
)
def test_other_shards_are_not_mixed_in(tmp_path, source, settings, message):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS)
    with pytest.raises(ShardError, match=message):
        prepare_shards(source, tmp_path, settings=settings)


def test_truncated_shards_are_found_before_reading_and_rewritten(tmp_path):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS)
    whole = contents(tmp_path)
    path = tmp_path / "shard-000002.tar"
    path.write_bytes(path.read_bytes()[:-2048])
    with pytest.raises(ShardError, match=r"shard-000002.tar has \d+ bytes, but should have"):
        ShardSource(tmp_path)
    assert "shard-000002.tar has" in damaged_shards(tmp_path)[0]
    assert prepare_shards(SOURCE, tmp_path, settings=SETTINGS).written == 1
    assert contents(tmp_path) == whole


def test_missing_shards_are_found_before_reading(tmp_path):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS)
    (tmp_path / "shard-000001.tar").unlink()
    with pytest.raises(ShardError, match=r"shard-000001\.tar is missing"):
        ShardSource(tmp_path)
    assert damaged_shards(tmp_path) == ["shard-000001.tar is missing"]


def test_flipped_bits_make_one_sample_unusable(tmp_path):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS)
    path = tmp_path / "shard-000000.tar"
    data = bytearray(path.read_bytes())
    data[3000] ^= 1
    path.write_bytes(data)
    shards = ShardSource(tmp_path)
    with pytest.raises(UnusableSampleError, match="differ from their checksum"):
        shards[0]
    assert shards[1].name == "scene 2"
    assert damaged_shards(tmp_path) == ["shard-000000.tar differs from its checksum"]


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS)
    shards = ShardSource(tmp_path)
    path = tmp_path / "shard-000003.tar"
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ShardError, match=r"shard-000003\.tar ends within"):
        shards[len(shards) - 1]


@pytest.mark.parametrize("name", ["shards.json", "index.npz"])
def test_damaged_indices_are_refused(tmp_path, name):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:50])
    with pytest.raises(ShardError, match=f"{name} is damaged"):
        ShardSource(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ShardError, match=f"{name} does not exist"):
        ShardSource(tmp_path)


def test_indices_of_other_versions_are_refused(tmp_path):
    prepare_shards(SOURCE, tmp_path, settings=SETTINGS)
    path = tmp_path / "shards.json"
    path.write_text(path.read_text().replace('"lavin_dit_shards": 1', '"lavin_dit_shards": 2'))
    with pytest.raises(ShardError, match="is of version 2; this program reads 1"):
        ShardSource(tmp_path)


def test_many_samples_left_out_are_one_line(tmp_path, caplog):
    source = SceneSource(length=8, unusable=frozenset({0, 2, 3, 5, 6}))
    prepare_shards(source, tmp_path, settings=ShardSettings(samples_per_shard=6))
    assert [record.getMessage() for record in caplog.records] == [
        "shard-000000.tar: left out 4 x photo is torn: scene 0, scene 2, scene 3 and 1 more",
        "shard-000001.tar: left out 1 x photo is torn: scene 6",
    ]


def test_shards_without_a_usable_sample_are_not_listed(tmp_path):
    source = SceneSource(length=7, unusable=frozenset({3, 4, 5}))
    report = prepare_shards(source, tmp_path, settings=SETTINGS)
    assert report.num_shards == 3
    assert len(json.loads((tmp_path / "shards.json").read_text())["shardlist"]) == 2
    assert [sample.name for sample in ShardSource(tmp_path)] == [
        f"scene {index}" for index in (0, 1, 2, 6)
    ]


def test_empty_sources_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"scenes \(train\) has no samples"):
        prepare_shards(SceneSource(length=0), tmp_path)


def test_parts_are_counted_from_one():
    with pytest.raises(ValueError, match="there is no part 3 of 2"):
        Part(number=3, count=2)


def test_a_source_of_other_settings_is_not_mixed_in(tmp_path):
    """Such a source may have the same name, split, kinds and length."""
    filled = ShardSettings(source_settings=("depth=filled",))
    prepare_shards(SceneSource(length=2), tmp_path, settings=filled)
    assert prepare_shards(SceneSource(length=2), tmp_path, settings=filled).kept == 1
    with pytest.raises(
        ShardError, match=r"with source_settings \['depth=filled'\] rather than \[\];"
    ):
        prepare_shards(SceneSource(length=2), tmp_path)
