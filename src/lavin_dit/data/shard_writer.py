"""Writing one shard, and the files of record beside the shards.

A shard is written from its range of indices alone, so it comes out the same whoever writes it.
"""

import hashlib
import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lavin_dit.data.one_thread import one_thread
from lavin_dit.data.sample_members import PictureEncoding, kind_name, sample_to_members
from lavin_dit.data.shards import (
    INDEX,
    MANIFEST,
    PLAN,
    Manifest,
    ShardError,
    ShardRecord,
    merged,
    read_record,
    record_name,
    shard_name,
    write_record,
    written_whole,
)
from lavin_dit.data.tar_members import TAR_END, tar_block
from lavin_dit.datasets.source import Source, UnusableSampleError
from lavin_dit.vision.sample import Sample

_log = logging.getLogger(__name__)
_NUM_NAMED = 3  # samples left out that are named for each reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSettings:
    """How a source is written.

    Attributes:
        samples_per_shard: Number of samples of the source that a shard is made of; about a
            gigabyte's worth serves object stores best.
        pictures: How pictures are stored.
        source_settings: What the source was constructed with, as words such as ``depth=filled``:
            a source of other settings may look the same, and must not be written into the folder.
    """

    samples_per_shard: int = 1000
    pictures: PictureEncoding = field(default_factory=PictureEncoding)
    source_settings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the number."""
        if self.samples_per_shard < 1:
            raise ValueError(f"samples_per_shard must be at least 1, got {self.samples_per_shard}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """What every process that writes shards needs to know.

    Attributes:
        source: What is written.
        output: Folder of the shards.
        settings: How it is written.
        plan: Digest of the plan that all runs into the folder agree on.
    """

    source: Source
    output: Path
    settings: ShardSettings
    plan: str


def agree_on_plan(source: Source, output: Path, settings: ShardSettings) -> str:
    """Write down what is to be written, or check that earlier runs agree.

    Args:
        source: What is to be written.
        output: Folder of the shards; made if need be.
        settings: How it is to be written.

    Returns:
        Digest of the plan.

    Raises:
        ShardError: If the folder holds shards of another source or with other settings.
    """
    plan: dict[str, Any] = {
        "name": source.name,
        "split": source.split,
        "kinds": [kind_name(kind) for kind in source.kinds],
        "num_samples": len(source),
        "settings": asdict(settings) | {"source_settings": list(settings.source_settings)},
    }
    output.mkdir(parents=True, exist_ok=True)
    path = output / PLAN
    if not path.exists():
        with written_whole(path) as partial:
            partial.write_text(json.dumps(plan, indent=1) + "\n")
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise ShardError(f"{path} is damaged; delete the folder and prepare again") from error
    if found != plan:
        differing = ", ".join(
            f"{key} {earlier.get(key)!r} rather than {value!r}"
            for earlier, now in ((found, plan), (found.get("settings", {}), plan["settings"]))
            for key, value in now.items()
            if key != "settings" and earlier.get(key) != value
        )
        raise ShardError(f"{output} holds shards with {differing}; choose another folder")
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]


def is_written(job: ShardJob, number: int) -> bool:
    """Whether a shard and its record are there, whole and of this plan."""
    tar, record = job.output / shard_name(number), job.output / record_name(number)
    if not (tar.exists() and record.exists()):
        return False
    facts = read_record(record)
    return facts.plan == job.plan and facts.file_size == tar.stat().st_size


def write_shard(job: ShardJob, number: int) -> None:
    """Write a shard and then its record, each whole or not at all.

    Args:
        job: What to write.
        number: Which shard.
    """
    start = number * job.settings.samples_per_shard
    stop = min(start + job.settings.samples_per_shard, len(job.source))
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    offsets: list[int] = []
    sizes: list[int] = []
    checksums: list[str] = []
    path = job.output / shard_name(number)
    digest = hashlib.sha256()
    for leftover in job.output.glob(f".{path.name}.*.partial"):  # of a run that was killed
        leftover.unlink()
    (job.output / record_name(number)).unlink(missing_ok=True)
    with one_thread(), written_whole(path) as partial, partial.open("wb") as file:
        for index, sample in _numbered(job.source, range(start, stop), left_out):
            members = sample_to_members(sample, key=f"{index:09d}", encoding=job.settings.pictures)
            block = tar_block(members)
            offsets.append(file.tell())
            sizes.append(len(block))
            checksums.append(hashlib.sha256(block).hexdigest())
            file.write(block)
            digest.update(block)
        file.write(TAR_END)
        digest.update(TAR_END)
        file_size = file.tell()
    _tell_what_was_left_out(path.name, left_out)
    record = ShardRecord(
        plan=job.plan,
        file_size=file_size,
        sha256=digest.hexdigest(),
        offsets=tuple(offsets),
        sizes=tuple(sizes),
        checksums=tuple(checksums),
        skipped={reason: len(names) for reason, names in left_out.items()},
    )
    write_record(record, job.output / record_name(number))


def _numbered(
    source: Source, indices: range, left_out: defaultdict[str, list[str]]
) -> Iterator[tuple[int, Sample]]:
    """The usable samples of a range with their indices; names of the others go by reason."""
    for index in indices:
        try:
            sample = source[index]
        except UnusableSampleError as error:
            left_out[error.reason].append(error.name)
        else:
            yield index, sample


def _tell_what_was_left_out(shard: str, left_out: Mapping[str, Sequence[str]]) -> None:
    """Log a line for each reason: there may be many samples, of which it names the first."""
    for reason, names in left_out.items():
        more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
        first = ", ".join(names[:_NUM_NAMED])
        _log.warning("%s: left out %d x %s: %s%s", shard, len(names), reason, first, more)


def write_index(job: ShardJob, num_shards: int) -> None:
    """Write the index and, last, what marks the folder as complete.

    Args:
        job: What was written.
        num_shards: Number of shards, all of which must be there.

    Raises:
        ShardError: If a shard was written by another plan.
    """
    records = [read_record(job.output / record_name(number)) for number in range(num_shards)]
    for number, record in enumerate(records):
        if record.plan != job.plan:
            raise ShardError(
                f"{job.output / record_name(number)} was written by another plan; delete it and "
                "prepare again"
            )
    index, shards = merged(records)
    skipped = sum((Counter(record.skipped) for record in records), Counter(job.source.skipped))
    manifest = Manifest(
        name=job.source.name,
        split=job.source.split,
        kinds=job.source.kinds,
        picture_format=job.settings.pictures.format,
        class_names=getattr(job.source, "class_names", {}),
        shards=shards,
        skipped=skipped,
    )
    with written_whole(job.output / INDEX) as partial:
        partial.write_bytes(index.to_bytes())
    with written_whole(job.output / MANIFEST) as partial:
        partial.write_text(manifest.to_json())
