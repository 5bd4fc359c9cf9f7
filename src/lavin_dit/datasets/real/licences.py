"""Under which licence a file is, who is to be named, and whether weights may be trained on it."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Literal

Terms = Literal["open", "share-alike", "copyleft", "unclear"]
TRAINING_TERMS: frozenset[Terms] = frozenset({"open", "share-alike"})

# What a licence's name begins with, in lower case; the first that fits decides.
_TERMS: tuple[tuple[str, Terms], ...] = (
    ("cc-by-sa-", "share-alike"),
    ("cc-by-nc", "unclear"),
    ("cc-by-nd", "unclear"),
    ("cc-by-", "open"),
    ("cc0", "open"),
    ("public-domain", "open"),
    ("free-art", "share-alike"),
    ("apache-", "open"),
    ("bsd", "open"),
    ("mit", "open"),
    ("expat", "open"),
    ("zlib", "open"),
    ("gpl", "copyleft"),
    ("agpl", "copyleft"),
    ("lgpl", "copyleft"),
    ("gfdl", "copyleft"),
)
_FROM_FREE_TO_BOUND: tuple[Terms, ...] = ("open", "share-alike", "copyleft", "unclear")
_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What is stated about the rights in a file.

    Attributes:
        name: The licence, as it is written where it is stated, such as ``CC-BY-SA-3.0``.
        attribution: Whom to name.
        stated_in: Where both are stated.
    """

    name: str
    attribution: str
    stated_in: str

    @property
    def terms(self) -> Terms:
        """What the licence asks, as far as it matters for training; see :func:`terms_of`."""
        return terms_of(self.name)


def terms_of(name: str) -> Terms:
    """What a licence asks of those who share what they made with the file.

    Args:
        name: A licence's short name; "A and B" binds to both, "A or B" leaves the choice.

    Returns:
        ``open`` if naming the author is all; ``share-alike`` for Creative Commons and art licences
        that bind adapted works; ``copyleft`` for the GNU family; ``unclear`` for everything else,
        such as licences that are not for commerce.

    Source:
        Ours (ADR 12): files under the GNU licences do not train weights that we ship.
    """
    lower = name.lower()
    if " or " in lower:
        return min(map(terms_of, lower.split(" or ")), key=_FROM_FREE_TO_BOUND.index)
    if " and " in lower:
        return max(map(terms_of, lower.split(" and ")), key=_FROM_FREE_TO_BOUND.index)
    for beginning, terms in _TERMS:
        if lower.strip().startswith(beginning):
            return terms
    return "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stanza:
    """Files under one licence."""

    patterns: tuple[str, ...]
    attribution: str
    licence: str


class LicenceFile:
    """A file that says under which licence other files are.

    Debian's machine-readable copyright files, format 1.0, and files like them: stanzas of fields
    ``Files``, ``Copyright``, ``License`` and perhaps ``Source``.
    """

    def __init__(self, text: str, *, name: str, folder: str = "") -> None:
        """Read the stanzas that speak of files.

        Args:
            text: Its content.
            name: Where it comes from, for the record.
            folder: What stands before the names that it gives; ends in a slash.
        """
        self.name = name
        self._folder = folder
        self._stanzas = [
            _Stanza(
                patterns=tuple(fields["files"].split()),
                attribution=", ".join(
                    " ".join(fields[key].split())
                    for key in ("copyright", "source")
                    if key in fields
                ),
                licence=_short_name(fields.get("license", "not stated")),
            )
            for fields in map(_fields, re.split(r"\n[ \t]*\n", text))
            if fields.get("files")
        ]

    def of(self, path: str) -> Licence | None:
        """The licence of a file.

        Args:
            path: Its path, as this file would name it. The endings of pictures do not matter:
                packages convert them after their copyright file was written.

        Returns:
            What the last stanza that fits says, as the format demands; None if none does.
        """
        if not path.startswith(self._folder):
            return None
        inner = path.removeprefix(self._folder)
        for stanza in reversed(self._stanzas):
            if any(_fits(inner, pattern) for pattern in stanza.patterns):
                return Licence(
                    name=stanza.licence, attribution=stanza.attribution, stated_in=self.name
                )
        return None


def _short_name(field: str) -> str:
    """The short name of a licence, written with hyphens; its text may follow in further lines."""
    names = re.split(r"\s+(and|or)\s+", field.strip().partition("\n")[0])
    return " ".join("-".join(name.split()) for name in names)


def _fields(stanza: str) -> dict[str, str]:
    """The fields of a stanza by name in lower case; continued lines are kept as lines."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        begins = re.match(r"([A-Za-z][A-Za-z-]*):", line)
        if begins:
            name = begins[1].lower()
            fields[name] = line[begins.end() :].strip()
        elif name and not line.startswith("#"):
            fields[name] += "\n" + line.strip()
    return fields


def _fits(path: str, pattern: str) -> bool:
    """Whether a file is meant by a pattern of the format, in which brackets mean themselves."""
    return fnmatchcase(path, pattern.replace("[", "[[]")) or (
        _without_picture_ending(path) == _without_picture_ending(pattern)
    )


def _without_picture_ending(path: str) -> str:
    """A path without .jpg, .png and the like."""
    pure = PurePosixPath(path)
    return path[: -len(pure.suffix)] if pure.suffix.lower() in _PICTURES else path
