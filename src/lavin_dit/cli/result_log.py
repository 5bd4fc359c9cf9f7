"""What the results in a folder were asked with, so that others are not taken for them."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOG_FILE = ".lavin-results.jsonl"
"""In a folder of results: a line for each of them, the latest last."""
QUERY, FILE = "query", "file"
"""What a result answers, among what it was asked with: a digest of the query, and where it was."""
_QUERY_BYTES, _END_BYTES = 1 << 16, 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedResult:
    """A result that was written.

    Attributes:
        asked: What decided it, by name.
        files: Names of its files in the folder.
    """

    asked: Mapping[str, Any]
    files: tuple[str, ...]


class ResultLog:
    """A folder's results, each with what decided it."""

    def __init__(self, folder: Path) -> None:
        """Read the log of a folder.

        Args:
            folder: It may have none, and results that no log knows.

        Raises:
            OSError: If there is a log that can't be read.
        """
        self._folder = folder
        self._path = folder / LOG_FILE
        self._results: dict[str, LoggedResult] = {}
        self._begun: set[str] = set()
        self._is_torn = False
        if self._path.exists():
            text = self._path.read_text(encoding="utf-8", errors="replace")
            self._is_torn = not text.endswith("\n")
            for line in text.splitlines():
                self._read(line)

    def differences(self, names: Iterable[str], asked: Mapping[str, object]) -> str:
        """How results were asked for otherwise than now, their queries aside.

        Args:
            names: Of the results in question; those that the log doesn't know differ in nothing.
            asked: What decides all of them now.

        Returns:
            For the first that differs, words such as ``photo: task edge_detection, now deraining``;
            empty if none does.
        """
        for name in names:
            earlier = self._results.get(name)
            if earlier is None:
                continue
            changed = [key for key in asked if earlier.asked.get(key) != asked[key]]
            if changed:
                words = (f"{key} {earlier.asked.get(key)}, now {asked[key]}" for key in changed)
                return f"{name}: {'; '.join(words)}"
        return ""

    def knows(self, name: str) -> bool:
        """Whether files of a name are a result's, be it a whole one or not."""
        return name in self._results or name in self._begun

    def is_of(self, name: str, query: Path) -> bool:
        """Whether a result is whole and answers what a query holds now.

        Args:
            name: Of the result.
            query: A file, or a folder of frames; one that can't be read is taken to be the same.
        """
        earlier = self._results.get(name)
        if earlier is None:
            return False
        try:
            return earlier.asked.get(QUERY) == digest_of_query(query)
        except OSError:
            return True

    def other_query(self, name: str, query: Path) -> str | None:
        """Where the other query is or was that a result answers.

        Args:
            name: Of the result.
            query: What it is to answer; the same one elsewhere is no other, nor one that changed.
        """
        earlier = self._results.get(name)
        if earlier is None or self.is_of(name, query):
            return None
        file = earlier.asked.get(FILE)
        return None if file in (None, str(query.resolve())) else str(file)

    def begin(self, name: str) -> None:
        """Note that files of a result are about to be written.

        Args:
            name: Of the result.

        Raises:
            OSError: If the log can't be written.
        """
        if not self.knows(name):
            self._write({"begun": name})
            self._begun.add(name)

    def add(self, name: str, asked: Mapping[str, object], files: Sequence[Path]) -> None:
        """Note a result that was written, and delete what another of its name left behind.

        Args:
            name: Of the result.
            asked: What decided it; anything that JSON can hold.
            files: Its files in the folder.

        Raises:
            OSError: If the log can't be written.
        """
        names = tuple(path.name for path in files)
        if (earlier := self._results.get(name)) is not None:
            for left in set(earlier.files) - set(names):
                (self._folder / left).unlink(missing_ok=True)
        self._results[name] = LoggedResult(asked=dict(asked), files=names)
        self._write({"name": name, "asked": dict(asked), "files": names})

    def _write(self, entry: Mapping[str, object]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._is_torn + json.dumps(entry) + "\n")
        self._is_torn = False

    def _read(self, line: str) -> None:
        """Take in a line; one that a stopped run left half written says nothing."""
        try:
            entry = json.loads(line)
            if "begun" in entry:
                self._begun.add(entry["begun"])
                return
            files = tuple(Path(name).name for name in entry["files"])
            self._results[entry["name"]] = LoggedResult(asked=dict(entry["asked"]), files=files)
        except (ValueError, KeyError, TypeError):
            return


def digest_of_query(query: Path) -> str:
    """A short name for what is in a query: its size, and 64 KiB of each end.

    Args:
        query: A file, or a folder of frames.

    Raises:
        OSError: If it can't be read.
    """
    if query.is_dir():
        return digest_of_files(query.iterdir(), end_bytes=_QUERY_BYTES)
    return _digest(query, end_bytes=_QUERY_BYTES)[:16]


def digest_of_files(files: Iterable[Path], *, end_bytes: int = _END_BYTES) -> str:
    """A short name for what is in files and for their names, quick for large ones.

    Args:
        files: In any order; folders are passed over.
        end_bytes: How much of each end of a file counts, besides its size: as much as changes with
            any training of weights.

    Raises:
        OSError: If one can't be read.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.is_file()):
        digest.update(os.fsencode(path.name) + b" " + _digest(path, end_bytes=end_bytes).encode())
    return digest.hexdigest()[:16]


def _digest(path: Path, *, end_bytes: int) -> str:
    """A digest of a file's size and ends."""
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = hashlib.sha256(str(size).encode())
        digest.update(file.read(end_bytes))
        file.seek(max(size - end_bytes, 0))
        digest.update(file.read(end_bytes))
    return digest.hexdigest()
