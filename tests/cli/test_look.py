"""``lavin tasks``, ``lavin look`` and ``lavin prepare`` as their users meet them."""

import json
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from graph_files import write_answer
from lavin_dit.cli.main import main
from lavin_dit.data.shard_source import ShardSource
from lavin_dit.pipeline.clips import Clip, load_clip, save_clip
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.task import discover_tasks
from pictures import picture


def run(*words: object) -> int:
    return main([str(word) for word in words])


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that tells what went wrong."""
    lines = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(lines) == 1, lines
    return lines[0]


def is_on(sheet: np.ndarray, small: np.ndarray) -> bool:
    """Whether a picture is somewhere on a sheet, pixel by pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet, small.shape)[:, :, 0]
    starts = np.argwhere((windows[:, :, 0, 0] == small[0, 0]).all(axis=-1)).tolist()
    return any((windows[y, x] == small).all() for y, x in starts)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Three photos with masks of class 3, and one of a class of another fold."""
    base = tmp_path / "voc" / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClassAug", "ImageSets/Segmentation"):
        (base / folder).mkdir(parents=True)
    names = ["one", "two", "three", "other"]
    for seed, name in enumerate(names):
        height, width = 97 + seed, 131 - 5 * seed
        photo = Image.fromarray(picture(height, width, seed=seed))
        photo.save(base / "JPEGImages" / f"{name}.jpg", format="PNG")  # without loss
        labels = np.zeros((height, width), dtype=np.uint8)
        labels[20:80, 30:90] = 20 if name == "other" else 3
        Image.fromarray(labels).save(base / "SegmentationClassAug" / f"{name}.png")
    (base / "ImageSets/Segmentation/val.txt").write_text("\n".join(names))
    return tmp_path / "voc"


@pytest.fixture
def ucf(tmp_path: Path) -> Path:
    """Two videos, one of them too short."""
    for name, num_frames in (("a", 6), ("b", 2)):
        frames = np.stack([picture(48, 64, seed=seed) for seed in range(num_frames)])
        save_clip(Clip(frames=frames), tmp_path / "ucf" / "UCF-101" / "Act" / f"{name}.mp4")
    (tmp_path / "ucf" / "ucfTrainTestlist").mkdir()
    lines = "Act/a.mp4 1\nAct/b.mp4 1\n"
    (tmp_path / "ucf" / "ucfTrainTestlist" / "trainlist01.txt").write_text(lines)
    return tmp_path / "ucf"


def test_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tasks") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == set(discover_tasks())
    assert sum("(held out)" in line for line in lines) == 2
    assert run("tasks", "depth_estimation") == 0
    table = capsys.readouterr().out.splitlines()
    assert table[1].split(maxsplit=3) == [
        "depth_estimation", "images", "Depth", "from a photo to its depth, near bright",
    ]  # fmt: skip
    assert run("tasks", "depth") == 2
    assert "there is no task 'depth'; there are colorization" in error_line(capsys)


def test_every_task_is_drawn_on_a_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "tasks.png"
    assert run("tasks", "-o", path, "--side-px", 96, "--degrade") == 0
    assert f"{path}: {len(discover_tasks())} rows" in capsys.readouterr().out
    assert load_clip(path).frames.std() > 30


def test_tasks_are_drawn_on_a_source(
    voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tasks.png"
    names = ("foreground_segmentation", "colorization", "video_depth", "object_detection")
    words = ["tasks", *names, "-o", path]  # the boxes' files are not there
    assert run(*words, "--source", "pascal5i", voc, "--split", "val") == 0
    out = capsys.readouterr().out
    assert "video_depth is not drawn: Pascal-5i has no Depth; it has Mask, Boxes" in out
    assert "object_detection is not drawn: Pascal VOC 2012: " in out
    assert "2 rows" in out
    assert run("tasks", "--source", "pascal5i", voc) == 2
    assert "say with -o where to" in error_line(capsys)
    assert run(*words, "--source", "pascal5i", tmp_path) == 2
    assert "Pascal VOC 2012" in error_line(capsys)


def test_a_source_and_its_annotations(
    voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "look.png"
    assert run("look", "pascal5i", voc, "-o", path) == 0
    out = capsys.readouterr().out
    assert "pascal5i (val): 3 samples" in out
    assert "3 rows" in out
    sheet = load_clip(path).frames[0]
    assert all(is_on(sheet, picture(97 + seed, 131 - 5 * seed, seed=seed)) for seed in range(3))
    assert not is_on(sheet, picture(100, 116, seed=3))
    assert run("look", "pascal5i", voc, "-o", path, "--set", "fold=3") == 0
    assert is_on(load_clip(path).frames[0], picture(100, 116, seed=3))
    assert run("look", "pascal5i", voc, "-o", path, "--indices", 1) == 0
    assert is_on(load_clip(path).frames[0], picture(98, 126, seed=1))


def test_a_task_on_a_source(voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "look.png"
    words = ["look", "pascal5i", voc, "-o", path, "--num", 2, "--task", "foreground_segmentation"]
    assert run(*words, "--indices", 2) == 0
    sheet = load_clip(path).frames[0]
    mask = np.zeros((99, 121, 3), dtype=np.uint8)
    mask[20:80, 30:90] = 255
    assert is_on(sheet, picture(99, 121, seed=2))
    assert is_on(sheet, mask)
    assert run(*words, "--side-px", 60) == 0
    assert "2 rows" in capsys.readouterr().out
    assert run("look", "pascal5i", voc, "-o", path, "--task", "depth_estimation") == 2
    assert "Pascal-5i has no Depth" in error_line(capsys)


def test_clips_as_pictures_and_as_a_film(
    ucf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["look", "ucf101", ucf, "--num-frames", 5]
    assert run(*words, "-o", tmp_path / "a.png") == 0
    out = capsys.readouterr().out
    assert "1 x video has fewer than 5 frames" in out
    assert "1 row," in out
    assert run(*words, "-o", tmp_path / "a.mp4", "--task", "frame_prediction") == 0
    assert load_clip(tmp_path / "a.mp4").num_frames == 5
    assert run("look", "ucf101", ucf, "-o", tmp_path / "a.png") == 2
    assert "no sample of ucf101 can be shown" in error_line(capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "there is no source 'nowhere'; there are ade20k"),
        (["coco"], "coco needs its folder after its name"),
        (["photos"], "lavin prepare photos -o FOLDER"),
        (["world", "."], "world has no folder, but . was given"),
        (["shards", "no_such"], "this is no folder of shards"),
        (["shards", ".", "--split", "val"], "shards has no splits to choose from"),
        (["world", "--task", "nothing"], "there is no task 'nothing'"),
        (["world", "--task", "colorization", "--num-frames", "5"], "is a task of single images"),
        (["world", "--task", "optical_flow", "--num-frames", "4"], "5, 9, 13, ... frames, got 4"),
        (["world", "--set", "speed=3"], "world has no setting 'speed'; it has num_frames, size"),
        (["world", "--set", "speed"], "written key=value, got 'speed'"),
        (["world", "--set", "size=9"], "a size is written 192x256"),
        (["world", "--num", "0"], "num must be at least 1, got 0"),
        (["world", "--side-px", "3"], "at least 16 pixels a side, got 3"),
        (["world", "--indices", "-1"], "there is no sample -1 in world"),
        (["world", "--seed", "-1"], "seed must not be negative, got -1"),
        (["world", "-o", "sheet.gif"], "ends in .png or .jpg, or in .mp4"),
        (["world", "--labels", "pose=gone.json"], "gone.json does not exist; docs/data.md says"),
        (["world", "--labels", "colour"], "labels are edges, boxes=FILE"),
    ],
)
def test_what_cannot_be_looked_at_is_answered_in_one_line(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("look", *words) == 2
    assert message in error_line(capsys)
    assert not list(tmp_path.glob("*"))


def test_shards_hold_what_the_source_holds(
    voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = tmp_path / "shards"
    words = ["prepare", "pascal5i", voc, "-o", shards, "--samples-per-shard", 2, "--format", "png"]
    assert run(*words, "--part", "2/2") == 0
    out = capsys.readouterr().out
    assert "1 samples in 1 shards of part 2/2, 0 of them from before" in out
    assert "1 of 2 shards are missing" in out
    assert run("look", "shards", shards, "-o", tmp_path / "look.png") == 2
    assert "not all of its parts are prepared" in error_line(capsys)
    assert run(*words, "--check", "--workers", 1) == 0
    assert "3 samples in 2 shards, 1 of them from before" in capsys.readouterr().out
    assert run("look", "shards", shards, "-o", tmp_path / "look.png") == 0
    sheet = load_clip(tmp_path / "look.png").frames[0]
    assert all(is_on(sheet, picture(97 + seed, 131 - 5 * seed, seed=seed)) for seed in range(3))
    with (shards / "shard-000001.tar").open("r+b") as file:
        file.seek(600)
        file.write(b"spoiled")
    assert run(*words, "--check") == 1
    assert "damaged: shard-000001.tar differs from its checksum" in capsys.readouterr().out
    assert run(*words[:4], tmp_path / "shards", "--samples-per-shard", 3) == 2
    assert json.loads((shards / "shards.json").read_text())


@pytest.fixture
def detectors(tmp_path: Path) -> Path:
    """Networks with the outputs of MoveNet and NanoDet: one finds one person, the other one car."""
    folder = tmp_path / "detectors"
    folder.mkdir()
    people = np.zeros((1, 6, 56))
    joints = np.stack([np.linspace(0.2, 0.9, 17), np.linspace(0.3, 0.7, 17), np.ones(17)], axis=1)
    people[0, 0] = [*joints.reshape(-1), 0.2, 0.3, 0.9, 0.7, 0.8]
    write_answer(folder / "pose.json", people=people)
    scores, edges = np.zeros((1, 169, 80)), np.zeros((1, 169, 44))
    scores[0, 6 * 13 + 6, 2] = 0.9  # the cell in the middle
    edges[0, :, 3::11] = 99  # three cells to each side
    write_answer(folder / "boxes.json", takes="DT_FLOAT", scores=scores, edges=edges)
    return folder


def test_pseudo_labels_are_looked_at_and_written(
    voc: Path, detectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pose = ("--labels", f"pose={detectors / 'pose.json'}")
    sheet = ("-o", tmp_path / "look.png", "--task", "pose_estimation")
    assert run("look", "pascal5i", voc, *pose, *sheet) == 0
    assert "pascal5i + MoveNet MultiPose (pose.json) (val): 3 samples" in capsys.readouterr().out
    shards = tmp_path / "shards"
    words = ("prepare", "pascal5i", voc, *pose, "-o", shards, "--kinds", "keypoints")
    assert run(*words) == 0
    assert run("look", "shards", shards, *sheet) == 0
    assert run("look", "shards", shards, *pose, *sheet[:2]) == 2
    assert "has Keypoints already" in error_line(capsys)
    assert run("tasks", "pose_estimation", "--source", "pascal5i", voc, *pose, *sheet[:2]) == 0


def test_boxes_of_pseudo_labels_have_their_classes_named(
    ucf: Path, detectors: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = ("--labels", f"boxes={detectors / 'boxes.json'}")
    sheet = ("-o", tmp_path / "look.png")
    shards = tmp_path / "shards"
    assert run("look", "ucf101", ucf, *boxes, *sheet, "--num-frames", 5) == 0
    assert run("prepare", "ucf101", ucf, *boxes, "-o", shards, "--num-frames", 1) == 0
    assert run("prepare", "ucf101", ucf, *boxes, "-o", shards, "--num-frames", 5) == 2
    assert "['num_frames=1']" in error_line(capsys)
    source = ShardSource(shards)
    assert source.class_names[3] == "car"
    found = source[0][Boxes]
    assert found.classes.tolist() == [3]
    width = 6 * 64 / 13  # three cells to each side, of 13 that span the frame's longer side
    np.testing.assert_allclose(
        found.corners_px[0, 0], [32 - width / 2, 24 - width / 2, 32 + width / 2, 24 + width / 2],
        atol=0.01,
    )  # fmt: skip
    assert run("look", "shards", shards, *sheet, "--task", "object_detection") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photos", "--workers", "2"], "fetching photos takes no settings of shards"),
        (["pascal5i", "voc", "--packages", "a"], "are for fetching, not shards"),
        (["pascal5i", "voc", "--kinds", "colour"], "there is no kind colour; there are"),
        (["pascal5i", "voc", "--kinds", "depth"], "Pascal-5i has no Depth; it has Mask, Boxes"),
        (["pascal5i", "voc", "--part", "3/2"], "there is no part 3 of 2"),
        (["pascal5i", "voc", "--part", "half"], "a part is written 2/8, got 'half'"),
        (["pascal5i", "voc", "--workers", "-1"], "workers must be at least 0, got -1"),
        (["pascal5i", "voc", "--samples-per-shard", "0"], "samples_per_shard must be at least 1"),
        (["clips", "--min-side", "9"], "clips have no such setting"),
        (["cutouts", "--max-side", "9"], "cutouts are kept at their size"),
        (["detectors", "--min-side", "9"], "are for pictures, not for detectors"),
        (["perceptual", "--packages", "a"], "are for pictures, not for the perceptual network"),
        (["photos", "--labels", "edges"], "fetching photos takes no settings of shards"),
    ],
)
def test_bad_settings_of_prepare(
    words: list[str],
    message: str,
    voc: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("prepare", *words, "-o", "out") == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_what_an_extra_would_bring_is_named(
    voc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lavin_dit.datasets.nyuv2.find_spec", lambda name: None)
    assert run("look", "nyuv2", tmp_path, "-o", tmp_path / "a.png") == 2
    assert "pip install 'lavin-dit[data]'" in error_line(capsys)


RECIPE = """
from lavin_dit.data.augment import CentralFraming
from lavin_dit.data.mixture import BatchSettings, Mixture, MixtureEntry
from lavin_dit.datasets.pascal5i import Pascal5i
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import find_task

