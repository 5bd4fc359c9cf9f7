"""The synthetic world as a source of samples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import UInt8

from lavin_dit.datasets.layout import check_choice
from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.datasets.world.boxes import seen_things
from lavin_dit.datasets.world.classes import CLASS_NAMES, SPLITS, Split
from lavin_dit.datasets.world.ground_truth import WorldClip, label
from lavin_dit.datasets.world.looks import Looks
from lavin_dit.datasets.world.packing import Photos, pack
from lavin_dit.datasets.world.photos import load_photos
from lavin_dit.datasets.world.physics import simulate
from lavin_dit.datasets.world.renderer import Device, render
from lavin_dit.datasets.world.sampling import draw_scene
from lavin_dit.datasets.world.spec import SceneSpec
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample

_NUM_ATTEMPTS = 12
_LEAST_COVERED = 0.08  # share of a frame that things must cover, on average
_MOST_COVERED = 0.85  # share of a frame that one thing may cover
_LEAST_CONTRAST = 12.0  # standard deviation of the levels of a picture
_DEFAULT_SIZE = Size(height=128, width=128)


class World:
    """Scenes and clips that are made up as they are asked for; the same index, the same sample.

    Training, validation and test differ in seeds, classes of objects and patterns, as
    ``classes`` says.

    Attributes:
        class_names: The name of each class number.
    """

    class_names: Mapping[int, str] = MappingProxyType(dict(enumerate(CLASS_NAMES)))

    def __init__(  # noqa: PLR0913 - a source's settings, all by keyword
        self,
        *,
        split: Split = "train",
        num_frames: int = 1,
        size: Size = _DEFAULT_SIZE,
        length: int = 100_000,
        first: int = 0,
        photos: Sequence[UInt8[np.ndarray, "h w 3"] | Path | str] | Path | str = (),
        device: Device = "cpu",
    ) -> None:
        """Choose what is made up.

        Args:
            split: "train", "validation" or "test".
            num_frames: Frames of each clip; 1 for pictures. A clip has 12 frames in a second.
            size: Height and width.
            length: Number of samples.
            first: Number of the first sample among all that the split has: 20000 begins after
                what a source of 20,000 samples holds.
            photos: Pictures that surfaces show besides the made-up patterns, as sRGB arrays,
                files or a folder of files. Give each split its own.
            device: Where rays are cast, "cpu" or "cuda".

        Raises:
            ValueError: If a setting is out of range.
        """
        check_choice(split, SPLITS, what="a split of the synthetic world")
        if num_frames < 1 or length < 1:
            raise ValueError(
                f"num_frames and length must be at least 1, got {num_frames} and {length}"
            )
        if first < 0:
            raise ValueError(f"first must be at least 0, got {first}")
        self._split: Split = split
        self.num_frames = num_frames
        self.size = size
        self._length = length
        self._first = first
        self._device: Device = device
        self._photos: Photos | None = load_photos(photos) if photos else None

    @property
    def name(self) -> str:
        """Name of the source."""
        return "world"

    @property
    def split(self) -> str:
        """Which part of the world this is."""
        return self._split

    @property
    def kinds(self) -> tuple[type[object], ...]:
        """The kinds of annotation of each sample; clips have flow as well."""
        kinds = (Depth, Normals, Instances, Panoptic, Boxes, Keypoints)
        return kinds if self.num_frames == 1 else (*kinds, Flow)

    @property
    def skipped(self) -> Mapping[str, int]:
        """Nothing is left out."""
        return MappingProxyType({})

    def __len__(self) -> int:
        """Number of samples."""
        return self._length

    def __getitem__(self, index: int) -> Sample:
        """Make up one sample.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            The clip with an annotation of each kind in ``kinds``.

        Raises:
            IndexError: If there is no such sample.
            UnusableSampleError: If no scene worth looking at was found, which is very rare.
            ImportError: If the extra ``data`` is not installed.
        """
        clip = self.clip(index)
        annotations = (
            clip.depth,
            clip.normals,
            clip.instances,
            clip.panoptic,
            clip.boxes,
            clip.keypoints,
        )
        name = self._name_of(check_index(index, length=len(self)))
        if self.num_frames == 1:
            return Sample(rgb=clip.rgb, annotations=annotations, name=name)
        valid = clip.forward.valid.copy()
        valid[-1] = False  # there is no next frame in the clip from which it could be told
        flow = Flow(pixels=clip.forward.pixels, valid=valid)
        return Sample(rgb=clip.rgb, annotations=(*annotations, flow), name=name)

    def clip(self, index: int) -> WorldClip:
        """Make up one sample with everything that is known about it.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            The clip, its scene, and channels that a sample has no place for.

        Raises:
            IndexError: If there is no such sample.
            UnusableSampleError: If no scene worth looking at was found, which is very rare.
            ImportError: If the extra ``data`` is not installed.
        """
        index = check_index(index, length=len(self))
        for attempt in range(_NUM_ATTEMPTS):
            clip = self.render(self.draw(index, attempt=attempt))
            if _worth_looking_at(clip):
                return clip
        raise UnusableSampleError(
            self._name_of(index), f"{_NUM_ATTEMPTS} scenes showed next to nothing"
        )

    def draw(self, index: int, *, attempt: int = 0) -> SceneSpec:
        """Draw the description of a scene.

        Args:
            index: Number of the sample.
            attempt: Which of the scenes that are tried for this sample.

        Returns:
            The scene.
        """
        seed = (SPLITS.index(self._split), self._first + index, attempt)
        num_photos = 0 if self._photos is None else len(self._photos)
        looks = Looks(split=self._split, num_photos=num_photos)
        return draw_scene(looks, np.random.default_rng(seed), num_frames=self.num_frames)

    def render(self, spec: SceneSpec) -> WorldClip:
        """Let a scene happen, and look at it.

        Args:
            spec: The scene; it may have been changed, or come from a file.

        Returns:
            The clip with all that is known about it.

        Raises:
            ImportError: If the extra ``data`` is not installed.
        """
        trajectory = simulate(spec)
        scene = pack(spec, trajectory, size=self.size, photos=self._photos)
        rendering = render(scene, size=self.size, optics=spec.optics, device=self._device)
        return label(spec, scene, trajectory, rendering)

    def _name_of(self, index: int) -> str:
        """Name of a sample."""
        return f"{self._split}/{self._first + index:06d}"


def _worth_looking_at(clip: WorldClip) -> bool:
    """Whether there is something to see, and nothing stands right before the camera."""
    _, shares = seen_things(clip.instances.ids, count=len(clip.boxes.classes))
    contrast = clip.rgb.pixels[:, ::2, ::2].std(axis=(1, 2, 3)).min()
    return bool(
        shares.sum(axis=1).mean() >= _LEAST_COVERED
        and shares.max(initial=0) <= _MOST_COVERED
        and contrast >= _LEAST_CONTRAST
    )
