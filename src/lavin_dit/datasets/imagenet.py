"""ImageNet-1K (ILSVRC 2012): photos of 1,000 classes, without any annotation of pixels.

Two layouts are read. That of the competition's archive (its object localisation track)::

    ILSVRC/Data/CLS-LOC/train/n01440764/n01440764_10026.JPEG
    ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG
    LOC_val_solution.csv

and that of the archives of image-net.org, unpacked into ``train/n01440764/`` and ``val/``, with
the development kit in ``ILSVRC2012_devkit_t12/``. In both, the photos of ``val`` may also be sorted
into folders of classes.
"""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Int16, Shaped

from lavin_dit.datasets.layout import LayoutError, check_choice, file_names, require
from lavin_dit.datasets.pictures import read_photo
from lavin_dit.datasets.source import check_index
from lavin_dit.vision.sample import Sample

_SUFFIXES = (".jpeg", ".jpg", ".png")


class Imagenet:
    """ImageNet-1K.

    Its samples have no annotations: it serves the tasks that make their own target from a photo.
    The index of the training set takes 40 MB.
    """

    name = "imagenet"
    kinds: tuple[type[object], ...] = ()

    def __init__(self, root: Path | str, *, split: str = "train") -> None:
        """List the photos.

        Args:
            root: Folder that holds ``ILSVRC``, or ``train`` and ``val``.
            split: ``train`` or ``val``.

        Raises:
            LayoutError: If the split's folder is missing or holds no photos.
        """
        self._root = Path(root)
        self.split = check_choice(split, ("train", "val"), what="a split of ImageNet")
        self._photos = require(
            self._root, f"ILSVRC/Data/CLS-LOC/{split}", split, dataset="ImageNet-1K"
        )
        self.skipped: Counter[str] = Counter()
        folders = sorted(path.name for path in self._photos.iterdir() if path.is_dir())
        self._folders = folders or [""]
        self._files, self._folder_of = self._list()
        if not len(self._files):
            raise LayoutError(f"ImageNet-1K: no photos in {self._photos}")

    def __len__(self) -> int:
        """Number of photos."""
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        """Read one photo."""
        name = self._name(check_index(index, length=len(self)))
        return Sample(rgb=read_photo(self._photos / name, name=name), name=name)

    def synsets(self) -> tuple[str, ...]:
        """The class of every photo, such as ``n01440764``.

        Returns:
            WordNet numbers, in the order of the photos.

        Raises:
            LayoutError: If the photos are not sorted into folders of classes, and the list of the
                validation set's classes is missing.
        """
        if self._folders != [""]:
            return tuple(self._folders[place] for place in self._folder_of.tolist())
        solution = require(
            self._root,
            "LOC_val_solution.csv",
            "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt",
            dataset="ImageNet-1K",
        )
        if solution.suffix == ".txt":
            return _synsets_of_kit(solution, num_photos=len(self))
        with solution.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            classes = {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}
        return tuple(classes[Path(self._name(index)).stem] for index in range(len(self)))

    def _list(self) -> tuple[Shaped[np.ndarray, " n"], Int16[np.ndarray, " n"]]:
        """Names of all photos as byte strings, and the folder that each lies in."""
        files: list[bytes] = []
        places: list[int] = []
        for place, folder in enumerate(self._folders):
            names = file_names(self._photos / folder)
            photos = sorted(name for name in names if name.lower().endswith(_SUFFIXES))
            self.skipped["file that is not a photo"] += len(names) - len(photos)
            files += [name.encode() for name in photos]
            places += [place] * len(photos)
        return np.array(files, dtype=np.bytes_), np.array(places, dtype=np.int16)

    def _name(self, index: int) -> str:
        """Path of a photo below its split's folder."""
        folder = self._folders[int(self._folder_of[index])]
        file = bytes(self._files[index]).decode()
        return f"{folder}/{file}" if folder else file


def _synsets_of_kit(truth: Path, *, num_photos: int) -> tuple[str, ...]:
    """Classes of the validation set from the development kit, which numbers them its own way."""
    from scipy.io import loadmat  # slow to import, and needed for one split alone

    meta = require(truth.parent, "meta.mat", dataset="ImageNet-1K")
    table = loadmat(str(meta), squeeze_me=True)["synsets"]
    synsets = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in table}
    numbers = [int(line) for line in truth.read_text(encoding="ascii").split()]
    if len(numbers) != num_photos:
        raise LayoutError(f"ImageNet-1K: {truth} lists {len(numbers)} photos of {num_photos}")
    return tuple(synsets[number] for number in numbers)
