"""NYU Depth V2, the labelled part: 1,449 pictures of rooms with depth, 480 x 640.

Layout: the two files of its page in one folder, and, for published normals, a folder of pictures::

    nyu_depth_v2_labeled.mat      HDF5: images, depths (holes filled), rawDepths (as measured)
    splits.mat                    trainNdxs (795) and testNdxs (654), counted from 1

The 654 test pictures are those on which Eigen and all after him evaluate, inside ``EIGEN_CROP``.
Depth is the distance along the optical axis of the colour camera, in metres.
"""

from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from lavin_dit.datasets.depth_to_normals import normals_from_depth
from lavin_dit.datasets.layout import check_choice, check_kinds, require
from lavin_dit.datasets.pictures import read_label_channels
from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.extras import how_to_install
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size, Window
from lavin_dit.vision.sample import Sample

# Rows 45 to 471 and columns 41 to 601: what Eigen, Puhrsch and Fergus (2014) evaluate.
EIGEN_CROP = Window(top=45, left=41, height=426, width=560)

# The colour camera, from the toolbox of the data set; its centre counts pixels from 1.
_FOCAL_PX = (518.85790117450188, 519.46961112127485)
_CENTRE_PX = (325.58244941119034 - 0.5, 253.73616633400465 - 0.5)

# How well published normals must fit those computed from depth, as a mean cosine, and how much
# better the same with other signs may fit by chance.
_LEAST_COSINE, _NOISE = 0.7, 0.02

_SPLITS = {"train": ("trainNdxs",), "test": ("testNdxs",), "all": ("trainNdxs", "testNdxs")}
DepthSource = Literal["measured", "filled"]


class Nyuv2:
    """NYU Depth V2, labelled.

    Normals are not part of the data set. They are either read from a folder of pictures, as
    published with later papers, or computed from the filled depth: good enough to train on, but
    numbers measured against them cannot be compared with papers.
    """

    name = "nyuv2"

    def __init__(
        self,
        root: Path | str,
        *,
        split: str = "test",
        kinds: Sequence[type[object]] = (Depth,),
        depth: DepthSource = "measured",
        normals: Path | str | None = None,
    ) -> None:
        """Read the split; the pictures stay on disk.

        Args:
            root: Folder that holds the two files.
            split: ``train``, ``test`` or ``all``.
            kinds: What to read of Depth and Normals.
            depth: ``measured`` has holes, ``filled`` has none.
            normals: Folder of pictures ``000000_normal.png``, numbered from 0 in the order of the
                .mat file, as the evaluation data of DSINE names them: x to the left, y up, z
                toward the camera, black for none. Computed from depth where None.

        Raises:
            LayoutError: If a file is missing.
            ImportError: If h5py is not installed.
            ValueError: If published normals do not fit the depth of their picture.
        """
        _need_h5py()
        root = Path(root)
        self.split = check_choice(split, tuple(_SPLITS), what="a split of NYUv2")
        check_choice(depth, ("measured", "filled"), what="a depth of NYU Depth V2")
        self.kinds = check_kinds(kinds, (Depth, Normals), dataset="NYUv2")
        self.skipped: Counter[str] = Counter()
        self._depths = "rawDepths" if depth == "measured" else "depths"
        self._normals = None if normals is None else Path(normals)
        self._path = require(root, "nyu_depth_v2_labeled.mat", dataset="NYU Depth V2")
        self._numbers = _read_split(require(root, "splits.mat", dataset="NYU Depth V2"), split)
        if normals is not None and Normals in self.kinds:
            self._check_axes(Path(normals))

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._numbers)

    def __getitem__(self, index: int) -> Sample:
        """Read one picture with its annotations."""
        number = int(self._numbers[check_index(index, length=len(self))])
        name = f"{number:06d}"
        pixels = _read(self._path, "images", number, name=name)
        rgb = Rgb(pixels=np.ascontiguousarray(pixels)[None])
        annotations: list[Annotation] = []
        for kind in self.kinds:
            if kind is Depth:
                annotations.append(_depth(_read(self._path, self._depths, number, name=name), name))
            elif self._normals is None:
                filled = _depth(_read(self._path, "depths", number, name=name), name)
                annotations.append(_computed_normals(filled))
            else:
                path = self._normals / f"{name}_normal.png"
                annotations.append(_published_normals(path, name=name, size=rgb.shape.size))
        return Sample(rgb=rgb, annotations=tuple(annotations), name=name)

    def _check_axes(self, folder: Path) -> None:
        """Compare the first published normals with depth: other axes would be a silent error."""
        name = f"{int(self._numbers[0]):06d}"
        path = require(folder, f"{name}_normal.png", dataset="NYU Depth V2")
        filled = _depth(_read(self._path, "depths", int(self._numbers[0]), name=name), name)
        computed = _computed_normals(filled)
        published = _published_normals(path, name=name, size=filled.shape.size)
        both = computed.valid & published.valid
        one, other = computed.vectors[both], published.vectors[both]
        if not len(one):
            raise ValueError(f"{path} and the depth of its picture have no pixel in common")
        fits = {
            signs: float(np.mean(np.sum(one * (other * np.array(signs)), axis=-1)))
            for signs in product((1, -1), repeat=3)
        }
        best = max(fits, key=lambda signs: fits[signs])
        fit = fits[1, 1, 1]
        if fit < _LEAST_COSINE or fits[best] > fit + _NOISE:
            raise ValueError(
                f"{path} does not fit the depth of its picture: the mean cosine with the normals "
                f"computed from it is {fit:.2f}; with signs {best} for x, y and z it would be "
                f"{fits[best]:.2f}"
            )


