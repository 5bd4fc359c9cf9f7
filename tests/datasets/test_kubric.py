import json

import numpy as np
import pytest

from lavin_dit.datasets.kubric import Kubric, camera_to_world
from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.geometry import ClipShape

cv2 = pytest.importorskip("cv2", reason="the extra data is not installed")

FRAMES, HEIGHT, WIDTH = 3, 16, 24
FOCAL, SENSOR = 35.0, 32.0
WALL_M = 7.0

# The camera looks along the world's +x with z up: its x is the world's -y, its y the world's z.
AXES = np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]], dtype=float)  # columns: camera x, y, z
QUATERNION = np.array([0.5, 0.5, -0.5, -0.5])  # the same turn as w, x, y, z


def picture(pixels):
    """PNG bytes of 8 or 16 bits a channel, red first."""
    pixels = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    return cv2.imencode(".png", pixels)[1].tobytes()


def scene():
    """A wall across the view, 7 m along the axis, and a thing that moves right and down."""
    generator = np.random.default_rng(0)
    video = generator.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)
    step = SENSOR / WIDTH / FOCAL
    right = (np.arange(WIDTH) + 0.5 - WIDTH / 2) * step
    down = (np.arange(HEIGHT) + 0.5 - HEIGHT / 2) * step
    distance = WALL_M * np.sqrt(1 + right[None] ** 2 + down[:, None] ** 2)
    near, far = 1.0, 9.0
    depth = np.round((distance - near) / (far - near) * 65535).astype(np.uint16)
    world = np.broadcast_to(AXES @ [0.0, 0.6, 0.8], (HEIGHT, WIDTH, 3))
    normal = ((world + 1) * 65535 / 2).astype(np.uint16)
    normal[0, 0] = 32767  # the zero vector
    segments = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    segments[4:9, 5:13] = 2
    low, high = -20.0, 45.0
    flow = np.zeros((FRAMES, HEIGHT, WIDTH, 2))
    flow[:, 4:9, 5:13] = 3.0, 11.0  # down, right
    return {
        "video": [picture(frame) for frame in video],
        "depth": [picture(depth)] * FRAMES,
        "normal": [picture(normal)] * FRAMES,
        "segmentations": [picture(segments)] * FRAMES,
        "forward_flow": ((flow - low) / (high - low) * 65535).astype(np.int64),
        "backward_flow": np.zeros(5, dtype=np.int64),
        "metadata/depth_range": np.array([near, far]),
        "metadata/forward_flow_range": np.array([low, high]),
        "metadata/video_name": [b"42"],
        "camera/focal_length": np.array([FOCAL]),
        "camera/sensor_width": np.array([SENSOR]),
        "camera/quaternions": np.tile(QUATERNION, FRAMES),
    }, video


@pytest.fixture
def write_tree(tmp_path, write_tfrecord):
    """Write records into files of two, in the layout of the bucket."""

    def write(records, variant="movi_e"):
        folder = tmp_path / f"{variant}/256x256/1.0.0"
        folder.mkdir(parents=True, exist_ok=True)
        shards = [records[start : start + 2] for start in range(0, len(records), 2)]
        split = {"name": "train", "shardLengths": [str(len(shard)) for shard in shards]}
        (folder / "dataset_info.json").write_text(json.dumps({"name": variant, "splits": [split]}))
        for number, shard in enumerate(shards):
            file = f"{variant}-train.tfrecord-{number:05d}-of-{len(shards):05d}"
            write_tfrecord(folder / file, shard)
        return folder

    return write


@pytest.fixture
def sample(write_tree, tmp_path):
    write_tree([scene()[0]])
    return Kubric(tmp_path)[0]


def test_frames(sample):
    np.testing.assert_array_equal(sample.rgb.pixels, scene()[1])
    assert sample.shape == ClipShape(num_frames=FRAMES, height=HEIGHT, width=WIDTH)
    assert sample.kinds == (Depth, Normals, Flow, Instances)
    assert sample.name == "movi_e-train.tfrecord-00000-of-00001/0"


def test_depth_is_along_the_axis(sample):
    """The distance to the camera's centre grows toward the corners; the wall's depth does not."""
    np.testing.assert_allclose(sample[Depth].metres, WALL_M, atol=1e-4)
    assert sample[Depth].valid.all()


def test_normals_are_turned_into_the_camera(sample):
    normals = sample[Normals]
    np.testing.assert_allclose(
        normals.vectors[:, 1:], np.broadcast_to([0, 0.6, 0.8], (FRAMES, 15, WIDTH, 3)), atol=1e-4
    )
    assert not normals.valid[:, 0, 0].any()
    assert normals.valid.sum() == FRAMES * (HEIGHT * WIDTH - 1)


