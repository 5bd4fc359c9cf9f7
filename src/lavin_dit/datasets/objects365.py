"""Objects365, version 2: boxes of 365 classes on 2 million photos.

Layout, as the archives unpack; the folders of patches may also lie deeper, such as in
``val/images/v1/patch0``::

    train/patch0/objects365_v1_00000000.jpg ... train/patch50/, val/patch0/ ... val/patch43/
    zhiyuan_objv2_train.json, zhiyuan_objv2_val.json  (or in annotations/, or in train/ and val/)

Category numbers are those of the file, 1 to 365.
"""

from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Bool

from lavin_dit.datasets.coco_format import CocoIndex, index_coco_json, object_verdict
from lavin_dit.datasets.layout import LayoutError, check_choice, file_names, require
from lavin_dit.datasets.pictures import read_photo
from lavin_dit.datasets.segments import image_boxes
from lavin_dit.datasets.source import check_index
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.sample import Sample


class Objects365:
    """Objects365.

    Boxes around groups (``iscrowd``) are void and left out; drawings and reflections of things
    (``isfake``, ``isreflected``) are kept. Boxes are cut at the border of the image.
    """

    name = "objects365"
    kinds: tuple[type[object], ...] = (Boxes,)

    def __init__(
        self, root: Path | str, *, split: str = "train", cache: Path | str | None = None
    ) -> None:
        """Read the index.

        Args:
            root: Folder that holds ``train`` and ``val``.
            split: ``train`` or ``val``.
            cache: Folder that keeps the index for the next time; building it takes some minutes and
                1 GB for the training set.

        Raises:
            LayoutError: If a file of the layout is missing.
        """
        root = Path(root)
        self.split = check_choice(split, ("train", "val"), what="a split of Objects365")
        self._folders = _patches(require(root, split, dataset="Objects365"))
        file = f"zhiyuan_objv2_{split}.json"
        path = require(root, file, f"annotations/{file}", f"{split}/{file}", dataset="Objects365")
        self._index = index_coco_json(
            path,
            verdict=object_verdict,
            purpose="objects",
            needs_box=True,
            cache=None if cache is None else Path(cache),
        )
        self.skipped: Counter[str] = self._index.skipped
        annotated = self._index.annotated
        present = _present(self._index, self._folders)
        self.skipped["image without boxes"] += int((~annotated).sum())
        self.skipped["photo is missing"] += int((annotated & ~present).sum())
        self._images = np.flatnonzero(annotated & present)

    @property
    def class_names(self) -> dict[int, str]:
        """Name of each category."""
        return self._index.class_names

    def __len__(self) -> int:
        """Number of images."""
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        """Read one image with its boxes."""
        image = int(self._images[check_index(index, length=len(self))])
        patch, file = _patch_and_file(self._index.file_name(image))
        name = f"{patch}/{file}"
        size = self._index.size(image)
        rgb = read_photo(self._folders[patch] / file, name=name, size=size)
        rows = self._index.rows(image)
        boxes = image_boxes(
            self._index.boxes_px[rows], classes=self._index.category_ids[rows], size=size
        )
        return Sample(rgb=rgb, annotations=(boxes,), name=name)


def _patches(folder: Path) -> dict[str, Path]:
    """The folders of patches by name, wherever below a split's folder they lie."""
    for depth in ("", "*/", "*/*/"):
        found = {path.name: path for path in folder.glob(f"{depth}patch*") if path.is_dir()}
        if found:
            return found
    raise LayoutError(
        f"Objects365: no folder patch0, patch1, ... in {folder}; docs/data.md shows the layout "
        "and where to get it"
    )


def _patch_and_file(listed: str) -> tuple[str, str]:
    """Patch and file of a path such as ``images/v1/patch8/objects365_v1_00420917.jpg``."""
    path = PurePosixPath(listed)
    return path.parent.name, path.name


def _present(index: CocoIndex, folders: dict[str, Path]) -> Bool[np.ndarray, " images"]:
    """Which listed photos are on disk."""
    files = {patch: file_names(folder) for patch, folder in folders.items()}
    found = np.zeros(len(index.image_ids), dtype=np.bool_)
    for image in range(len(found)):
        patch, file = _patch_and_file(index.file_name(image))
        found[image] = file in files.get(patch, ())
    return found
