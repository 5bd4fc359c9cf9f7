"""Every format read back by a reader that is not ours."""

import dataclasses
import json
import stat
import struct

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.results import files
from lavin_dit.vision.results.boxes import BoxesResult
from lavin_dit.vision.results.depth import DepthResult
from lavin_dit.vision.results.edges import EdgesResult
from lavin_dit.vision.results.files import NotWritableError, run_lengths, write_png16
from lavin_dit.vision.results.flow import FlowResult
from lavin_dit.vision.results.instances import InstancesResult
from lavin_dit.vision.results.keypoints import KeypointsResult
from lavin_dit.vision.results.masks import MaskResult
from lavin_dit.vision.results.normals import NormalsResult
from lavin_dit.vision.results.panoptic import PanopticResult
from lavin_dit.vision.results.pictures import PictureResult

FRAMES = {"image": 1, "clip": 3}


@pytest.fixture(params=FRAMES)
def scene(request):
    shape = ClipShape(num_frames=FRAMES[request.param], height=53, width=71)
    return random_scene(shape, generator=np.random.default_rng(2), num_things=5)


def frame_files(folder, scene, ending):
    """The files of all frames, in order, by the names that the documentation gives."""
    if scene.shape.num_frames == 1:
        return [folder / f"x.{ending}"]
    return [folder / f"x_{frame:04d}.{ending}" for frame in range(scene.shape.num_frames)]


def clip_axis(array, scene):
    """An image's array with its axis of frames again."""
    return array[None] if scene.shape.num_frames == 1 else array


def png(path):
    """As it is stored, in the order red, green, blue."""
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    return stored[..., ::-1] if stored.ndim == 3 else stored


def unpacked(lengths):
    """A mask from COCO's uncompressed run lengths, by their definition."""
    height, width = lengths["size"]
    flat = np.repeat(np.arange(len(lengths["counts"])) % 2, lengths["counts"])
    return flat.reshape(width, height).T.astype(bool)


def test_depth(scene, tmp_path):
    depth = scene[Depth]
    paths = DepthResult(annotation=depth, metric=True).save(tmp_path, stem="x")
    assert set(paths) == set(tmp_path.iterdir())
    stored = clip_axis(np.load(tmp_path / "x.npy"), scene)
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(stored), ~depth.valid)
    np.testing.assert_array_equal(stored[depth.valid], depth.metres[depth.valid])
    about = json.loads((tmp_path / "x.json").read_text())
    assert about == {"unit": "metre", "png_scale": 1000}
    for frame, path in enumerate(frame_files(tmp_path, scene, "png")):
        steps = png(path)
        assert steps.dtype == np.uint16
        np.testing.assert_array_equal(steps == 0, ~depth.valid[frame])
        error = np.abs(steps / 1000 - depth.metres[frame])[depth.valid[frame]]
        assert error.max() <= 0.000501


@pytest.mark.parametrize(
    ("farthest", "scale"), [(65.5, 1000), (70, 256), (300, 100), (6000, 10), (60000, 1), (1e6, 1)]
)
def test_far_depth_takes_a_coarser_png(farthest, scale, tmp_path):
    metres = np.array([[[0.0001, 1, farthest]]], dtype=np.float32)
    result = DepthResult(
        annotation=Depth(metres=metres, valid=np.ones((1, 1, 3), bool)),
        metric=False,
        curve="log",
    )
    assert result.png_scale == scale
    result.save(tmp_path, stem="x")
    assert json.loads((tmp_path / "x.json").read_text()) == {
        "unit": "relative",
        "curve": "log",
        "png_scale": scale,
    }
    expected = [1, scale, min(round(float(metres[0, 0, 2]) * scale), 65535)]
    np.testing.assert_array_equal(png(tmp_path / "x.png"), [expected])


def test_normals(scene, tmp_path):
    normals = scene[Normals]
    NormalsResult(annotation=normals).save(tmp_path, stem="x")
    stored = clip_axis(np.load(tmp_path / "x.npy"), scene)
    np.testing.assert_array_equal(stored[normals.valid], normals.vectors[normals.valid])
    assert np.isnan(stored[~normals.valid]).all()
    for frame, path in enumerate(frame_files(tmp_path, scene, "png")):
        steps = png(path)
        assert steps.dtype == np.uint16
        valid = normals.valid[frame]
        assert not steps[~valid].any()
        vectors = steps.astype(np.float64) / 65535 * 2 - 1
        np.testing.assert_allclose(vectors[valid], normals.vectors[frame][valid], atol=2e-5)


