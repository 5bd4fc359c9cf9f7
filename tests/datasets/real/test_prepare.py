"""``lavin prepare``: what it says and returns."""

import pytest
import tyro

from lavin_dit.cli.prepare import Prepare
from lavin_dit.datasets.real import catalogue


def prepare(*words):
    """Run the verb as the command line does."""
    config = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes)
    return tyro.cli(Prepare, args=words, config=config).run()


@pytest.fixture
def shelves(monkeypatch, select, make):
    """A catalogue of small packages."""
    photos = {f"package/p{seed}.png": make.photo(seed, height=170, width=201) for seed in range(4)}
    monkeypatch.setattr(catalogue, "PHOTOS", (select(photos), select(photos, name="other")))
    film = {"package/f.mp4": make.film([(1, 12)])}
    monkeypatch.setattr(catalogue, "CLIPS", (select(film, name="film"),))
    stamps = {"usr/share/tuxpaint/stamps/food/c.png": make.cutout(1)}
    monkeypatch.setattr(catalogue, "CUTOUTS", (select(stamps, name="stamps"),))


@pytest.mark.usefixtures("shelves")
def test_each_source_is_prepared(tmp_path, capsys):
    for verb, count in (("photos", 4), ("cutouts", 1), ("clips", 1)):
        output = tmp_path / verb
        assert prepare(verb, "-o", str(output), "--cache", str(tmp_path / "cache")) == 0
        said = capsys.readouterr().out
        assert f"{output}: {count} files" in said
        assert f"{count} open" in said
        assert (output / "manifest.jsonl").is_file()


@pytest.mark.usefixtures("shelves")
def test_what_fails_is_said(tmp_path, capsys, npm):
    (npm / "other.tgz").unlink()
    words = ("photos", "-o", str(tmp_path / "p"), "--cache", str(tmp_path / "cache"))
    assert prepare(*words) == 1
    assert "could not be had: other" in capsys.readouterr().out
    assert prepare(*words, "--packages", "shelf-photos") == 0
    with pytest.raises(ValueError, match="no package nowhere here; there are shelf-photos, other"):
        prepare(*words, "--packages", "nowhere")


def test_the_catalogue_is_consistent():
    for selections in (catalogue.PHOTOS, catalogue.CUTOUTS, catalogue.CLIPS):
        names = [selection.package.name for selection in selections]
        assert len(set(names)) == len(names)
        for selection in selections:
            assert selection.licence is not None or selection.copyright_file
