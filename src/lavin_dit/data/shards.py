"""The layout of a folder of shards, and its files of record.

::

    plan.json               what is being written; a run that resumes must agree with it
    shard-000000.tar        samples, in WebDataset's layout
    shard-000000.json       where its samples lie, with checksums; written after the tar
    index.npz               where all samples lie, with checksums
    shards.json             what the folder holds; written last, so its presence means complete

``shards.json`` is also an index for WebDataset's ``wids``. Every file appears whole or not at all.
"""

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from lavin_dit.data.sample_members import KINDS, PictureFormat, kind_name

PLAN, INDEX, MANIFEST = "plan.json", "index.npz", "shards.json"
_VERSION = 1


class ShardError(ValueError):
    """A folder of shards is incomplete, damaged, or not what it was taken for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """What one tar file holds.

    Attributes:
        plan: Digest of the plan that it was written by.
        file_size: Size of the tar in bytes.
        sha256: Checksum of the tar.
        offsets: Where each sample begins, in bytes.
        sizes: How long each sample is, in bytes.
        checksums: SHA-256 of each sample.
        skipped: Samples left out, by reason.
    """

    plan: str
    file_size: int
    sha256: str
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    checksums: tuple[str, ...]
    skipped: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a folder of shards holds.

    Attributes:
        name: Name of the source that the samples come from.
        split: Its split.
        kinds: The kinds of annotation of each sample.
        picture_format: How pictures are stored.
        class_names: Names of the source's classes, where it tells them.
        shards: Name, number of samples, size in bytes and SHA-256 of each shard.
        skipped: Samples left out, by reason.
    """

    name: str
    split: str
    kinds: tuple[type[object], ...]
    picture_format: PictureFormat
    class_names: Mapping[int, str]
    shards: tuple[tuple[str, int, int, str], ...]
    skipped: Mapping[str, int]

    def to_json(self) -> str:
        """The text of ``shards.json``."""
        shards = [
            {"url": name, "nsamples": samples, "filesize": size, "sha256": sha256}
            for name, samples, size, sha256 in self.shards
        ]
        facts = {
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "lavin_dit_shards": _VERSION,
            "name": self.name,
            "split": self.split,
            "kinds": [kind_name(kind) for kind in self.kinds],
            "picture_format": self.picture_format,
            "class_names": {str(number): name for number, name in self.class_names.items()},
            "skipped": dict(sorted(self.skipped.items())),
            "shardlist": shards,
        }
        return json.dumps(facts, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str) -> "Manifest":
        """Read the text of ``shards.json``.

        Args:
            text: The text.
            where: Where it was found, for the error.

        Returns:
            The manifest.

        Raises:
            ShardError: If it is damaged or of another version.
        """
        try:
            facts: dict[str, Any] = json.loads(text)
            version = facts.get("lavin_dit_shards")
            if version != _VERSION:
                raise ShardError(f"{where} is of version {version}; this program reads {_VERSION}")
            return cls(
                name=facts["name"],
                split=facts["split"],
                kinds=tuple(KINDS[name] for name in facts["kinds"]),
                picture_format=facts["picture_format"],
                class_names={int(key): name for key, name in facts["class_names"].items()},
                shards=tuple(
                    (one["url"], one["nsamples"], one["filesize"], one["sha256"])
                    for one in facts["shardlist"]
                ),
                skipped=Counter(facts["skipped"]),
            )
        except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ShardError(f"{where} is damaged: {error!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardIndex:
    """Where each sample lies.

    Attributes:
        shard: Which of the manifest's shards.
        offset: First byte in it.
        size: Number of bytes.
        checksum: SHA-256 of these bytes.
    """

    shard: Int64[np.ndarray, " n"]
    offset: Int64[np.ndarray, " n"]
    size: Int64[np.ndarray, " n"]
    checksum: UInt8[np.ndarray, "n 32"]

    def to_bytes(self) -> bytes:
        """The contents of ``index.npz``."""
        file = io.BytesIO()
        np.savez(file, shard=self.shard, offset=self.offset, size=self.size, checksum=self.checksum)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ShardIndex":
        """Read the contents of ``index.npz``."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in ("shard", "offset", "size", "checksum")})


def shard_name(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:06d}.tar"


def record_name(number: int) -> str:
    """File name of a shard's record."""
    return f"shard-{number:06d}.json"


def merged(
    records: Sequence[ShardRecord],
) -> tuple[ShardIndex, tuple[tuple[str, int, int, str], ...]]:
    """The index of all shards, and the manifest's list of them.

    Args:
        records: The record of shard 0, of shard 1, and so on; those without samples are left out.

    Returns:
        The index and the list.
    """
    full = [(number, record) for number, record in enumerate(records) if record.sizes]
    counts = [len(record.sizes) for _, record in full]
    checksums = b"".join(bytes.fromhex(one) for _, record in full for one in record.checksums)
    index = ShardIndex(
        shard=np.repeat(np.arange(len(full), dtype=np.int64), counts),
        offset=np.array([one for _, record in full for one in record.offsets], dtype=np.int64),
        size=np.array([one for _, record in full for one in record.sizes], dtype=np.int64),
        checksum=np.frombuffer(checksums, dtype=np.uint8).reshape(-1, 32),
    )
    listed = tuple(
        (shard_name(number), len(record.sizes), record.file_size, record.sha256)
        for number, record in full
    )
    return index, listed


def read_record(path: Path) -> ShardRecord:
    """Read a shard's record.

    Args:
        path: Its file.

    Returns:
        The record.

    Raises:
        ShardError: If it is damaged.
    """
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
        lists: dict[str, Any] = {
            name: tuple(facts.pop(name)) for name in ("offsets", "sizes", "checksums")
        }
        return ShardRecord(**(facts | lists))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ShardError(f"{path} is damaged; delete it and prepare again") from error


def write_record(record: ShardRecord, path: Path) -> None:
    """Write a shard's record."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps(asdict(record)) + "\n")


@contextmanager
def written_whole(path: Path) -> Generator[Path]:
    """Give a name to write to; on leaving without an error the file takes the path's place.

    Args:
        path: Final name; an earlier file there stays until then.

    Yields:
        A name in the same folder.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
