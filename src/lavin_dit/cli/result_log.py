"""What the results in a folder were asked with, so that others are not taken for them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOG_FILE = ".lavin-results.jsonl"
"""In a folder of results: a line for each of them, the latest last."""
_END_BYTES = 1 << 20


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
        self._is_torn = False
        if self._path.exists():
            text = self._path.read_text(encoding="utf-8", errors="replace")
            self._is_torn = not text.endswith("\n")
            for line in text.splitlines():
                self._read(line)

    def differences(self, asked: Mapping[str, Mapping[str, object]]) -> str:
        """How results were asked for otherwise than now.

        Args:
            asked: What decides each result in question, by its name; those that the log doesn't
                know differ in nothing.

        Returns:
            For the first that differs, words such as ``photo: task edge_detection, now deraining``;
            empty if none does.
        """
        for name, now in asked.items():
            earlier = self._results.get(name)
            if earlier is None:
                continue
            changed = [key for key in now if earlier.asked.get(key) != now[key]]
            if changed:
                words = (f"{key} {earlier.asked.get(key)}, now {now[key]}" for key in changed)
                return f"{name}: {'; '.join(words)}"
        return ""

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
        line = json.dumps({"name": name, "asked": dict(asked), "files": names})
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._is_torn + line + "\n")
        self._is_torn = False

    def _read(self, line: str) -> None:
        """Take in a line; one that a stopped run left half written says nothing."""
        try:
            entry = json.loads(line)
            files = tuple(Path(name).name for name in entry["files"])
            self._results[entry["name"]] = LoggedResult(asked=dict(entry["asked"]), files=files)
        except (ValueError, KeyError, TypeError):
            return


def digest_of_files(files: Iterable[Path]) -> str:
    """A short name for what is in files, quick for large ones.

    The name, the size, and a mebibyte of each end of each file count: pictures of usual size as a
    whole, and of weights as much as changes with any training.

    Args:
        files: In any order.

    Raises:
        OSError: If one can't be read.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        size = path.stat().st_size
        with path.open("rb") as file:
            ends = hashlib.sha256(file.read(_END_BYTES))
            file.seek(max(size - _END_BYTES, 0))
            ends.update(file.read(_END_BYTES))
        digest.update(f"{path.name} {size} {ends.hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
