"""Ranges of bytes of the files of a folder, on a disk or in an object store."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import fsspec

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_MAX_OPEN_FILES = 256
_MAX_TRIES = 4
_FIRST_PAUSE_S = 0.5


@runtime_checkable
class Storage(Protocol):
    """A folder that is read by name; can be pickled, and used after a fork."""

    def read(self, name: str) -> bytes:
        """The whole of a file; FileNotFoundError if there is none."""
        ...

    def read_range(self, name: str, *, offset: int, size: int) -> bytes:
        """Some bytes of a file; fewer where it ends early."""
        ...

    def size_of(self, name: str) -> int | None:
        """Size of a file in bytes; None where asking would cost a request."""
        ...

    def describe(self, name: str) -> str:
        """Path or address of a file, for messages."""
        ...


def open_storage(folder: Path | str) -> Storage:
    """The folder at a path or at an address.

    Args:
        folder: A path, or an address such as ``s3://bucket/shards``. What an address needs beyond
            fsspec (s3fs, gcsfs, aiohttp) is for the user to install; fsspec says what.

    Returns:
        Access to its files.
    """
    text = str(folder)
    if "://" not in text:
        return LocalStorage(Path(folder))
    return RemoteStorage(text.rstrip("/"))


class LocalStorage:
    """A folder on a disk. Files stay open; reads name their offset, so forks may share them."""

    def __init__(self, folder: Path) -> None:
        """Open no file yet."""
        self._folder = folder
        self._files: dict[str, int] = {}

    def read(self, name: str) -> bytes:
        """The whole of a file."""
        return (self._folder / name).read_bytes()

    def read_range(self, name: str, *, offset: int, size: int) -> bytes:
        """Some bytes of a file."""
        if name not in self._files:
            if len(self._files) >= _MAX_OPEN_FILES:
                self._close()
            self._files[name] = os.open(self._folder / name, os.O_RDONLY)
        return os.pread(self._files[name], size, offset)

    def size_of(self, name: str) -> int | None:
        """Size of a file in bytes."""
        return (self._folder / name).stat().st_size

    def describe(self, name: str) -> str:
        """Path of a file."""
        return str(self._folder / name)

    def __getstate__(self) -> dict[str, Any]:
        """Open files stay behind."""
        return {"_folder": self._folder, "_files": {}}

    def __del__(self) -> None:
        """Close what is open."""
        self._close()

    def _close(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()


class RemoteStorage:
    """A folder behind an address that fsspec knows. Each process has its own connections."""

    def __init__(self, address: str) -> None:
        """Connect to nothing yet."""
        self._address = address
        self._connected: tuple[int, Any] | None = None

    def read(self, name: str) -> bytes:
        """The whole of a file."""
        return self._tried(lambda system: system.cat_file(self.describe(name)), name)

    def read_range(self, name: str, *, offset: int, size: int) -> bytes:
        """Some bytes of a file, by one request."""
        return self._tried(
            lambda system: system.cat_file(self.describe(name), start=offset, end=offset + size),
            name,
        )

    def size_of(self, name: str) -> int | None:
        """None: reading will tell."""
        del name
        return None

    def describe(self, name: str) -> str:
        """Address of a file."""
        return f"{self._address}/{name}"

    def __getstate__(self) -> dict[str, Any]:
        """Connections stay behind."""
        return {"_address": self._address, "_connected": None}

    def _tried(self, read: Callable[[Any], _Result], name: str) -> _Result:
        """Read, and try again where the network fails; what fails in the end is an OSError."""
        for attempt in range(_MAX_TRIES):
            system = self._system()  # if what the address needs is not there, no try will help
            try:
                return read(system)
            except FileNotFoundError:
                raise
            except Exception as error:  # libraries of stores have errors of their own
                if attempt == _MAX_TRIES - 1:
                    raise OSError(f"{self.describe(name)} cannot be read: {error}") from error
                pause = _FIRST_PAUSE_S * 4**attempt
                _log.warning("%s: %s; again in %g s", self.describe(name), error, pause)
                time.sleep(pause)
        raise AssertionError

    def _system(self) -> Any:  # noqa: ANN401 - fsspec's file systems have no common type
        """The file system of this process: connections do not survive a fork."""
        process = os.getpid()
        if self._connected is None or self._connected[0] != process:
            system, _ = fsspec.url_to_fs(self._address)
            self._connected = (process, system)
        return self._connected[1]
