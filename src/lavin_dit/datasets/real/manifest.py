"""The list of a prepared folder's files: what each is, where it comes from, which split it is in.

One JSON object per line. The split of a file hangs on its name in its package alone, so it is the
same on every machine, whatever else is prepared.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, TypeVar

from lavin_dit.datasets.layout import LayoutError, check_choice, require
from lavin_dit.datasets.real.licences import TRAINING_TERMS, Terms, terms_of
from lavin_dit.datasets.real.packages import write_atomically

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
MANIFEST = "manifest.jsonl"

EntryType = TypeVar("EntryType", bound="Entry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a prepared folder.

    Attributes:
        path: The file, relative to the folder, with slashes.
        split: Which split it belongs to.
        identity: What was given to a split: files that show the same thing share it.
        height: Height in pixels.
        width: Width in pixels.
        sha256: Checksum of the file.
        client: Which package client fetched it.
        package: The package.
        version: Its version.
        member: The file's name inside the package.
        licence: The licence, as stated.
        attribution: Whom to name.
        licence_stated_in: Where licence and attribution are stated.
    """

    path: str
    split: Split
    identity: str
    height: int
    width: int
    sha256: str
    client: str
    package: str
    version: str
    member: str
    licence: str
    attribution: str
    licence_stated_in: str

    def __post_init__(self) -> None:
        """Check the split, and that the file lies in the folder."""
        check_choice(self.split, SPLITS, what="a split")
        if self.path.startswith("/") or ".." in self.path.split("/"):
            raise ValueError(f"{self.path!r} does not lie in the prepared folder")

    @property
    def name(self) -> str:
        """A name that is unique within the folder."""
        return self.path.rpartition(".")[0]

    @property
    def terms(self) -> Terms:
        """What its licence asks."""
        return terms_of(self.licence)


def share_of(identity: str) -> float:
    """A number in [0, 1) that hangs on a name alone.

    Args:
        identity: Any name.

    Returns:
        The first 32 bits of its SHA-256 checksum, as a share of what they can hold.
    """
    return int(hashlib.sha256(identity.encode()).hexdigest()[:8], 16) / 2**32


def split_of(identity: str) -> Split:
    """The split of a photo or stamp: 8 of 10 train, 1 validates, 1 tests."""
    share = share_of(identity)
    if share < 0.8:
        return "train"
    return "validation" if share < 0.9 else "test"


def to_line(entry: Entry) -> str:
    """An entry as a line of the manifest, without its end."""
    return json.dumps(asdict(entry), ensure_ascii=False)


def from_line(line: str, kind: type[EntryType], *, where: str) -> EntryType:
    """An entry from a line of the manifest.

    Args:
        line: The line.
        kind: Which kind of entry it holds.
        where: File and line number, for the error.

    Returns:
        The entry.

    Raises:
        ValueError: If the line is not such an entry.
    """
    wanted = {field.name for field in fields(kind)}
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON: {error}") from error
    if not isinstance(values, dict) or set(values) != wanted:
        got = sorted(values) if isinstance(values, dict) else values
        raise ValueError(f"{where} must have the fields {sorted(wanted)}, got {got}")
    return kind(**values)


def write_manifest(root: Path, entries: Iterable[Entry]) -> None:
    """Write the manifest of a folder, sorted by path."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    write_atomically(root / MANIFEST, "".join(to_line(entry) + "\n" for entry in ordered))


def read_manifest(root: Path, kind: type[EntryType], *, dataset: str) -> list[EntryType]:
    """Read the manifest of a prepared folder.

    Args:
        root: The folder.
        kind: Which kind of entries it holds.
        dataset: What is looked for, for the error.

    Returns:
        The entries in the order of the file.

    Raises:
        LayoutError: If there is no manifest.
        ValueError: If a line is not such an entry.
    """
    try:
        path = require(root, MANIFEST, dataset=dataset)
    except LayoutError as error:
        verb = dataset.lower()
        raise LayoutError(f"{error}; make it with: lavin prepare {verb} -o {root}") from error
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        from_line(line, kind, where=f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def choose(
    entries: Sequence[EntryType], *, root: Path, split: str, any_licence: bool
) -> tuple[list[EntryType], dict[str, int]]:
    """The entries of a split that may be used.

    Args:
        entries: All entries of a folder.
        root: The folder.
        split: Which split.
        any_licence: Whether to train on files whose licence does not let us ship the weights.

    Returns:
        The entries, and how many of the split were left out, by reason. Files that only evaluate
        may be under any licence.

    Raises:
        ValueError: If there is no such split.
    """
    check_choice(split, SPLITS, what="a split")
    chosen: list[EntryType] = []
    skipped: dict[str, int] = {}
    for entry in entries:
        if entry.split != split:
            continue
        if split == "train" and not any_licence and entry.terms not in TRAINING_TERMS:
            reason = f"training on files whose terms are {entry.terms} was not asked for"
        elif not (root / entry.path).is_file():
            reason = "listed file is not there"
        else:
            chosen.append(entry)
            continue
        skipped[reason] = skipped.get(reason, 0) + 1
    return chosen, skipped