def test_flo(scene, tmp_path):
    flow = scene[Flow]
    FlowResult(annotation=flow, in_pixels=True).save(tmp_path, stem="x")
    for frame, path in enumerate(frame_files(tmp_path, scene, "flo")):
        data = path.read_bytes()
        assert data[:4] == b"PIEH"  # how 202021.25 looks as little-endian float32
        assert struct.unpack("<ii", data[4:12]) == (71, 53)
        assert len(data) == 12 + 8 * 53 * 71
        stored = cv2.readOpticalFlow(str(path))
        valid = flow.valid[frame]
        np.testing.assert_array_equal(stored[valid], flow.pixels[frame][valid])
        assert (stored[~valid] > 1e9).all()
    stored = clip_axis(np.load(tmp_path / "x.npy"), scene)
    np.testing.assert_array_equal(stored[flow.valid], flow.pixels[flow.valid])


def test_kittis_flow(scene, tmp_path):
    """KITTI: u = (R - 2^15) / 64, v = (G - 2^15) / 64, B is 1 where valid."""
    flow = scene[Flow]
    FlowResult(annotation=flow, in_pixels=True).save(tmp_path, stem="x")
    for frame, path in enumerate(frame_files(tmp_path, scene, "png")):
        stored = png(path).astype(np.float64)
        np.testing.assert_array_equal(stored[..., 2], flow.valid[frame])
        pixels = (stored[..., :2] - 2**15) / 64
        valid = flow.valid[frame]
        np.testing.assert_allclose(pixels[valid], flow.pixels[frame][valid], atol=1 / 128)


def test_flow_beyond_kittis_range_and_without_a_scale(tmp_path):
    pixels = np.array([[[[600, 0], [-511.5, 511.5], [0, 0.25]]]], dtype=np.float32)
    flow = Flow(pixels=pixels, valid=np.ones((1, 1, 3), bool))
    FlowResult(annotation=flow, in_pixels=True).save(tmp_path / "px", stem="x")
    expected = [[[0, 0, 0], [32, 65504, 1], [32768, 32784, 1]]]
    np.testing.assert_array_equal(png(tmp_path / "px" / "x.png"), expected)
    FlowResult(annotation=flow, in_pixels=False).save(tmp_path / "rel", stem="x")
    assert {path.name for path in (tmp_path / "rel").iterdir()} == {"x.npy", "x.flo", "x.json"}
    assert json.loads((tmp_path / "rel" / "x.json").read_text()) == {"unit": "relative"}


def test_a_last_frame_without_motion_has_no_flo(tmp_path):
    valid = np.ones((2, 4, 5), bool)
    valid[1] = False
    flow = Flow(pixels=np.ones((2, 4, 5, 2), np.float32), valid=valid)
    FlowResult(annotation=flow, in_pixels=True).save(tmp_path, stem="x")
    assert {path.name for path in tmp_path.iterdir()} == {
        "x.npy",
        "x.json",
        "x_0000.flo",
        "x_0000.png",
    }


def test_masks_and_edges(scene, tmp_path):
    MaskResult(annotation=scene[Mask]).save(tmp_path / "mask", stem="x")
    for frame, path in enumerate(frame_files(tmp_path / "mask", scene, "png")):
        np.testing.assert_array_equal(png(path), 255 * scene[Mask].foreground[frame])
    EdgesResult(annotation=scene[Edges]).save(tmp_path / "edges", stem="x")
    for frame, path in enumerate(frame_files(tmp_path / "edges", scene, "png")):
        np.testing.assert_array_equal(png(path), 255 * scene[Edges].strength[frame])


def test_instances(scene, tmp_path):
    instances = scene[Instances]
    InstancesResult(annotation=instances).save(tmp_path, stem="x")
    for frame, path in enumerate(frame_files(tmp_path, scene, "png")):
        assert png(path).dtype == np.uint16
        np.testing.assert_array_equal(png(path), instances.ids[frame])
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["categories"] == [{"id": 1, "name": "object"}]
    assert [entry["id"] for entry in content["annotations"]] == list(instances.names)
    for entry in content["annotations"]:
        masks = instances.ids == entry["id"]
        if scene.shape.num_frames == 1:
            assert content["images"] == [{"id": 1, "file_name": "x.png", "height": 53, "width": 71}]
            segmentations, boxes, areas = (
                [entry[name]] for name in ("segmentation", "bbox", "area")
            )
        else:
            assert content["videos"][0]["length"] == 3
            assert content["videos"][0]["file_names"][2] == "x_0002.png"
            segmentations, boxes, areas = (
                entry[name] for name in ("segmentations", "bboxes", "areas")
            )
        for mask, lengths, box, area in zip(masks, segmentations, boxes, areas, strict=True):
            if not mask.any():
                assert lengths is box is area is None
                continue
            np.testing.assert_array_equal(unpacked(lengths), mask)
            assert area == mask.sum()
            assert tuple(box) == cv2.boundingRect(mask.astype(np.uint8))


