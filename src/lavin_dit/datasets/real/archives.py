"""Reading the files in a package without installing it or writing them to disk.

A file inside an archive inside a package is named ``outer.zip!/inner/file``. Only plain files are
read; links and special files are passed over.
"""

import io
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from lavin_dit.datasets.real.qt_resources import read_resources

_NESTED = "!/"


class ArchiveError(ValueError):
    """A package cannot be unpacked."""


def read_members(path: Path, *, patterns: Sequence[str]) -> dict[str, bytes]:
    """Read the files in a package whose names fit any of some patterns.

    Args:
        path: A .deb, .whl, .zip, .tgz or .tar.gz file.
        patterns: Shell patterns of whole names, in which ``*`` also stands for slashes. A pattern
            ``*.rcc!/*.webp`` looks into the files that fit its first part (.zip or .rcc).

    Returns:
        Content by name, sorted by name.

    Raises:
        ArchiveError: If the package is of an unknown kind or broken.
    """
    try:
        found = dict(_matching(_files(path, patterns), patterns))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zipfile.LargeZipFile) as error:
        raise ArchiveError(f"{path} cannot be unpacked: {error}") from error
    return dict(sorted(found.items()))


def _matching(
    files: Iterator[tuple[str, bytes]], patterns: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    """Those of some files that fit a pattern, and what fits inside those that are archives."""
    plain = [pattern for pattern in patterns if _NESTED not in pattern]
    for name, content in files:
        if _fits(name, plain):
            yield name, content
        inner = [
            inside
            for outside, separator, inside in (pattern.partition(_NESTED) for pattern in patterns)
            if separator and fnmatchcase(name, outside)
        ]
        if inner:
            for inner_name, inner_content in _matching(_inside(name, content), inner):
                yield f"{name}{_NESTED}{inner_name}", inner_content


def _fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name fits any pattern."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _files(path: Path, patterns: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The files of a package that can matter, by its kind."""
    outer = [pattern.partition(_NESTED)[0] for pattern in patterns]
    if path.name.endswith(".deb"):
        return _debian_files(path, outer)
    if path.name.endswith((".tgz", ".tar.gz")):
        return _tar_files(path, outer)
    if path.name.endswith((".whl", ".zip")):
        return _zip_files(zipfile.ZipFile(path), outer)
    raise ArchiveError(f"{path} is not a .deb, .whl, .zip, .tgz or .tar.gz file")


def _tar_files(path: Path, patterns: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The files of a tar archive."""
    with tarfile.open(path, mode="r:*") as archive:
        yield from _plain_files(archive, patterns)


def _debian_files(path: Path, patterns: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The files of a Debian package; dpkg-deb knows all compressions that Debian uses."""
    if shutil.which("dpkg-deb") is None:
        raise ArchiveError(f"{path} needs dpkg-deb, which is not installed here")
    with subprocess.Popen(
        ("dpkg-deb", "--fsys-tarfile", str(path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                yield from _plain_files(archive, patterns)
            process.stdout.read()
        except tarfile.TarError as error:
            process.kill()
            said = process.stderr.read().decode(errors="replace").strip()
            raise ArchiveError(f"{path} cannot be unpacked: {said or error}") from error
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise ArchiveError(f"{path} cannot be unpacked: dpkg-deb ended with {process.returncode}")


def _plain_files(archive: tarfile.TarFile, patterns: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The plain files of an open tar archive that fit a pattern."""
    for member in archive:
        name = member.name.removeprefix("./")
        if member.isfile() and _fits(name, patterns):
            file = archive.extractfile(member)
            assert file is not None
            yield name, file.read()


def _zip_files(archive: zipfile.ZipFile, patterns: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The files of an open zip archive that fit a pattern."""
    with archive:
        for member in archive.infolist():
            if not member.is_dir() and _fits(member.filename, patterns):
                yield member.filename, archive.read(member)


def _inside(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of an archive that lies in another."""
    if name.endswith(".rcc"):
        return read_resources(content)
    if name.endswith(".zip"):
        return _zip_files(zipfile.ZipFile(io.BytesIO(content)), ("*",))
    raise ArchiveError(f"{name} is not a .zip or .rcc file")
