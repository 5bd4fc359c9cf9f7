"""``lavin prepare``: fetch what the real sources are made of, and write it as plain files."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lavin_dit.datasets.real.catalogue import Selection
    from lavin_dit.datasets.real.clip_files import ShotEntry
    from lavin_dit.datasets.real.photo_files import CutoutEntry, PhotoEntry
    from lavin_dit.datasets.real.preparation import Report

EXIT_SOME_FAILED = 1


def _default_cache() -> Path:
    """Where packages are kept between runs."""
    return Path.home() / ".cache" / "lavin-dit" / "packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Preparation:
    """What preparing any of the sources needs."""

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder to write to; one that an earlier run began is gone on with."""
    cache: Path = field(default_factory=_default_cache)
    """Folder in which fetched packages are kept."""
    packages: tuple[str, ...] = ()
    """Only these packages; all if not given."""

    def chosen(self, selections: "Sequence[Selection]") -> "list[Selection]":
        """The packages asked for.

        Raises:
            ValueError: If one of them is not known.
        """
        names = [selection.package.name for selection in selections]
        unknown = sorted(set(self.packages) - set(names))
        if unknown:
            raise ValueError(f"no package {', '.join(unknown)} here; there are {', '.join(names)}")
        return [
            selection
            for selection in selections
            if not self.packages or selection.package.name in self.packages
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Photos(_Preparation):
    """Photographs from wallpaper and learning packages (240 MB to fetch, 40 MB to keep)."""

    max_side: int = 1024
    """Longest side in pixels; larger photos are shrunk, once."""
    min_side: int = 160
    """Shortest side in pixels; smaller photos are left out."""

    def run(self) -> int:
        """Prepare."""
        from lavin_dit.datasets.real.catalogue import PHOTOS
        from lavin_dit.datasets.real.photo_files import PhotoConverter
        from lavin_dit.datasets.real.preparation import prepare

        converter = PhotoConverter(max_side=self.max_side, min_side=self.min_side)
        return _tell(
            self.output,
            prepare(
                self.output,
                selections=self.chosen(PHOTOS),
                converter=converter,
                cache=self.cache,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutouts(_Preparation):
    """Pictures of single things with alpha, from Tux Paint's stamps (161 MB to fetch)."""

    def run(self) -> int:
        """Prepare."""
        from lavin_dit.datasets.real.catalogue import CUTOUTS
        from lavin_dit.datasets.real.photo_files import CutoutConverter
        from lavin_dit.datasets.real.preparation import prepare

        return _tell(
            self.output,
            prepare(
                self.output,
                selections=self.chosen(CUTOUTS),
                converter=CutoutConverter(),
                cache=self.cache,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Clips(_Preparation):
    """Films cut into shots: Big Buck Bunny to train on, real clips to test on (156 MB to fetch)."""

    max_side: int = 640
    """Longest side in pixels; larger films are shrunk."""

    def run(self) -> int:
        """Prepare."""
        from lavin_dit.datasets.real.catalogue import CLIPS
        from lavin_dit.datasets.real.clip_files import ClipConverter
        from lavin_dit.datasets.real.preparation import prepare

        return _tell(
            self.output,
            prepare(
                self.output,
                selections=self.chosen(CLIPS),
                converter=ClipConverter(max_side=self.max_side),
                cache=self.cache,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Fetch real photos, cut-outs or clips from packages, and write them as plain files."""

    verb: (
        Annotated[Photos, tyro.conf.subcommand("photos")]
        | Annotated[Cutouts, tyro.conf.subcommand("cutouts")]
        | Annotated[Clips, tyro.conf.subcommand("clips")]
    )

    def run(self) -> int:
        """Run the verb."""
        return self.verb.run()


def _tell(
    output: Path, report: "Report[PhotoEntry] | Report[CutoutEntry] | Report[ShotEntry]"
) -> int:
    """Say what there is now; 1 if a package could not be had."""
    splits = Counter(entry.split for entry in report.entries)
    terms = Counter(entry.terms for entry in report.entries)
    print(f"{output}: {len(report.entries)} files ({_listed(splits)}); licences: {_listed(terms)}")
    if report.skipped:
        print(f"not used: {_listed(report.skipped)}")
    for name, problem in report.failed.items():
        print(f"could not be had: {name}: {problem}")
    return EXIT_SOME_FAILED if report.failed else 0


def _listed(counts: "Counter[str]") -> str:
    """Counts as words."""
    return ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