def test_an_independent_decoder_reads_the_run_lengths():
    faster_coco_eval = pytest.importorskip("faster_coco_eval")
    mask = np.random.default_rng(0).random((13, 17)) < 0.4
    for own in (mask, ~mask, np.ones((3, 4), bool), np.zeros((3, 4), bool)):
        coco_mask = faster_coco_eval.mask
        compressed = coco_mask.frPyObjects(run_lengths(own), *own.shape)
        np.testing.assert_array_equal(coco_mask.decode(compressed).astype(bool), own)


def test_panoptic(scene, tmp_path):
    panoptic = scene[Panoptic]
    ids = panoptic.ids.copy()
    classes = np.concatenate([panoptic.classes, np.full(70000, 3, np.int32)])
    ids[:, -4:, -4:] = 66051 + 3  # needs all three bytes
    ids[:, :3, :3] = 0
    panoptic = Panoptic(ids=ids, classes=classes.astype(np.int32))
    names = {0: "wall", 3: "thing"}
    PanopticResult(annotation=panoptic, class_names=names).save(tmp_path, stem="x")
    content = json.loads((tmp_path / "x.json").read_text())
    by_id = {entry["id"]: entry["name"] for entry in content["categories"]}
    assert by_id[0] == "wall"
    assert by_id[3] == "thing"
    assert all(name == str(number) for number, name in by_id.items() if number not in names)
    assert [image["id"] for image in content["images"]] == [
        annotation["image_id"] for annotation in content["annotations"]
    ]
    for frame, annotation in enumerate(content["annotations"]):
        stored = png(tmp_path / annotation["file_name"]).astype(np.int64)
        numbers = stored[..., 0] + 256 * stored[..., 1] + 256**2 * stored[..., 2]
        np.testing.assert_array_equal(numbers, ids[frame])
        segments = annotation["segments_info"]
        assert {own["id"] for own in segments} == set(np.unique(ids[frame])) - {0}
        for own in segments:
            inside = numbers == own["id"]
            assert own["area"] == inside.sum()
            assert tuple(own["bbox"]) == cv2.boundingRect(inside.astype(np.uint8))
            assert own["category_id"] == classes[own["id"] - 1]
            assert own["iscrowd"] == 0


def test_boxes(scene, tmp_path):
    boxes = scene[Boxes]
    (path,) = BoxesResult(annotation=boxes, class_names={2: "two"}).save(tmp_path, stem="x")
    content = json.loads(path.read_text())
    assert len(content["images"]) == scene.shape.num_frames
    annotations = content["annotations"]
    assert [entry["id"] for entry in annotations] == list(range(1, boxes.present.sum() + 1))
    assert len(annotations) == boxes.present.sum()
    for entry in annotations:
        frame, number = entry["image_id"] - 1, entry["track_id"] - 1
        left, top, width, height = entry["bbox"]
        np.testing.assert_allclose(
            [left, top, left + width, top + height], boxes.corners_px[frame, number]
        )
        assert entry["area"] == pytest.approx(width * height)
        assert entry["category_id"] == boxes.classes[number]
        assert entry["iscrowd"] == 0
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    assert names == {n: "two" if n == 2 else str(n) for n in np.unique(boxes.classes).tolist()}


def test_boxes_without_a_class_are_objects(tmp_path):
    boxes = Boxes(
        corners_px=np.array([[[1, 2, 5, 9.5]]], np.float32),
        present=np.ones((1, 1), bool),
        classes=np.array([-1], np.int32),
        size=ClipShape(num_frames=1, height=20, width=30).size,
    )
    (path,) = BoxesResult(annotation=boxes).save(tmp_path, stem="x")
    content = json.loads(path.read_text())
    assert content["categories"] == [{"id": -1, "name": "object"}]
    assert content["annotations"][0]["bbox"] == [1, 2, 4, 7.5]


