"""Photos: pictures without annotations, for restoration and generation, and to paste things on.

Made by ``lavin prepare photos``; the manifest says of every photo where it comes from, under which
licence it is, and in which split.
"""

from collections.abc import Mapping
from pathlib import Path

from lavin_dit.datasets.real.manifest import choose, read_manifest
from lavin_dit.datasets.real.photo_files import PhotoEntry
from lavin_dit.datasets.real.reading import read_picture
from lavin_dit.datasets.source import check_index
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.sample import Sample


class Photos:
    """Photos of a prepared folder, each a clip of one frame.

    Source:
        Ours (ADR 12); they stand in for ImageNet where that cannot be had.
    """

    name = "photos"

    def __init__(self, root: str | Path, *, split: str, any_licence: bool = False) -> None:
        """Read the manifest.

        Args:
            root: Folder that ``lavin prepare photos`` made.
            split: ``train``, ``validation`` or ``test``; a photo is in the same one everywhere.
            any_licence: Whether to train also on photos whose licence does not let weights be
                shipped under this project's; the other splits hold all photos either way.

        Raises:
            LayoutError: If the folder holds no manifest.
            ValueError: If there is no such split, or it has no photo.
        """
        self.root = Path(root)
        self.split = split
        entries = read_manifest(self.root, PhotoEntry, dataset="Photos")
        self.entries, self._skipped = choose(
            entries, root=self.root, split=split, any_licence=any_licence
        )
        if not self.entries:
            raise ValueError(f"{self.root} has no photo of split {split}; skipped: {self._skipped}")

    @property
    def kinds(self) -> tuple[type[object], ...]:
        """Nothing is annotated."""
        return ()

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many photos of the split are not used, by reason."""
        return self._skipped

    def __len__(self) -> int:
        """Number of photos."""
        return len(self.entries)

    def __getitem__(self, index: int) -> Sample:
        """Read a photo.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            The photo at the size at which it was prepared.

        Raises:
            IndexError: If there is no such photo.
            UnusableSampleError: If its file is corrupt, or not of the size that was noted.
        """
        entry = self.entries[check_index(index, length=len(self))]
        pixels = read_picture(self.root, entry, mode="RGB")
        return Sample(rgb=Rgb(pixels=pixels[None]), name=entry.name)
