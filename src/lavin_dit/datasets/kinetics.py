"""Kinetics-700: clips of 700 human actions, ten seconds each.

The publisher ships lists of YouTube's numbers and times, not videos. Read is the layout in which
the Common Visual Data Foundation hosts the videos, and the one that the usual tools make of it::

    train/-0A8fqWGz7A_000032_000042.mp4    or train/abseiling/-0A8fqWGz7A_000032_000042.mp4
    annotations/train.csv                  or train.csv: label,youtube_id,time_start,time_end,split

The list decides which videos belong to the set. Those that are not on disk are counted: the older
a copy is, the more of them it holds.
"""

import csv
from collections import Counter
from pathlib import Path

import numpy as np

from lavin_dit.datasets.layout import LayoutError, check_choice, file_names, require
from lavin_dit.datasets.source import check_index
from lavin_dit.datasets.video_files import ClipCut, read_clip
from lavin_dit.vision.sample import Sample


class Kinetics:
    """Kinetics-700; its samples have no annotations."""

    name = "kinetics"
    kinds: tuple[type[object], ...] = ()

    def __init__(
        self, root: Path | str, *, split: str = "train", cut: ClipCut | None = None
    ) -> None:
        """Read a list and look for its videos.

        Args:
            root: Folder that holds ``train``, ``val`` and the lists.
            split: ``train``, ``val`` or ``test``.
            cut: How clips are cut out of the videos; 13 frames from the middle where None.

        Raises:
            LayoutError: If a folder or list is missing, or none of the videos is there.
        """
        root = Path(root)
        splits = ("train", "val", "test")
        self.split = check_choice(split, splits, what="a split of Kinetics-700")
        self._cut = cut or ClipCut()
        self._videos = require(root, split, dataset="Kinetics-700")
        file = f"{split}.csv"
        listed = _listed(
            require(root, f"annotations/{file}", file, f"{split}/{file}", dataset="Kinetics-700")
        )
        found = {
            name: f"{folder}/{name}" if folder else name
            for folder in ("", *_folders(self._videos))
            for name in file_names(self._videos / folder)
        }
        names = sorted(found[name] for name in listed if name in found)
        if not names:
            raise LayoutError(f"Kinetics-700: none of the {len(listed)} listed videos is in {root}")
        self.skipped = Counter({"video is missing": len(listed) - len(names)})
        self._names = np.array([name.encode() for name in names], dtype=np.bytes_)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._names) * self._cut.clips_per_video

    def __getitem__(self, index: int) -> Sample:
        """Read one clip."""
        index = check_index(index, length=len(self))
        video, clip = divmod(index, self._cut.clips_per_video)
        file = bytes(self._names[video]).decode()
        name = f"{file}#{clip}"
        return Sample(
            rgb=read_clip(self._videos / file, self._cut, clip=clip, name=name), name=name
        )


def _folders(root: Path) -> list[str]:
    """The folders of classes, if there are any."""
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def _listed(path: Path) -> set[str]:
    """File names of the videos of a list: number of the film, first and last second."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}.mp4"
            for row in csv.DictReader(file)
        }
