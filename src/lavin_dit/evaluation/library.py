"""Opening the data of protocols: every source once, from the folder of all prepared data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lavin_dit.datasets.clips import Clips
from lavin_dit.datasets.cutouts import Cutouts
from lavin_dit.datasets.imagenet import Imagenet
from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.nyuv2 import DepthSource, Nyuv2
from lavin_dit.datasets.pascal5i import Pascal5i
from lavin_dit.datasets.photos import Photos
from lavin_dit.datasets.real.scenes import SceneRule
from lavin_dit.datasets.source import Source
from lavin_dit.datasets.world import World
from lavin_dit.evaluation.samples import Remembering
from lavin_dit.vision.geometry import Size

_BENCHMARKS = "docs/data.md says where it is to be had and how to lay it out"


class MissingDataError(ValueError):
    """A protocol's data are not there; others may still run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """All data of an evaluation.

    Attributes:
        folder: Folder that holds ``photos``, ``cutouts`` and ``clips``, and of benchmarks
            ``imagenet``, ``nyuv2`` and ``pascal``; None where only the synthetic world is there.
        split: ``test``, or ``validation`` for what is looked at while developing.
        size: Size of the episodes.
    """

    folder: Path | None
    split: str
    size: Size
    _opened: dict[tuple[object, ...], Source] = field(
        default_factory=dict[tuple[object, ...], Source], init=False, repr=False
    )

    def __post_init__(self) -> None:
        """Check the split: training's samples are no evaluation."""
        if self.split not in ("validation", "test"):
            raise ValueError(f"evaluation is on validation or test, got {self.split!r}")

    def path(self, name: str, *, how: str) -> Path:
        """Folder of some data.

        Args:
            name: Name of the folder.
            how: How to get it.

        Returns:
            The folder.

        Raises:
            MissingDataError: If it is not there.
        """
        if self.folder is None:
            raise MissingDataError(f"needs {name}: {how}, and give its parent folder as --data")
        path = self.folder / name
        if not path.exists():
            raise MissingDataError(f"needs {path}: {how}")
        return path

    def world(self, *, num_frames: int) -> World:
        """The synthetic world itself."""
        return World(
            split="validation" if self.split == "validation" else "test",
            num_frames=num_frames,
            size=self.size,
        )

    def remembered_world(self, *, num_frames: int) -> Source:
        """The synthetic world; its samples stay in memory for other protocols."""
        return self.once(
            ("world", num_frames), lambda: Remembering(self.world(num_frames=num_frames))
        )

    def photos(self) -> Source:
        """The prepared photos."""
        root = self.path("photos", how="lavin prepare photos -o FOLDER/photos")
        return self.once(("photos",), lambda: Photos(root, split=self.split))

    def cutouts(self, *, num_frames: int, num_things: tuple[int, int]) -> Source:
        """Scenes of cut-outs on photos.

        Args:
            num_frames: Frames of each scene.
            num_things: Least and largest number of things.

        Returns:
            The scenes, which stay in memory.
        """
        photos = self.path("photos", how="lavin prepare photos -o FOLDER/photos")
        root = self.path("cutouts", how="lavin prepare cutouts -o FOLDER/cutouts")
        return self.once(
            ("cutouts", num_frames, num_things),
            lambda: Remembering(
                Cutouts(
                    root,
                    photos,
                    split=self.split,
                    num_frames=num_frames,
                    rule=SceneRule(num_things=num_things),
                )
            ),
        )

    def clips(self, *, num_frames: int) -> Source:
        """The prepared clips."""
        root = self.path("clips", how="lavin prepare clips -o FOLDER/clips")
        return self.once(
            ("clips", num_frames),
            lambda: Clips(root, split=self.split, num_frames=num_frames, stride=1),
        )

    def imagenet(self) -> Source:
        """ImageNet-1K's validation photos."""
        root = self.path("imagenet", how=_BENCHMARKS)
        return self.once(("imagenet",), lambda: Imagenet(root, split="val"))

    def nyuv2(
        self, *, split: str, kinds: Sequence[type[object]], depth: DepthSource = "measured"
    ) -> Source:
        """NYU Depth V2; normals are the published ones where ``nyuv2/normals`` holds them.

        Args:
            split: ``train``, ``test`` or ``all``.
            kinds: What to read of Depth and Normals.
            depth: ``measured`` or ``filled``.

        Returns:
            The pictures.
        """
        root = self.path("nyuv2", how=_BENCHMARKS)
        normals = root / "normals" if (root / "normals").is_dir() else None
        return self.once(
            ("nyuv2", split, *kinds, depth),
            lambda: Nyuv2(root, split=split, kinds=kinds, depth=depth, normals=normals),
        )

    def pascal(self, *, fold: int, kinds: Sequence[type[object]]) -> Pascal5i:
        """One fold of Pascal-5i on the images of VOC's val.

        Args:
            fold: 0 to 3.
            kinds: What to read of Mask and Boxes.

        Returns:
            Pairs of image and class.
        """
        return Pascal5i(self.path("pascal", how=_BENCHMARKS), fold=fold, kinds=kinds)

    def once(self, key: tuple[object, ...], make: Callable[[], Source]) -> Source:
        """A source, constructed when it is first asked for.

        Args:
            key: What tells it from others.
            make: Constructs it.

        Returns:
            The source.

        Raises:
            MissingDataError: If its folder does not hold what it should.
        """
        if key not in self._opened:
            try:
                self._opened[key] = make()
            except LayoutError as error:
                raise MissingDataError(f"cannot be asked: {error}") from error
        return self._opened[key]
