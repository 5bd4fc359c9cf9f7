"""Small packages of the kinds that the package clients fetch, and a client that is not one."""

import io
import struct
import tarfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from lavin_dit.datasets.real.catalogue import Selection
from lavin_dit.datasets.real.licences import Licence
from lavin_dit.datasets.real.packages import Package

OPEN = Licence(name="CC-BY-4.0", attribution="A. Painter", stated_in="CREDITS")
COPYLEFT = Licence(name="GPL-2+", attribution="B. Painter", stated_in="COPYING")


def photo_bytes(seed, *, height=61, width=83, kind="PNG", **options):
    """A smooth colourful picture that is different for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def cutout_bytes(seed, *, side=80):
    """A disc of many colours, with alpha."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (side, side + 6, 4), dtype=np.uint8)
    y, x = np.mgrid[:side, : side + 6] + 0.5
    inside = (y - side / 2) ** 2 + (x - side / 2 - 3) ** 2 < (side / 2 - 2) ** 2
    pixels[..., 3] = 255 * inside
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def film_bytes(shots, *, height=54, width=96):
    """A film of textures that drift: one per (seed, number of frames); seed None is black."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for seed, count in shots:
            for number in range(count):
                pixels = np.zeros((height, width, 3), dtype=np.uint8)
                if seed is not None:
                    coarse = np.random.default_rng(seed).integers(60, 256, (4, 6, 3), np.uint8)
                    big = Image.fromarray(coarse).resize((width + 40, height), 3)
                    pixels = np.asarray(big)[:, number % 40 : number % 40 + width]
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def tar_package(path, files):
    """An archive as npm and pip ship it."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def resource_file(files):
    """A Qt resource file, format 3, with one level of folders; every other file compressed."""
    names, data, tree = b"", b"", []

    def add_name(name):
        nonlocal names
        at = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        return at

    def add_file(name, content):
        nonlocal data
        at, flags = len(data), len(tree) % 2
        if flags:
            content = struct.pack(">I", len(content)) + zlib.compress(content)
        data += struct.pack(">I", len(content)) + content
        return struct.pack(">IHHHIQ", add_name(name), flags, 0, 0, at, 0)

    folders = {}
    for name, content in files.items():
        folder, _, file = name.partition("/")
        folders.setdefault(folder, {})[file] = content
    tree.append(struct.pack(">IHIIQ", 0, 2, len(folders), 1, 0))
    first = 1 + len(folders)
    for folder, inner in folders.items():
        tree.append(struct.pack(">IHIIQ", add_name(folder), 2, len(inner), first, 0))
        first += len(inner)
    for inner in folders.values():
        for file, content in inner.items():
            tree.append(add_file(file, content))
    entries = b"".join(tree)
    start = 24
    offsets = (start, start + len(entries), start + len(entries) + len(data))
    return b"qres" + struct.pack(">4I", 3, *offsets) + b"\0" * 4 + entries + data + names


@pytest.fixture(scope="session")
def make():
    """Everything that writes small files, by name."""
    return SimpleNamespace(
        photo=photo_bytes,
        cutout=cutout_bytes,
        film=film_bytes,
        tar=tar_package,
        resources=resource_file,
        open=OPEN,
        copyleft=COPYLEFT,
    )


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A program called npm that hands out what is put on its shelf, and counts its calls."""
    shelf, programs = tmp_path / "shelf", tmp_path / "programs"
    shelf.mkdir()
    programs.mkdir()
    script = programs / "npm"
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$2" >> "{shelf}/calls"\n'
        'name=$(echo "$2" | sed "s/@[^@]*$//").tgz\n'
        f'[ -f "{shelf}/$name" ] && cp "{shelf}/$name" . && exit 0\n'
        'echo "npm error 404 $2 could not be found" >&2\n'
        "exit 1\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return shelf


@pytest.fixture
def select(npm):
    """Put files on the shelf as a package, and select them."""

    def put(files, *, name="shelf-photos", include=("*",), licence=OPEN, **options):
        tar_package(npm / f"{name}.tgz", files)
        package = Package(client="npm", name=name, version="1.0.0")
        return Selection(package=package, include=include, licence=licence, **options)

    return put


@pytest.fixture
def cache(tmp_path) -> Path:
    """A folder for packages."""
    return tmp_path / "cache"
