"""Fetching packages by name with the package clients of the machine.

What is finished carries a record with its checksum; a download that broke off lies in a folder of
its own until it is begun again, so it is never taken for a whole package.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

_log = logging.getLogger(__name__)

Client = Literal["apt", "pip", "npm"]

_CHUNK_BYTES = 1 << 20
_PROGRAMS: Mapping[Client, str] = {"apt": "apt-get", "pip": "pip", "npm": "npm"}


class FetchError(OSError):
    """A package could not be fetched; the message says what the client answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package in a public registry.

    Attributes:
        client: Which client fetches it.
        name: Its name in that client's registry.
        version: The version whose content was looked at. pip and npm fetch exactly this one; apt
            fetches what the machine's release offers, and a difference is logged.
        source: Whether to fetch pip's source archive rather than a wheel.
    """

    client: Client
    name: str
    version: str
    source: bool = False

    @property
    def key(self) -> str:
        """A name for files: letters, digits, dots, plus and hyphens only."""
        return f"{self.client}-{self.name.lstrip('@').replace('/', '-')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A package on disk.

    Attributes:
        package: What was asked for.
        path: The archive.
        version: The version that it is.
        sha256: Checksum of the archive.
    """

    package: Package
    path: Path
    version: str
    sha256: str


def sha256_of(path: Path) -> str:
    """Checksum of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(package: Package, *, cache: Path) -> Fetched:
    """Fetch a package, unless the cache holds it whole.

    Args:
        package: What to fetch.
        cache: Folder in which archives and their records are kept; made if it does not exist.

    Returns:
        The archive, whose checksum is that of its record.

    Raises:
        FetchError: If the client is not installed, or cannot get the package.
    """
    record = cache / f"{package.key}.json"
    found = _from_cache(package, record)
    if found is not None:
        return found
    partial = cache / f"{package.key}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _log.info("fetching %s with %s", package.name, _PROGRAMS[package.client])
    archive = _download(package, partial)
    version = _version_of(package, archive)
    if version != package.version:
        _log.warning(
            "%s %s was looked at, but %s was fetched: its content may differ",
            package.name,
            package.version,
            version,
        )
    fetched = Fetched(
        package=package, path=cache / archive.name, version=version, sha256=sha256_of(archive)
    )
    archive.replace(fetched.path)
    _write_record(fetched, record)
    shutil.rmtree(partial)
    return fetched


def write_atomically(path: Path, content: str) -> None:
    """Write a text file such that it is either whole or not there."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _from_cache(package: Package, record: Path) -> Fetched | None:
    """The archive that a record describes, if it is still as it was."""
    if not record.exists():
        return None
    fields = json.loads(record.read_text(encoding="utf-8"))
    path = record.parent / fields["file"]
    # apt offers one version at a time, so a newer one is no reason to give up what there is.
    if fields["package"] != asdict(package) and package.client != "apt":
        return None
    if not path.exists() or sha256_of(path) != fields["sha256"]:
        _log.warning("%s is not what was fetched: it is fetched again", path)
        return None
    return Fetched(package=package, path=path, version=fields["version"], sha256=fields["sha256"])


def _write_record(fetched: Fetched, record: Path) -> None:
    """Note what was fetched, after everything else is in place."""
    fields = {
        "package": asdict(fetched.package),
        "file": fetched.path.name,
        "version": fetched.version,
        "sha256": fetched.sha256,
    }
    write_atomically(record, json.dumps(fields, indent=1))


def _command(package: Package) -> Sequence[str]:
    """What to run; the archive lands in the working folder."""
    pinned = f"{package.name}=={package.version}"
    match package.client:
        case "apt":
            return ("apt-get", "download", package.name)
        case "npm":
            return ("npm", "pack", f"{package.name}@{package.version}")
        case "pip":
            kind = ("--no-binary", ":all:") if package.source else ()
            return (sys.executable, "-m", "pip", "download", "--no-deps", *kind, pinned)


def _download(package: Package, folder: Path) -> Path:
    """Run the client in an empty folder and return the one file that it leaves there."""
    program = _PROGRAMS[package.client]
    there = find_spec("pip") if package.client == "pip" else shutil.which(program)
    if there is None:
        raise FetchError(
            f"{package.name} is a package of {program}, which is not installed here; install it, "
            "or leave the package out"
        )
    # An argument list without a shell, of names that stand in the catalogue.
    done = subprocess.run(
        _command(package), cwd=folder, capture_output=True, text=True, check=False, errors="replace"
    )
    files = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode != 0 or len(files) != 1:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        answer = " | ".join(said[-3:]) or "nothing"
        raise FetchError(
            f"{program} could not get {package.name} {package.version}: exit status "
            f"{done.returncode}, {len(files)} files; it said: {answer}"
        )
    return files[0]


def _version_of(package: Package, archive: Path) -> str:
    """The version that was fetched: pip and npm give what was asked for."""
    if package.client != "apt":
        return package.version
    # name_version_architecture.deb, in which apt writes ":" as "%3a".
    return unquote(archive.stem.split("_")[1])
