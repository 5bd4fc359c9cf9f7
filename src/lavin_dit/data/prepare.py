"""Writing any source as shards: in parts, in several processes, and going on where it stopped.

The source is cut into shards of equally many samples. A shard is written by one process from its
range of indices alone, so every shard comes out the same whoever writes it. Part i of n writes
shards i, i + n, i + 2n and so on; whoever finds all shards there writes the index.
"""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from lavin_dit.data.shard_writer import (
    ShardJob,
    ShardSettings,
    agree_on_plan,
    is_written,
    write_index,
    write_shard,
)
from lavin_dit.data.shards import (
    MANIFEST,
    Manifest,
    ShardError,
    read_record,
    record_name,
    sha256_of,
)
from lavin_dit.datasets.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of several independent parts of the work.

    Attributes:
        number: Which part, from 1 on.
        count: Number of parts.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        """Check that there is such a part."""
        if not 1 <= self.number <= self.count:
            raise ValueError(f"there is no part {self.number} of {self.count}")

    def shards(self, num_shards: int) -> range:
        """The shards that this part writes."""
        return range(self.number - 1, num_shards, self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareReport:
    """How far preparing came.

    Attributes:
        num_shards: Number of shards of the whole folder.
        written: Shards written by this run.
        kept: Shards of this part that an earlier run had written.
        missing: Shards that no run has written yet; 0 once the folder can be read.
        num_samples: Samples in this part's shards.
        skipped: Samples left out of this part's shards, by reason.
    """

    num_shards: int
    written: int
    kept: int
    missing: int
    num_samples: int
    skipped: Counter[str]


Progress = Callable[[int, int], None]
"""Called with the number of finished shards of this part, and of all its shards."""


def prepare_shards(
    source: Source,
    output: Path,
    *,
    settings: ShardSettings | None = None,
    part: Part | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> PrepareReport:
    """Write a source, or a part of it, as shards. Shards that are there already are kept.

    Args:
        source: What to write.
        output: Folder of the shards; made if need be.
        settings: How to write; every run into one folder must agree.
        part: Which part of the work; all of it where None. Parts may run at once, anywhere that
            the folder can be seen from, but each only once at a time.
        workers: Processes; 0 works in this one.
        progress: Told after each shard.

    Returns:
        What was done, and whether anything is missing still.

    Raises:
        ShardError: If the folder holds shards of another source or with other settings.
        ValueError: If the source is empty or has a kind of annotation that shards cannot hold.
    """
    settings, part = settings or ShardSettings(), part or Part()
    if len(source) == 0:
        raise ValueError(f"{source.name} ({source.split}) has no samples to prepare")
    job = ShardJob(
        source=source,
        output=output,
        settings=settings,
        plan=agree_on_plan(source, output, settings),
    )
    num_shards = -(-len(source) // settings.samples_per_shard)
    mine = part.shards(num_shards)
    todo = [number for number in mine if not is_written(job, number)]
    kept = len(mine) - len(todo)
    if progress:
        progress(kept, len(mine))
    for done, _ in enumerate(_write_all(job, todo, workers=workers), start=kept + 1):
        if progress:
            progress(done, len(mine))
    missing = sum(not (output / record_name(number)).exists() for number in range(num_shards))
    if not missing:
        write_index(job, num_shards)
    records = [read_record(output / record_name(number)) for number in mine]
    return PrepareReport(
        num_shards=num_shards,
        written=len(todo),
        kept=kept,
        missing=missing,
        num_samples=sum(len(record.sizes) for record in records),
        skipped=sum((Counter(record.skipped) for record in records), Counter[str]()),
    )


def damaged_shards(folder: Path) -> list[str]:
    """Compare every shard of a complete folder with its checksum.

    Args:
        folder: A folder that ``prepare_shards`` completed, or a copy of one.

    Returns:
        One line for each shard that is missing or differs.

    Raises:
        ShardError: If the folder's list of shards is missing or damaged.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise ShardError(f"{path} does not exist: the folder is not complete")
    manifest = Manifest.from_json(path.read_text(), where=str(path))
    problems: list[str] = []
    for name, _, size, sha256 in manifest.shards:
        if not (folder / name).exists():
            problems.append(f"{name} is missing")
        elif (folder / name).stat().st_size != size:
            problems.append(f"{name} has {(folder / name).stat().st_size} bytes, not {size}")
        elif sha256_of(folder / name) != sha256:
            problems.append(f"{name} differs from its checksum")
    return problems


def _write_all(job: ShardJob, numbers: Sequence[int], *, workers: int) -> Iterator[int]:
    """Write shards in this process or in several; yields the number of each when it is there."""
    if workers == 0 or len(numbers) <= 1:
        for number in numbers:
            write_shard(job, number)
            yield number
        return
    with ProcessPoolExecutor(
        min(workers, len(numbers)),
        mp_context=multiprocessing.get_context(),
        initializer=_start_worker,
        initargs=(job,),
    ) as pool:
        tasks = {pool.submit(_write_in_worker, number): number for number in numbers}
        try:
            for task in as_completed(tasks):
                task.result()
                yield tasks[task]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


_job_of_worker: list[ShardJob] = []


def _start_worker(job: ShardJob) -> None:
    """Keep the job in a worker process: sending it with each shard would send the index again."""
    _job_of_worker[:] = [job]


def _write_in_worker(number: int) -> None:
    write_shard(_job_of_worker[0], number)