def _need_h5py() -> None:
    """Say which extra brings what reads MATLAB's files."""
    if find_spec("h5py") is None:
        raise ImportError(f"reading NYU Depth V2 needs h5py: {how_to_install('data')}")


def _read_split(path: Path, split: str) -> Int64[np.ndarray, " n"]:
    """Numbers of a split's pictures, counted from 0."""
    from scipy.io import loadmat

    lists: dict[str, Any] = loadmat(str(path))
    numbers = [np.asarray(lists[key]).ravel() for key in _SPLITS[split]]
    return np.sort(np.concatenate(numbers).astype(np.int64)) - 1


def _read(
    path: Path, field: str, number: int, *, name: str
) -> UInt8[np.ndarray, "h w 3"] | Float32[np.ndarray, "h w"]:
    """One picture of a field; MATLAB's axes are stored in reverse order."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            stored: Any = file[field]
            return np.asarray(stored[number]).T
    except (OSError, KeyError, IndexError, ValueError) as error:
        raise UnusableSampleError(name, f"{field} cannot be read") from error


def _depth(metres: Float32[np.ndarray, "h w"], name: str) -> Depth:
    """Depth that is valid where it is finite and above 0."""
    valid = np.isfinite(metres) & (metres > 0)
    if not valid.any():
        raise UnusableSampleError(name, "depth is nowhere valid")
    return Depth(metres=np.ascontiguousarray(metres, dtype=np.float32)[None], valid=valid[None])


def _computed_normals(filled: Depth) -> Normals:
    """Normals of planes fitted to the filled depth."""
    return normals_from_depth(
        filled.metres[0].astype(np.float64),
        filled.valid[0],
        focal_px=_FOCAL_PX,
        centre_px=_CENTRE_PX,
    )


def _published_normals(path: Path, *, name: str, size: Size) -> Normals:
    """Normals of a picture, (n + 1) / 2 in 8 bits, with x to the left."""
    levels = read_label_channels(path, name=name, size=size)
    valid = levels.any(axis=-1)
    vectors = (levels / 127.5 - 1) * np.array([-1, 1, 1])
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    valid &= length[..., 0] > 0.5
    vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=valid[..., None])
    if not valid.any():
        raise UnusableSampleError(name, "normals are nowhere valid")
    return Normals(vectors=vectors.astype(np.float32)[None], valid=valid[None])
