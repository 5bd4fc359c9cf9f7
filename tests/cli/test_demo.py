"""``lavin demo``, and ``lavin predict`` with a task's name, with tiny random networks."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavin_dit.cli.main import main
from lavin_dit.cli.outputs import RESULT_PARTS
from lavin_dit.cli.result_log import LOG_FILE
from lavin_dit.pipeline.clips import Clip, load_clip, save_clip
from lavin_dit.vision.task import discover_tasks
from lavin_dit.weights import locate
from pictures import picture
from random_networks import random_pipeline


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_pipeline("causal").save_pretrained(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "my.jpg"
    Image.fromarray(picture(30, 41, seed=1)).save(path)
    return path


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_the_demo_draws_a_sheet_and_a_film_and_tells_scores(model, tmp_path, capsys):
    out = tmp_path / "demo.png"
    tasks = ["edge_detection", "frame_prediction", "foreground_segmentation"]
    assert run("demo", "--model", model, "-o", out, "--task", *tasks) == 0
    told = capsys.readouterr().out
    table = told.splitlines()
    assert table[1].startswith("edge_detection  ")
    assert table[2].startswith("foreground_segmentation (never trained)")
    assert table[3].startswith("frame_prediction ")
    assert all(len(line.split()) > 5 for line in table[1:4])
    assert "3 tasks, 2 sampling steps" in told
    sheet = load_clip(out)
    assert sheet.size[1] > 1000
    assert load_clip(tmp_path / "demo.mp4").num_frames == 13


@pytest.mark.parametrize("query", [[], ["--query", "my.jpg", "--task", "inpainting"]])
def test_no_steps_at_all_are_refused_before_the_model_is_loaded(query, tmp_path, capsys):
    words = ["--model", tmp_path / "nowhere", "-o", tmp_path / "demo.png", "--num-steps", 0]
    assert run("demo", *words, *query) == 2
    assert "num_steps must be at least 1, got 0" in capsys.readouterr().err


def test_a_query_of_ones_own(model, photo, tmp_path, capsys):
    out = tmp_path / "own.png"
    words = ["--model", model, "-o", out, "--query", photo]
    assert run("demo", *words, "--task", "pose_estimation") == 0
    assert load_clip(out).size[1] > 500
    assert run("demo", *words) == 2
    assert "needs one --task" in capsys.readouterr().err
    assert run("demo", *words, "--task", "video_depth") == 2
    assert "my.jpg: video_depth takes clips" in capsys.readouterr().err


def test_predict_a_task_by_name_saves_numbers_beside_the_picture(model, photo, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["predict", photo, "--task", "depth_estimation", "--model", model, "-o", out]
    assert run(*words) == 0
    names = {"my.png", "my.drawn.png", "my.depth.npy", "my.depth.png", "my.depth.json"}
    assert {path.name for path in out.glob("[!.]*")} == names
    assert np.load(out / "my.depth.npy").shape == (30, 41)
    assert json.loads((out / "my.depth.json").read_text())["unit"] == "relative"
    assert load_clip(out / "my.drawn.png").size == load_clip(out / "my.png").size == (30, 41)
    capsys.readouterr()
    assert run(*words) == 0
    assert "1 of 1 are already in" in capsys.readouterr().err


def test_results_of_another_question_are_not_taken_for_this_ones(
    model, photo, pairs_folder, tmp_path, capsys
):
    out = tmp_path / "out"
    words = ["predict", photo, "--model", model, "-o", out]
    assert run(*words, "--task", "inpainting") == 0
    first = (out / "my.png").read_bytes()
    capsys.readouterr()
    for other, told in (
        (["--task", "deraining"], "my: task inpainting, now deraining"),
        (["--task", "inpainting", "--num-steps", 3], "my: num_steps None, now 3"),
        (["--task", "inpainting", "--context", pairs_folder], "my: context None, now "),
    ):
        assert run(*words, *other) == 2
        assert f"results that were asked for otherwise ({told}" in capsys.readouterr().err
        assert (out / "my.png").read_bytes() == first
    Image.fromarray(picture(25, 25, seed=3)).save(tmp_path / "new.png")
    new = ["predict", tmp_path / "new.png", "--model", model, "-o", out]
    assert run(*new, "--task", "deraining") == 0  # another name, and so nothing in its way
    assert run(*words, "--task", "deraining", "--overwrite") == 0
    capsys.readouterr()
    assert run(*words, "--task", "deraining") == 0
    assert "1 of 1 are already in" in capsys.readouterr().err


def test_what_changes_an_answer_is_another_question(model, photo, tmp_path, capsys):
    """Another photo of the same name, and other weights in the same folder; not where they lie."""
    own = tmp_path / "model"
    shutil.copytree(model, own)
    words = ["--task", "inpainting", "--model", own, "-o", tmp_path / "out"]
    assert run("predict", photo, *words) == 0
    moved = tmp_path / "elsewhere" / photo.name
    moved.parent.mkdir()
    shutil.copy(photo, moved)
    assert run("predict", moved, *words) == 0
    assert "1 of 1 are already in" in capsys.readouterr().err
    earlier = (tmp_path / "out" / "my.png").read_bytes()
    Image.fromarray(picture(30, 41, seed=2)).save(moved)
    assert run("predict", moved, *words) == 2  # another photo of the same name
    assert f"my.jpg would go, but answers {photo}" in capsys.readouterr().err
    assert (tmp_path / "out" / "my.png").read_bytes() == earlier
    shutil.copy(moved, photo)
    assert run("predict", photo, *words) == 0  # it changed, and is answered again
    assert "already in" not in capsys.readouterr().err
    assert (tmp_path / "out" / "my.png").read_bytes() != earlier
    (own / "predictions").mkdir()
    (own / "predictions" / "my.boxes.json").write_text("{}")
    assert run("predict", moved, *words) == 0
    weights = next((own / "jdit").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert run("predict", moved, *words) == 2
    assert "my: model " in capsys.readouterr().err


def test_a_folder_of_frames_is_a_query_like_any_other(model, tmp_path, capsys):
    frames = tmp_path / "all" / "walk.png"
    frames.mkdir(parents=True)
    for number in range(3):
        Image.fromarray(picture(30, 41, seed=number)).save(frames / f"{number}.png")
    words = ["predict", tmp_path / "all", "-t", "inpainting", "--model", model, "-o"]
    for _ in range(2):
        assert run(*words, tmp_path / "out") == 0
    assert "1 of 1 are already in" in capsys.readouterr().err


def test_overwriting_leaves_no_numbers_of_the_former_question(model, photo, tmp_path):
    out = tmp_path / "out"
    words = ["predict", photo, "--model", model, "-o", out]
    assert run(*words, "--task", "depth_estimation") == 0
    (out / "my.notes.txt").write_text("mine")
    assert run(*words, "--task", "inpainting", "--overwrite") == 0
    assert {path.name for path in out.glob("[!.]*")} == {"my.png", "my.notes.txt"}


def test_a_pair_more_is_another_question(model, photo, pairs_folder, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["predict", photo, "--context", pairs_folder, "--model", model, "-o", out]
    assert run(*words) == 0
    for half in ("input", "target"):
        Image.fromarray(picture(25, 25, seed=4)).save(pairs_folder / f"more_{half}.png")
    capsys.readouterr()
    assert run(*words) == 2
    assert "context " in capsys.readouterr().err


def test_files_that_were_not_written_here_are_no_results(model, photo, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "my.png").write_bytes(b"my own mask")
    words = ["predict", photo, "--task", "inpainting", "--model", model, "-o", out]
    assert run(*words) == 2
    assert "was not written by lavin predict: choose another" in capsys.readouterr().err
    assert (out / "my.png").read_bytes() == b"my own mask"
    (out / LOG_FILE).write_text('{"begun": "my"}\n')  # by a run that was killed at it
    assert run(*words) == 0
    assert load_clip(out / "my.png").size == (30, 41)


def test_every_kind_of_result_has_its_name_kept_for_it():
    kinds = {kind.__name__.lower() for task in discover_tasks().values() for kind in task.needs}
    assert kinds - {"rgb"} <= set(RESULT_PARTS)


def test_names_of_queries_that_are_names_of_results(model, photo, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("my.jpg", "my.depth.jpg"):
        shutil.copy(photo, folder / name)
    words = ["predict", folder, "--model", model, "-o", tmp_path / "out"]
    assert run(*words, "--task", "depth_estimation") == 2
    assert "which is for the depth of" in capsys.readouterr().err


def test_a_name_that_is_too_long_costs_that_query_alone(model, photo, tmp_path, capsys):
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    long, longer = "\u732b" * 72, "x" * 250
    for name in (long, longer, "y"):
        shutil.copy(photo, folder / f"{name}.jpg")
    words = ["predict", folder, "--task", "depth_estimation", "--model", model, "-o", out]
    assert run(*words) == 1
    assert "a name too long for those of its results" in capsys.readouterr().err
    assert (out / f"{long}.depth.json").is_file()
    assert (out / "y.png").is_file()


def test_a_torn_line_of_the_log_costs_nothing(model, photo, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["predict", photo, "--task", "inpainting", "--model", model, "-o", out]
    assert run(*words) == 0
    whole = (out / LOG_FILE).read_text()
    (out / LOG_FILE).write_text(whole + "[1]\n" + whole[: len(whole) // 2])
    capsys.readouterr()
    assert run(*words) == 0
    assert "1 of 1 are already in" in capsys.readouterr().err
    assert run(*words, "--seed", 1) == 2
    assert "seed 0, now 1" in capsys.readouterr().err
    assert run(*words, "--seed", 1, "--overwrite") == 0
    assert run(*words) == 2
    assert "seed 1, now 0" in capsys.readouterr().err


def test_predict_with_context_and_task(model, photo, pairs_folder, tmp_path):
    out = tmp_path / "out"
    words = ["--context", pairs_folder, "--model", model, "-o", out]
    assert run("predict", photo, "--task", "object_detection", *words) == 0
    names = {"my.png", "my.drawn.png", "my.boxes.json"}
    assert {path.name for path in out.glob("[!.]*")} == names
    (image,) = json.loads((out / "my.boxes.json").read_text())["images"]
    assert image == {"id": 1, "file_name": "my.jpg", "height": 30, "width": 41}


def test_predict_photos_and_clips_of_one_folder(model, photo, tmp_path, capsys):
    folder, out = tmp_path / "both", tmp_path / "out"
    folder.mkdir()
    photo.rename(folder / photo.name)
    frames = np.stack([picture(32, 48, seed=seed) for seed in range(3)])
    save_clip(Clip(frames=frames, frames_per_second=8.0), folder / "walk.mp4")
    status = run("predict", folder, "--task", "video_depth", "--model", model, "-o", out)
    assert status == 1  # the photo is no clip
    assert "skipped: my.jpg: video_depth takes clips" in capsys.readouterr().err
    assert load_clip(out / "walk.mp4").num_frames == 3
    assert np.load(out / "walk.depth.npy").shape == (3, 32, 48)
    out = tmp_path / "filled"
    assert run("predict", folder, "--task", "inpainting", "--model", model, "-o", out) == 0
    assert (out / "my.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a task with --task"),
        (["--task", "nonsense"], "there is no task 'nonsense'; there are colorization, "),
    ],
)
def test_what_predict_must_be_told(words, message, model, photo, tmp_path, capsys):
    assert run("predict", photo, *words, "--model", model, "-o", tmp_path / "out") == 2
    assert message in capsys.readouterr().err


def test_the_nano_is_the_default_and_missing_it_is_told(photo, tmp_path, capsys, monkeypatch):
    nano = tmp_path / "nano"
    monkeypatch.setattr(locate, "_NANO_FOLDER", nano)
    words = ["predict", photo, "--task", "edge_detection", "-o", tmp_path / "out"]
    assert run(*words) == 2
    assert "nano's weights are not part of this installation" in capsys.readouterr().err
    random_pipeline("causal").save_pretrained(nano)
    assert run(*words) == 0
    assert (tmp_path / "out" / "my.edges.png").exists()


def test_each_task_has_a_folder_of_its_own(model, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for task in ("edge_detection", "depth_estimation"):
        assert run("predict", photo, "--model", model, "--task", task, "--num-steps", 1) == 0
        assert (tmp_path / "predictions" / task / "my.png").is_file()
    assert run("predict", photo, "--model", model, "--task", "colorization", "-o", "here") == 0
    assert (tmp_path / "here" / "my.png").is_file()
