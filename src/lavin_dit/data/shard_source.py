"""A source that reads what ``prepare_shards`` wrote, from a disk or from an object store.

What can be wrong, and what happens:

* A folder that is not complete, an index or a tar file of another size than recorded, bytes that
  are not there: :class:`~lavin_dit.data.shards.ShardError`, as early as it can be known.
* A sample whose bytes differ from their checksum or cannot be decoded: UnusableSampleError, so that
  it is passed over and counted.
"""

import copy
import hashlib
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from lavin_dit.data.sample_members import SampleFormatError, sample_from_members
from lavin_dit.data.shards import INDEX, MANIFEST, Manifest, ShardError, ShardIndex
from lavin_dit.data.storage import Storage, open_storage
from lavin_dit.datasets.layout import check_kinds
from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.vision.sample import Sample


class ShardSource:
    """Samples in shards; fulfils :class:`~lavin_dit.datasets.source.Source`.

    Name, split and the reasons of what was skipped are those of the source that was prepared.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        kinds: Sequence[type[object]] | None = None,
        verify: bool = True,
    ) -> None:
        """Read the index, and check that the shards are as long as it says.

        Args:
            folder: Path or address of the folder.
            kinds: The kinds of annotation to decode; all where None.
            verify: Whether to compare each sample that is read with its checksum.

        Raises:
            ShardError: If the folder is incomplete or damaged.
            ValueError: If the shards lack one of the kinds.
        """
        self._storage: Storage = open_storage(folder)
        self._manifest = _read_manifest(self._storage)
        self._index = _read_index(self._storage, self._manifest)
        self._verify = verify
        self.kinds = self._manifest.kinds
        if kinds is not None:
            self.kinds = check_kinds(kinds, self._manifest.kinds, dataset=self.name)

    @property
    def name(self) -> str:
        """Name of the source that was prepared."""
        return self._manifest.name

    @property
    def split(self) -> str:
        """Its split."""
        return self._manifest.split

    @property
    def skipped(self) -> Mapping[str, int]:
        """Samples that preparing left out, by reason."""
        return Counter(self._manifest.skipped)

    @property
    def class_names(self) -> Mapping[int, str]:
        """Names of the source's classes, where it told them."""
        return self._manifest.class_names

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._index.size)

    def __getitem__(self, index: int) -> Sample:
        """Read one sample by one read of its neighbouring members."""
        index = check_index(index, length=len(self))
        shard, sample_count, _, _ = self._manifest.shards[int(self._index.shard[index])]
        offset, size = int(self._index.offset[index]), int(self._index.size[index])
        try:
            block = self._storage.read_range(shard, offset=offset, size=size)
        except FileNotFoundError as error:
            raise ShardError(f"{self._storage.describe(shard)} is gone") from error
        if len(block) != size:
            raise ShardError(
                f"{self._storage.describe(shard)} ends within its {sample_count} samples: "
                f"{len(block)} of {size} bytes at {offset}; copy it again"
            )
        place = f"{shard} at byte {offset}"
        if self._verify and hashlib.sha256(block).digest() != self._index.checksum[index].tobytes():
            raise UnusableSampleError(place, "bytes differ from their checksum")
        try:
            return sample_from_members(
                block, kinds=self.kinds, format=self._manifest.picture_format
            )
        except SampleFormatError as error:
            raise UnusableSampleError(place, "members cannot be decoded") from error

    def with_kinds(self, kinds: Sequence[type[object]]) -> "ShardSource":
        """The same samples with the given kinds of annotation alone; the others are not decoded.

        Args:
            kinds: What to decode.

        Returns:
            A source that shares this one's index.

        Raises:
            ValueError: If the shards lack one of the kinds.
        """
        narrowed = copy.copy(self)
        narrowed.kinds = check_kinds(kinds, self._manifest.kinds, dataset=self.name)
        return narrowed


def _read_manifest(storage: Storage) -> Manifest:
    where = storage.describe(MANIFEST)
    try:
        text = storage.read(MANIFEST).decode()
    except FileNotFoundError as error:
        raise ShardError(
            f"{where} does not exist: this is no folder of shards, or not all of its parts are "
            "prepared; lavin prepare says which are missing"
        ) from error
    except UnicodeDecodeError as error:
        raise ShardError(f"{where} is damaged") from error
    return Manifest.from_json(text, where=where)


def _read_index(storage: Storage, manifest: Manifest) -> ShardIndex:
    """The index, after checking it and all sizes that are known without a request."""
    where = storage.describe(INDEX)
    try:
        data = storage.read(INDEX)
    except FileNotFoundError as error:
        raise ShardError(f"{where} does not exist; prepare again, which rewrites it") from error
    try:
        index = ShardIndex.from_bytes(data)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ShardError(f"{where} is damaged; prepare again, which rewrites it") from error
    num_samples = sum(count for _, count, _, _ in manifest.shards)
    if len(index.size) != num_samples:
        raise ShardError(
            f"{where} lists {len(index.size)} samples, but {MANIFEST} counts {num_samples}"
        )
    for name, _, expected, _ in manifest.shards:
        try:
            size = storage.size_of(name)
        except FileNotFoundError as error:
            raise ShardError(f"{storage.describe(name)} is missing") from error
        if size is not None and size != expected:
            raise ShardError(
                f"{storage.describe(name)} has {size} bytes, but should have {expected}; copy it "
                "again, or delete it with its .json and prepare again"
            )
    return index
