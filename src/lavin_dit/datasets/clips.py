"""Clips: pieces of real and rendered films, for tasks that need nothing but frames.

Made by ``lavin prepare clips``. A film is divided by shot and by stretches of 20 seconds, so what
trains and what tests are never the same shot, and seldom the same scene.
"""

from collections.abc import Mapping
from pathlib import Path

from lavin_dit.datasets.real.clip_files import ShotEntry
from lavin_dit.datasets.real.manifest import choose, read_manifest
from lavin_dit.datasets.real.reading import read_frames
from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.sample import Sample


class Clips:
    """Clips of a prepared folder; they do not overlap.

    Source:
        Ours (ADR 12); they stand in for UCF101 and Kinetics where those cannot be had.
    """

    name = "clips"

    def __init__(
        self,
        root: str | Path,
        *,
        split: str,
        num_frames: int = 13,
        stride: int = 1,
        any_licence: bool = False,
    ) -> None:
        """Read the manifest and lay clips into the shots.

        Args:
            root: Folder that ``lavin prepare clips`` made.
            split: ``train``, ``validation`` or ``test``.
            num_frames: Frames of each clip.
            stride: Take every so manieth frame.
            any_licence: Whether to train also on films whose licence does not let weights be
                shipped under this project's.

        Raises:
            LayoutError: If the folder holds no manifest.
            ValueError: If a setting is out of range, or the split has no shot long enough.
        """
        if num_frames < 1 or stride < 1:
            raise ValueError(f"num_frames and stride must be 1 or more: {num_frames}, {stride}")
        self.root = Path(root)
        self.split = split
        self.num_frames = num_frames
        self.stride = stride
        entries = read_manifest(self.root, ShotEntry, dataset="Clips")
        shots, self._skipped = choose(entries, root=self.root, split=split, any_licence=any_licence)
        span = (num_frames - 1) * stride + 1
        self.clips = [
            (shot, first) for shot in shots for first in range(0, shot.num_frames - span + 1, span)
        ]
        short = sum(shot.num_frames < span for shot in shots)
        if short:
            self._skipped[f"shot shorter than {span} frames"] = short
        if not self.clips:
            raise ValueError(f"{self.root} has no clip of split {split}; skipped: {self._skipped}")

    @property
    def kinds(self) -> tuple[type[object], ...]:
        """Nothing is annotated."""
        return ()

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many shots of the split are not used, by reason."""
        return self._skipped

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Sample:
        """Read a clip.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            The clip at the size at which it was prepared.

        Raises:
            IndexError: If there is no such clip.
            UnusableSampleError: If its file is corrupt, or shorter than was noted.
        """
        shot, first = self.clips[check_index(index, length=len(self))]
        name = f"{shot.name}+{first:05d}"
        wanted = range(first, first + self.num_frames * self.stride, self.stride)
        try:
            frames = read_frames(self.root / shot.path, wanted)
        except OSError as error:
            raise UnusableSampleError(name, "corrupt film") from error
        if frames.shape != (self.num_frames, shot.height, shot.width, 3):
            raise UnusableSampleError(name, "film differs from the manifest")
        return Sample(rgb=Rgb(pixels=frames), name=name)
