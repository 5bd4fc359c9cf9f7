import os
import pickle
from pathlib import Path

import fsspec
import numpy as np
import pytest

from lavin_dit.data.prepare import prepare_shards
from lavin_dit.data.sample_members import PictureEncoding
from lavin_dit.data.shard_source import ShardSource
from lavin_dit.data.shard_writer import ShardSettings
from lavin_dit.data.shards import ShardError
from lavin_dit.data.storage import LocalStorage, RemoteStorage
from lavin_dit.datasets.source import Source
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.instances import Instances
from scene_source import SceneSource

SOURCE = SceneSource(length=7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("shards")
    settings = ShardSettings(samples_per_shard=3, pictures=PictureEncoding(format="webp"))
    prepare_shards(SOURCE, path, settings=settings)
    return path


@pytest.fixture
def address(folder):
    """The same shards in an object store that lives in memory."""
    store = fsspec.filesystem("memory")
    for path in folder.iterdir():
        store.pipe_file(f"/bucket/shards/{path.name}", path.read_bytes())
    yield "memory://bucket/shards"
    store.rm("/bucket", recursive=True)


def test_it_is_a_source(folder):
    shards = ShardSource(folder)
    assert isinstance(shards, Source)
    with pytest.raises(IndexError, match="no sample 7 in a source of 7"):
        shards[7]


def test_remote_equals_local(folder, address):
    local, remote = ShardSource(folder), ShardSource(address + "/")
    assert len(remote) == len(local) == 7
    for one, other in zip(local, remote, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.rgb.pixels, other.rgb.pixels)
        np.testing.assert_array_equal(one[Depth].metres, other[Depth].metres)


def test_remote_shards_that_are_cut_off_are_refused(address):
    remote = ShardSource(address)
    store = fsspec.filesystem("memory")
    data = store.cat_file("/bucket/shards/shard-000002.tar")
    store.pipe_file("/bucket/shards/shard-000002.tar", data[:900])
    with pytest.raises(ShardError, match=r"memory://bucket/shards/shard-000002\.tar ends within"):
        remote[6]
    store.rm("/bucket/shards/shard-000002.tar")
    with pytest.raises(ShardError, match=r"shard-000002\.tar is gone"):
        remote[6]


def test_a_failing_network_is_tried_again(address, monkeypatch, caplog):
    monkeypatch.setattr("lavin_dit.data.storage._FIRST_PAUSE_S", 0.001)
    failures = iter([ConnectionError("reset"), TimeoutError("slow"), OSError("503")])
    real = type(fsspec.filesystem("memory")).cat_file

    def unsteady(self, *args, **kwargs):
        for failure in failures:
            raise failure
        return real(self, *args, **kwargs)

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.cat_file", unsteady)
    assert RemoteStorage(address).read("shards.json")
    assert caplog.text.count("again in") == 3
    failures = iter([OSError("down")] * 4)
    with pytest.raises(OSError, match=r"bucket/shards/shards\.json cannot be read: down"):
        RemoteStorage(address).read("shards.json")


def test_a_stores_own_errors_are_told_as_what_they_are(address, monkeypatch):
    """Also of the index, which is not damaged if it can't be had."""
    monkeypatch.setattr("lavin_dit.data.storage._FIRST_PAUSE_S", 0.001)
    real = type(fsspec.filesystem("memory")).cat_file

    def locked(self, path, **kwargs):
        if path.endswith("index.npz"):
            raise RuntimeError("no credentials")
        return real(self, path, **kwargs)

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.cat_file", locked)
    with pytest.raises(OSError, match=r"index\.npz cannot be read: no credentials"):
        ShardSource(address)


def test_kinds_that_are_not_needed_are_not_decoded(folder):
    shards = ShardSource(folder)
    assert shards.with_kinds((Instances,))[0].kinds == (Instances,)
    assert shards.with_kinds(())[0].kinds == ()
    assert ShardSource(folder, kinds=(Depth,))[0].kinds == (Depth,)
    assert shards[0].kinds == SOURCE.kinds
    with pytest.raises(ValueError, match="scenes has no Edges; it has Depth, Instances"):
        shards.with_kinds((Edges,))


def test_sources_travel_without_their_open_files(folder, address):
    for place in (folder, address):
        shards = ShardSource(place)
        first = shards[3]
        moved = pickle.loads(pickle.dumps(shards))
        np.testing.assert_array_equal(moved[3].rgb.pixels, first.rgb.pixels)


def test_forks_share_files_without_disturbing_each_other(folder):
    shards = ShardSource(folder)
    expected = [sample.rgb.pixels.sum() for sample in shards]
    child = os.fork()
    if child == 0:
        fine = all(shards[index].rgb.pixels.sum() == expected[index] for index in range(7))
        os._exit(0 if fine else 1)
    again = [sample.rgb.pixels.sum() for sample in shards]
    assert os.waitpid(child, 0)[1] == 0
    assert again == expected


def test_open_files_are_few(folder, monkeypatch):
    monkeypatch.setattr("lavin_dit.data.storage._MAX_OPEN_FILES", 2)
    storage = LocalStorage(folder)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        for number in range(3):
            assert storage.read_range(f"shard-{number:06d}.tar", offset=257, size=5) == b"ustar"
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


def test_folders_that_hold_no_shards_are_refused(tmp_path):
    with pytest.raises(ShardError, match=r"shards\.json does not exist: this is no folder"):
        ShardSource(tmp_path)
