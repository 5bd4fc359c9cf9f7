"""Kubric's MOVi videos (A to F): rendered scenes of falling things with all ground truth.

Read is the TFRecord publication of the bucket ``kubric-public/tfds``, without TensorFlow::

    movi_e/256x256/1.0.0/dataset_info.json
    movi_e/256x256/1.0.0/movi_e-train.tfrecord-00000-of-01024

Kubric's conventions differ from ours, and are converted: its depth is the distance to the camera's
centre, its normals are in world space, its flow is (down, right). Lengths are taken as metres.
"""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt16

from lavin_dit.datasets.layout import LayoutError, check_choice, check_kinds, require
from lavin_dit.datasets.pictures import decode_photo, decode_png
from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.datasets.tf_example import Feature, parse_example
from lavin_dit.datasets.tfrecord import read_record, record_offsets
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.sample import Sample

_VARIANTS = ("movi_a", "movi_b", "movi_c", "movi_d", "movi_e", "movi_f")
_HIGHEST = 65535  # of 16 bits
# Depth is stored in 16 bits between a video's extremes. Where infinity (1e10) is one of them,
# nothing is left for the rest; at 10 km, a step is 15 cm.
_WIDEST_DEPTH = 1e4

# Which features of a record each kind of annotation is made from.
_FEATURES: dict[type[object], tuple[str, ...]] = {
    Depth: ("depth", "metadata/depth_range", "camera/focal_length", "camera/sensor_width"),
    Normals: ("normal", "camera/quaternions"),
    Flow: ("forward_flow", "metadata/forward_flow_range"),
    Instances: ("segmentations",),
}


class Kubric:
    """Kubric's MOVi.

    Every video has 24 frames at 12 frames a second. The flow of the last frame has no successor
    and is not valid.
    """

    name = "kubric"

    def __init__(
        self,
        root: Path | str,
        *,
        split: str = "train",
        variant: str = "movi_e",
        resolution: str = "256x256",
        kinds: Sequence[type[object]] = (Depth, Normals, Flow, Instances),
    ) -> None:
        """Read how many records each file holds; the files themselves stay closed.

        Args:
            root: Folder that holds ``movi_a`` to ``movi_f``, as in the bucket.
            split: ``train``, ``validation`` or ``test``; not all variants have all.
            variant: ``movi_a`` to ``movi_f``.
            resolution: ``256x256`` or ``128x128``; MOVi-F also has others.
            kinds: What to read of Depth, Normals, Flow and Instances.

        Raises:
            LayoutError: If a folder or the description of the data is missing, or it has no such
                split.
        """
        check_choice(variant, _VARIANTS, what="a variant of MOVi")
        self.split = split
        self.variant = variant
        self.kinds = check_kinds(kinds, tuple(_FEATURES), dataset="Kubric")
        folder = require(Path(root), f"{variant}/{resolution}/1.0.0", dataset="Kubric MOVi")
        lengths = _shard_lengths(require(folder, "dataset_info.json", dataset="Kubric MOVi"), split)
        self.skipped: Counter[str] = Counter()
        self._shards: list[Path] = []
        counts: list[int] = []
        for number, length in enumerate(lengths):
            file = f"{variant}-{split}.tfrecord-{number:05d}-of-{len(lengths):05d}"
            if (folder / file).exists():
                self._shards.append(folder / file)
                counts.append(length)
            else:
                self.skipped["record of a missing file"] += length
        if not self._shards:
            raise LayoutError(
                f"Kubric MOVi: no file {variant}-{split}.tfrecord-* in {folder}; docs/data.md "
                "shows the layout and where to get it"
            )
        self._starts = [0, *accumulate(counts)]

    def __len__(self) -> int:
        """Number of videos."""
        return self._starts[-1]

    def __getitem__(self, index: int) -> Sample:
        """Read one video with its annotations."""
        index = check_index(index, length=len(self))
        shard = bisect_right(self._starts, index) - 1
        path = self._shards[shard]
        place = index - self._starts[shard]
        name = f"{path.name}/{place}"
        wanted = {"video", *(feature for kind in self.kinds for feature in _FEATURES[kind])}
        try:
            offsets = record_offsets(path)
            features = parse_example(read_record(path, offsets[place]), wanted=wanted)
        except (ValueError, IndexError) as error:
            raise UnusableSampleError(name, "record is corrupt") from error
        missing = wanted - set(features)
        if missing:
            raise UnusableSampleError(name, f"record has no {', '.join(sorted(missing))}")
        frames = [decode_photo(data, name=name) for data in _blobs(features["video"])]
        if len({frame.shape for frame in frames}) != 1:
            raise UnusableSampleError(name, "frames of the video differ in size")
        rgb = Rgb(pixels=np.stack(frames))
        annotations = tuple(
            _READERS[kind](features, shape=rgb.shape, name=name) for kind in self.kinds
        )
        return Sample(rgb=rgb, annotations=annotations, name=name)


