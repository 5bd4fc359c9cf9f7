"""What the results in a folder were asked with, so that others are not taken for them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

LOG_FILE = ".lavin-results.jsonl"
"""In a folder of results: a line for each of them, the latest last."""


class ResultLog:
    """A folder's results, each with what decided it."""

    def __init__(self, folder: Path) -> None:
        """Read the log of a folder.

        Args:
            folder: It may have none, and results that no log knows.

        Raises:
            OSError: If there is a log that can't be read.
        """
        self._path = folder / LOG_FILE
        self._asked: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                self._read(line)

    def differences(self, names: Iterable[str], asked: Mapping[str, object]) -> str:
        """How results were asked for otherwise than now.

        Args:
            names: Of the results in question; those that the log doesn't know differ in nothing.
            asked: What decides an answer, by name; anything that JSON can hold.

        Returns:
            For the first result that differs, words such as ``task edge_detection, now
            deraining``; empty if none does.
        """
        for name in names:
            earlier = self._asked.get(name)
            if earlier is None:
                continue
            changed = [key for key in asked if earlier.get(key) != asked[key]]
            if changed:
                return "; ".join(f"{key} {earlier.get(key)}, now {asked[key]}" for key in changed)
        return ""

    def add(self, name: str, asked: Mapping[str, object]) -> None:
        """Note a result that was written.

        Args:
            name: Of the result.
            asked: What decided it.

        Raises:
            OSError: If the log can't be written.
        """
        self._asked[name] = dict(asked)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "asked": dict(asked)}) + "\n")

    def _read(self, line: str) -> None:
        """Take in a line; one that a stopped run left half written says nothing."""
        try:
            entry = json.loads(line)
            self._asked[entry["name"]] = dict(entry["asked"])
        except (ValueError, KeyError, TypeError):
            return


def digest_of_files(path: Path) -> str:
    """Digest of a file, or of the files right in a folder with their names.

    Args:
        path: A context: a folder of pairs, or a compiled one.

    Raises:
        OSError: If a file can't be read.
    """
    files = [path] if path.is_file() else sorted(one for one in path.iterdir() if one.is_file())
    digest = hashlib.sha256()
    for file in files:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.name} {content}\n".encode())
    return digest.hexdigest()[:16]
