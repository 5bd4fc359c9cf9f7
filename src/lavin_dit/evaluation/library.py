"""Opening the data of protocols: every source once, from the folder of all prepared data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lavin_dit.datasets.clips import Clips
from lavin_dit.datasets.cutouts import Cutouts
from lavin_dit.datasets.photos import Photos
from lavin_dit.datasets.real.scenes import SceneRule
from lavin_dit.datasets.source import Source
from lavin_dit.datasets.world import World
from lavin_dit.evaluation.samples import Remembering
from lavin_dit.vision.geometry import Size


class MissingDataError(ValueError):
    """A protocol's data are not there; others may still run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """All data of an evaluation.

    Attributes:
        folder: Folder that holds ``photos``, ``cutouts``, ``clips``, and of benchmarks ``imagenet``,
            ``nyuv2`` and ``pascal``; None where only the synthetic world is there.
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

    def once(self, key: tuple[object, ...], make: Callable[[], Source]) -> Source:
        """A source, constructed when it is first asked for.

        Args:
            key: What tells it from others.
            make: Constructs it.

        Returns:
            The source.
        """
        if key not in self._opened:
            self._opened[key] = make()
        return self._opened[key]