number = 3


def mixture():
    source = Pascal5i("voc", kinds=())
    tasks = [find_task("colorization"), find_task("edge_detection")]
    settings = BatchSettings(
        batch_size=2, framing=CentralFraming(size=Size(height=96, width=112)), max_pairs=2
    )
    entries = [MixtureEntry(task=task, source=source) for task in tasks]
    return Mixture(entries, settings=settings, seed=0)
"""


@pytest.mark.usefixtures("voc")
def test_a_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.py").write_text(RECIPE)
    assert run("look", "recipe.py:mixture", "--num", 3, "-o", "mixture.png") == 0
    out = capsys.readouterr().out
    assert "1 x edge_detection on pascal5i (val)" in out
    assert "mixture.png: 3 rows" in out
    assert run("look", "recipe.py:number") == 2
    assert "number of recipe.py must be a Mixture, or a function" in error_line(capsys)
    assert run("look", "gone.py:mixture") == 2
    assert "gone.py: no such program" in error_line(capsys)
    assert run("look", "recipe.py:mixture", "--task", "colorization") == 2
    assert "only the number of batches can be chosen" in error_line(capsys)


@pytest.mark.usefixtures("voc")
def test_a_mixture_of_which_no_episode_can_be_drawn_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.py").write_text(RECIPE)
    for photo in tmp_path.rglob("*.jpg"):
        photo.write_bytes(b"torn")
    assert run("look", "recipe.py:mixture") == 2
    assert "no episode could be drawn from 3 samples" in error_line(capsys)


def test_shards_are_read_from_a_store(
    voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("prepare", "pascal5i", voc, "-o", tmp_path / "shards") == 0
    store = fsspec.filesystem("memory")
    for path in (tmp_path / "shards").iterdir():
        store.pipe_file(f"/look/shards/{path.name}", path.read_bytes())
    try:
        shards, sheet = "memory://look/shards", ("-o", tmp_path / "look.png")
        assert run("look", "shards", shards, *sheet) == 0
        assert run("tasks", "colorization", "--source", "shards", shards, *sheet) == 0
        assert run("prepare", "shards", shards, "-o", tmp_path / "copy") == 0
        assert len(ShardSource(tmp_path / "copy")) == 3
    finally:
        store.rm("/look", recursive=True)
    assert run("prepare", "pascal5i", voc, "-o", "s3://bucket/shards") == 2
    assert "s3:/bucket/shards: results are written to this machine" in error_line(capsys)


def test_the_synthetic_world_as_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for needed in ("numba", "mujoco"):
        pytest.importorskip(needed)
    shards, sheets = tmp_path / "shards", [tmp_path / "world.png", tmp_path / "shards.png"]
    settings = ["--split", "test", "--set", "length=2", "size=96x100"]
    assert run("look", "world", *settings, "-o", sheets[0]) == 0
    assert run("prepare", "world", *settings, "-o", shards, "--format", "png") == 0
    assert run("look", "shards", shards, "-o", sheets[1]) == 0
    assert "world (test): 2 samples" in capsys.readouterr().out
    first, second = (load_clip(sheet).frames[0] for sheet in sheets)
    np.testing.assert_array_equal(first[:, :220], second[:, :220])  # RGB and depth