def _shard_lengths(path: Path, split: str) -> list[int]:
    """Number of records in each file of a split."""
    described = json.loads(path.read_text(encoding="utf-8"))
    splits = {entry["name"]: entry for entry in described.get("splits", ())}
    if split not in splits:
        raise LayoutError(f"{path} describes no split {split!r}; it has {', '.join(splits)}")
    return [int(length) for length in splits[split].get("shardLengths", ())]


def _depth(features: Mapping[str, Feature], *, shape: ClipShape, name: str) -> Depth:
    """Distance along the optical axis from the distance to the camera's centre."""
    near, far = _numbers(features["metadata/depth_range"], count=2, name=name)
    if not 0 <= near <= far <= _WIDEST_DEPTH:
        raise UnusableSampleError(name, "depth range is too wide for 16 bits")
    stored = _pictures(features["depth"], shape=shape, name=name)[..., 0]
    distance = stored / _HIGHEST * (far - near) + near
    focal = _numbers(features["camera/focal_length"], count=1, name=name)[0]
    sensor = _numbers(features["camera/sensor_width"], count=1, name=name)[0]
    # Pixels are square; the sensor's width, in the focal length's unit, spans the picture's.
    unit = sensor / shape.width / focal
    right = (np.arange(shape.width) + 0.5 - shape.width / 2) * unit
    down = (np.arange(shape.height) + 0.5 - shape.height / 2) * unit
    metres = (distance / np.sqrt(1 + right[None] ** 2 + down[:, None] ** 2)).astype(np.float32)
    valid = np.isfinite(metres) & (metres > 0)
    if not valid.any():
        raise UnusableSampleError(name, "depth is nowhere valid")
    return Depth(metres=metres, valid=valid)


def _normals(features: Mapping[str, Feature], *, shape: ClipShape, name: str) -> Normals:
    """Normals turned from the world into the camera, which looks along -z with y up, as ours."""
    stored = _pictures(features["normal"], shape=shape, name=name)
    world = (stored * (2 / _HIGHEST) - 1).astype(np.float32)
    quaternions = _numbers(features["camera/quaternions"], count=4 * len(world), name=name)
    rotations = camera_to_world(quaternions.reshape(-1, 4))
    length = np.linalg.norm(world, axis=-1, keepdims=True)
    valid = length[..., 0] > 0.5
    world = np.divide(world, length, out=np.zeros_like(world), where=valid[..., None])
    vectors = np.einsum("tij,thwi->thwj", rotations, world).astype(np.float32)
    return Normals(vectors=vectors, valid=valid)


def _flow(features: Mapping[str, Feature], *, shape: ClipShape, name: str) -> Flow:
    """Motion to the next frame as (right, down) from (down, right)."""
    low, high = _numbers(features["metadata/forward_flow_range"], count=2, name=name)
    stored = features["forward_flow"]
    frames, height, width = shape.num_frames, shape.height, shape.width
    if isinstance(stored, list) or stored.size != frames * height * width * 2:
        raise UnusableSampleError(name, "photo and annotations differ in size")
    down_right = stored.reshape(frames, height, width, 2) / _HIGHEST * (high - low) + low
    valid = np.ones((frames, height, width), dtype=np.bool_)
    valid[-1] = False
    return Flow(pixels=down_right[..., ::-1].astype(np.float32), valid=valid)


def _instances(features: Mapping[str, Feature], *, shape: ClipShape, name: str) -> Instances:
    """Things by their number; 0 is the background."""
    ids = _pictures(features["segmentations"], shape=shape, name=name)[..., 0].astype(np.int32)
    if not ids.any():
        raise UnusableSampleError(name, "no instance has pixels")
    return Instances(ids=ids)


def camera_to_world(quaternions: Float64[np.ndarray, "t 4"]) -> Float64[np.ndarray, "t 3 3"]:
    """Rotation of each frame's camera.

    Args:
        quaternions: w, x, y and z of each rotation.

    Returns:
        Matrices that turn directions in camera space into directions in the world.
    """
    unit = quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)
    w, x, y, z = np.moveaxis(unit, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _blobs(feature: Feature) -> list[bytes]:
    """The pictures of a feature, still encoded."""
    return feature if isinstance(feature, list) else []


def _numbers(feature: Feature, *, count: int, name: str) -> Float64[np.ndarray, " n"]:
    """The numbers of a feature."""
    if isinstance(feature, list) or feature.size != count or not np.isfinite(feature).all():
        raise UnusableSampleError(name, "record holds other numbers than expected")
    return feature.astype(np.float64)


def _pictures(feature: Feature, *, shape: ClipShape, name: str) -> UInt16[np.ndarray, "t h w c"]:
    """The pictures of a feature, decoded."""
    frames = [decode_png(data, name=name).astype(np.uint16) for data in _blobs(feature)]
    wanted = (shape.height, shape.width)
    if len(frames) != shape.num_frames or any(frame.shape[:2] != wanted for frame in frames):
        raise UnusableSampleError(name, "photo and annotations differ in size")
    return np.stack(frames)


_READERS: dict[type[object], Callable[..., Annotation]] = {
    Depth: _depth,
    Normals: _normals,
    Flow: _flow,
    Instances: _instances,
}