def test_keypoints(scene, tmp_path):
    poses = scene[Keypoints]
    (path,) = KeypointsResult(annotation=poses).save(tmp_path, stem="x")
    content = json.loads(path.read_text())
    (category,) = content["categories"]
    assert category["name"] == "person"
    assert category["keypoints"][:2] == ["nose", "left_eye"]
    assert len(category["keypoints"]) == 17
    assert category["skeleton"][0] == [16, 14]  # as COCO writes it, counted from 1
    for entry in content["annotations"]:
        frame, person = entry["image_id"] - 1, entry["track_id"] - 1
        joints = np.array(entry["keypoints"]).reshape(17, 3)
        visibility = poses.visibility[frame, person]
        np.testing.assert_array_equal(joints[:, 2], visibility)
        labelled = visibility > 0
        positions = poses.positions_px[frame, person] - 0.5
        np.testing.assert_allclose(joints[labelled, :2], positions[labelled], rtol=1e-5)
        assert not joints[~labelled].any()
        assert entry["num_keypoints"] == labelled.sum()
        assert entry["category_id"] == 1
        assert entry["area"] > 0


def test_people_without_joints_are_left_out(tmp_path):
    visibility = np.zeros((1, 2, 17), np.uint8)
    visibility[0, 1, 3] = 2
    poses = Keypoints(
        positions_px=np.full((1, 2, 17, 2), 4, np.float32),
        visibility=visibility,
        size=ClipShape(num_frames=1, height=20, width=30).size,
    )
    (path,) = KeypointsResult(annotation=poses).save(tmp_path, stem="x")
    (entry,) = json.loads(path.read_text())["annotations"]
    assert entry["track_id"] == 2
    assert entry["num_keypoints"] == 1


@pytest.mark.parametrize("size", [(64, 96), (53, 71)])
def test_clips(size, tmp_path):
    shape = ClipShape(num_frames=5, height=size[0], width=size[1])
    rgb = random_scene(shape, generator=np.random.default_rng(0), num_things=6).rgb
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in rgb.pixels])
    rgb = dataclasses.replace(rgb, pixels=smooth)
    paths = PictureResult(annotation=rgb).save(tmp_path, stem="x")
    assert [path.name for path in paths] == ["x.mp4", *(f"x_{i:04d}.png" for i in range(5))]
    for frame in range(5):
        np.testing.assert_array_equal(
            np.asarray(Image.open(tmp_path / f"x_{frame:04d}.png")), rgb.pixels[frame]
        )
    with av.open(tmp_path / "x.mp4") as container:
        assert container.streams.video[0].average_rate == 12
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.shape(decoded) == (5, *size, 3)
    assert np.abs(np.array(decoded).astype(int) - rgb.pixels).mean() < 4


def test_images(tmp_path):
    shape = ClipShape(num_frames=1, height=31, width=47)
    rgb = random_scene(shape, generator=np.random.default_rng(0), num_things=3).rgb
    assert PictureResult(annotation=rgb).save(tmp_path, stem="x") == (tmp_path / "x.png",)
    np.testing.assert_array_equal(png(tmp_path / "x.png"), rgb.pixels[0])


@pytest.mark.parametrize("shape", [(7, 11), (7, 11, 1), (7, 11, 3), (1, 1, 3)])
def test_16_bit_png(shape, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    write_png16(tmp_path / "x.png", pixels)
    np.testing.assert_array_equal(png(tmp_path / "x.png").reshape(shape), pixels)
    with pytest.raises(ValueError, match="1 or 3 channels, got 4"):
        write_png16(tmp_path / "y.png", np.zeros((2, 2, 4), np.uint16))


def test_files_are_complete_or_not_there(tmp_path, monkeypatch):
    depth = Depth(metres=np.ones((1, 4, 5), np.float32), valid=np.ones((1, 4, 5), bool))
    result = DepthResult(annotation=depth, metric=True)
    result.save(tmp_path, stem="x")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(file, array, **settings):
        file.write(b"half of")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.np, "save", full)
    with pytest.raises(NotWritableError, match=r"cannot write .*x\.npy: No space left on device"):
        result.save(tmp_path, stem="x")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    mask = MaskResult(annotation=Mask(foreground=np.ones((1, 4, 5), bool)))
    with pytest.raises(NotWritableError, match=r"cannot write .*taken/x\.png: "):
        mask.save(tmp_path / "taken", stem="x")
    with pytest.raises(NotWritableError, match=r"cannot write .*deep/x\.png: "):
        mask.save(tmp_path / "taken" / "deep", stem="x")


def test_folders_are_made_and_files_readable_for_all(tmp_path):
    mask = MaskResult(annotation=Mask(foreground=np.ones((1, 4, 5), bool)))
    (path,) = mask.save(tmp_path / "a" / "b", stem="x")
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    mask.save(tmp_path / "a" / "b", stem="x")  # again, over the first


def test_an_instance_beyond_16_bits_is_refused(tmp_path):
    ids = np.full((1, 4, 5), 70000, np.int32)
    with pytest.raises(ValueError, match="instance 70000 does not fit"):
        InstancesResult(annotation=Instances(ids=ids)).save(tmp_path, stem="x")