def test_flow_is_right_then_down_and_ends_with_the_clip(sample):
    flow = sample[Flow]
    np.testing.assert_allclose(flow.pixels[:, 4:9, 5:13, 0], 11, atol=2e-3)
    np.testing.assert_allclose(flow.pixels[:, 4:9, 5:13, 1], 3, atol=2e-3)
    np.testing.assert_allclose(flow.pixels[:, 10:], 0, atol=2e-3)
    assert flow.valid[:-1].all()
    assert not flow.valid[-1].any()


def test_instances(sample):
    ids = np.zeros((HEIGHT, WIDTH), dtype=np.int32)
    ids[4:9, 5:13] = 2
    np.testing.assert_array_equal(sample[Instances].ids, np.stack([ids] * FRAMES))


def test_quaternion_is_w_first():
    np.testing.assert_allclose(camera_to_world(QUATERNION[None])[0], AXES, atol=1e-12)
    quarter = np.array([[np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)]])  # a quarter turn about z
    np.testing.assert_allclose(camera_to_world(3 * quarter)[0] @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_records_over_several_files(write_tree, tmp_path):
    records = []
    for number in range(5):
        record, _ = scene()
        ids = np.full((HEIGHT, WIDTH), number + 1, dtype=np.uint8)
        records.append(record | {"segmentations": [picture(ids)] * FRAMES})
    folder = write_tree(records)
    source = Kubric(tmp_path, kinds=(Instances,))
    assert len(source) == 5
    assert [source[index][Instances].names for index in range(5)] == [(n,) for n in range(1, 6)]
    (folder / "movi_e-train.tfrecord-00001-of-00003").unlink()
    partial = Kubric(tmp_path, kinds=(Instances,))
    assert len(partial) == 3
    assert partial[2][Instances].names == (5,)
    assert partial.skipped == {"record of a missing file": 2}


def without(key):
    return lambda record: record.pop(key)


def replaced(key, value):
    return lambda record: record.update({key: value})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (without("camera/quaternions"), "record has no camera/quaternions"),
        (replaced("metadata/depth_range", np.array([1.0, 1e10])), "depth range is too wide"),
        (replaced("metadata/depth_range", np.array([1.0, np.nan])), "other numbers than expected"),
        (replaced("metadata/depth_range", np.array([0.0, 0.0])), "depth is nowhere valid"),
        (replaced("camera/quaternions", np.ones(4)), "other numbers than expected"),
        (replaced("forward_flow", np.zeros(7, dtype=np.int64)), "differ in size"),
        (replaced("depth", [picture(np.ones((16, 23), dtype=np.uint16))] * 3), "differ in size"),
        (replaced("normal", [picture(np.ones((16, 24, 3), dtype=np.uint16))]), "differ in size"),
        (replaced("depth", [b"no picture"] * 3), "picture cannot be decoded"),
        (replaced("video", [b"no picture"] * 3), "photo cannot be decoded"),
        (replaced("video", []), "frames of the video differ in size"),
        (
            replaced("segmentations", [picture(np.zeros((16, 24), dtype=np.uint8))] * 3),
            "no instance has pixels",
        ),
    ],
)
def test_damaged_records_are_refused(write_tree, tmp_path, damage, reason):
    record, _ = scene()
    damage(record)
    write_tree([record])
    with pytest.raises(UnusableSampleError, match=reason):
        Kubric(tmp_path)[0]


def test_corrupt_file_is_refused(write_tree, tmp_path):
    folder = write_tree([scene()[0]])
    path = next(folder.glob("*.tfrecord-*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UnusableSampleError, match="record is corrupt"):
        Kubric(tmp_path)[0]


def test_missing_parts_are_named(write_tree, tmp_path):
    with pytest.raises(LayoutError, match=r"movi_e/256x256/1.0.0 does not exist"):
        Kubric(tmp_path)
    folder = write_tree([scene()[0]])
    with pytest.raises(LayoutError, match="no split 'test'; it has train"):
        Kubric(tmp_path, split="test")
    with pytest.raises(ValueError, match="'movi_z' is not a variant of MOVi; there are movi_a"):
        Kubric(tmp_path, variant="movi_z")
    next(folder.glob("*.tfrecord-*")).unlink()
    with pytest.raises(LayoutError, match=r"no file movi_e-train.tfrecord-"):
        Kubric(tmp_path)
