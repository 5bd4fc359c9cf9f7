import sys
from types import SimpleNamespace

import pytest

from lavin_dit.weights import locate as module
from lavin_dit.weights.locate import locate


@pytest.fixture
def hub(monkeypatch):
    """Stands for the Hugging Face hub's client, and notes what is asked of it."""
    calls = []

    def snapshot_download(name, *, allow_patterns):
        calls.append((name, allow_patterns))
        return "/cache/snapshot"

    client = SimpleNamespace(snapshot_download=snapshot_download, calls=calls)
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    monkeypatch.setattr(module, "find_spec", lambda _: object())
    return client


def test_a_folder(tmp_path, hub):
    (tmp_path / "model").mkdir()
    assert locate(tmp_path / "model") == tmp_path / "model"
    assert locate(str(tmp_path / "model")) == tmp_path / "model"
    assert hub.calls == []


def test_a_folder_comes_before_a_repository(tmp_path, hub, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "model").mkdir(parents=True)
    assert locate("owner/model").resolve() == tmp_path / "owner" / "model"
    assert hub.calls == []


def test_a_repository(tmp_path, hub, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(locate("owner/model")) == "/cache/snapshot"
    assert hub.calls == [("owner/model", ["*.json", "*.safetensors"])]


@pytest.mark.parametrize(
    "name",
    [
        "nowhere",
        "./owner/model",
        "../model",
        "/owner",
        "~/model",
        "a/b/c",
        "owner/",
        "/model",
        ".x",
    ],
)
def test_what_can_be_no_repository_is_not_asked_for(tmp_path, hub, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"^no saved pipeline at {name}$"):
        locate(name)
    assert hub.calls == []


def test_a_file_is_no_pipeline(tmp_path, hub, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jdit").mkdir()
    (tmp_path / "jdit" / "model.safetensors").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="safetensors is a file; a saved pipeline is a fol"):
        locate("jdit/model.safetensors")
    assert hub.calls == []


def test_without_the_client(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match=r"no folder owner/model; .*lavin-dit\[hub\]"):
        locate("owner/model")


@pytest.mark.parametrize("error", [OSError, ConnectionError, ValueError])
def test_a_hub_that_does_not_answer(tmp_path, hub, monkeypatch, error):
    monkeypatch.chdir(tmp_path)

    def fail(*_, **__):
        raise error("404 for that\nwith much more to say")

    hub.snapshot_download = fail
    with pytest.raises(FileNotFoundError) as caught:
        locate("owner/model")
    assert str(caught.value) == (
        "no folder owner/model, and the Hugging Face hub does not give it (404 for that)"
    )


def test_the_nano_is_the_packages_own(tmp_path, hub, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nano").mkdir()
    own = tmp_path / "package" / "nano"
    monkeypatch.setattr(module, "_NANO_FOLDER", own)
    with pytest.raises(FileNotFoundError, match="not part of this installation"):
        locate("nano")
    own.mkdir(parents=True)
    (own / "pipeline.json").touch()
    assert locate("nano") == own
    assert locate("./nano").resolve() == tmp_path / "nano"
    assert hub.calls == []
