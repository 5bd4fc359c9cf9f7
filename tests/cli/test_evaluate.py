"""``lavin evaluate`` as its users meet it, on small scenes and with a tiny random model."""

import json

import pytest

from lavin_dit.cli.main import main
from lavin_dit.evaluation import protocol
from lavin_dit.evaluation.library import Library
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from protocol_scenes import on_scenes
from random_networks import random_pipeline
from scene_source import SceneSource

FEW = ("--num-queries", 2, "--num-context-pairs", 2)


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A saved random pipeline; protocols by name are on scenes."""
    find = protocol.find_protocol
    monkeypatch.setattr(protocol, "find_protocol", lambda name: on_scenes(find(name)))
    random_pipeline("causal").save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_predict_score_and_score_again(model, tmp_path, capsys):
    words = ("evaluate", "world-depth_estimation", "-o", tmp_path / "out", *FEW)
    assert run(*words, "--model", model) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    found = report["protocols"]["world-depth_estimation"]
    assert found["setup"]["height"] == 32  # the model's own size
    assert found["setup"]["width"] == 48
    assert list(found["scores"]) == [
        "model", "input", "copy-context", "mean-context", "autoencoder", "painted truth",
    ]  # fmt: skip
    assert report["about"]["num_steps"] == 2
    again = ("--score-only", "--side-px", 48)
    assert run(*words, *again) == 2  # another size than that of the predictions
    assert "height was 32 and is 48" in capsys.readouterr().err
    assert run(*words, "--score-only") == 0
    scored = json.loads((tmp_path / "out/report.json").read_text())
    assert scored["about"] == report["about"] | {"model": "predictions on disk"}
    rescored = scored["protocols"]["world-depth_estimation"]["scores"]["model"]
    assert rescored == found["scores"]["model"]


def test_predictions_of_several_models_are_not_scored_as_one(model, tmp_path, capsys):
    names, words = ("world-depth_estimation", "photos-deraining"), ("-o", tmp_path / "out", *FEW)
    for steps, name in enumerate(names, start=1):
        assert run("evaluate", name, *words, "--model", model, "--num-steps", steps) == 0
    assert run("evaluate", *names, *words, "--score-only") == 2
    assert "by different models or ways of sampling" in capsys.readouterr().err


def test_baselines_alone_need_no_model(model, tmp_path):
    words = ("evaluate", "photos-deraining", "--report", tmp_path / "out", *FEW, "--side-px", 48)
    assert run(*words) == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert "model" not in report["protocols"]["photos-deraining"]["scores"]


def test_several_models_in_one_table(model, tmp_path):
    out, words = tmp_path / "out", ("evaluate", "world-depth_estimation", "--model", model, *FEW)
    beside = ("--beside", f"single-task={model}", f"again={model}", "--num-steps", 1)
    assert run(*words, "-o", out, *beside) == 0
    report = json.loads((out / "report.json").read_text())
    found = report["protocols"]["world-depth_estimation"]
    assert list(found["scores"])[:3] == ["model", "single-task", "again"]
    assert found["against"]["single-task"]["verdict"] == "equal"
    assert report["about"]["again"].startswith(f"{model}, fingerprint ")
    assert run(*words[:2], "-o", out, *FEW, "--beside", "again=", "--score-only") == 2
    again = ("--beside", "again=anything", "--score-only")
    assert run(*words[:2], words[1], "-o", out, *FEW, *again) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["about"]["again"].startswith("predictions on disk, fingerprint ")


def test_context_lengths(model, tmp_path):
    out = tmp_path / "out"
    words = ("evaluate", "world-depth_estimation", "-o", out, "--model", model, "--num-queries", 2)
    assert run(*words, "--context-lengths", 1, 2) == 0
    rows = json.loads((out / "context.json").read_text())["rows"]
    assert [row["setting"] for row in rows] == ["1 pair", "2 pairs"]
    assert (out / "pairs-1/world-depth_estimation/predictions/model/00001.png").exists()
    again = (*words[:4], *words[6:], "--context-lengths", 1, 2, "--score-only")
    assert run(*again) == 0
    scored = json.loads((out / "context.json").read_text())["rows"]
    assert [row["value"] for row in scored] == [row["value"] for row in rows]


def test_confusion(model, tmp_path, monkeypatch):
    kinds = (Depth, Normals, Instances, Panoptic, Boxes)
    scenes = SceneSource(length=90, height=90, kinds=kinds)
    monkeypatch.setattr(Library, "remembered_world", lambda self, num_frames: scenes)
    out = tmp_path / "out"
    assert run("evaluate", "--confusion", "--model", model, "-o", out, "--num-queries", 1) == 0
    found = json.loads((out / "confusion.json").read_text())
    assert sum(map(sum, found["counts"])) == len(found["tasks"])
    assert (out / "confusion.png").exists()


@pytest.mark.parametrize("folder", ["", "photos"])
def test_all_offline_passes_over_what_has_no_data(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "data" / folder).mkdir(parents=True)
    names = ("world-depth_estimation", "photos-deraining", "imagenet-deraining")
    real = {name: protocol.find_protocol(name) for name in names}
    chosen = real | {names[0]: on_scenes(real[names[0]])}
    monkeypatch.setattr(protocol, "discover_protocols", lambda: chosen)
    data = ("--data", tmp_path / "data")
    assert run("evaluate", "--all-offline", *data, "-o", tmp_path, *FEW) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert list(report["protocols"]) == [names[0]]
    assert report["not_run"] == {names[1]: report["not_run"][names[1]]}
    assert "lavin prepare photos" in report["not_run"][names[1]]


def test_data_that_cannot_be_used_are_told_or_passed_over(tmp_path, monkeypatch, capsys):
    name, good = "world-depth_estimation", "world-video_depth"
    torn = on_scenes(protocol.find_protocol(name), unusable=frozenset(range(40)))
    chosen = {name: torn, good: on_scenes(protocol.find_protocol(good))}
    monkeypatch.setattr(protocol, "discover_protocols", lambda: chosen)
    assert run("evaluate", name, "-o", tmp_path, *FEW) == 2
    assert f"error: {name} has no query" in capsys.readouterr().err
    assert run("evaluate", "--all-offline", "-o", tmp_path, *FEW, "--num-frames", 5) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert list(report["protocols"]) == [good]
    assert "photo is torn" in report["not_run"][name]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("world-depth",), "there is no protocol 'world-depth'"),
        ((), "name protocols"),
        (("world-depth_estimation", "--all-offline"), "name protocols"),
        (("imagenet-deraining",), "error: imagenet-deraining needs "),
        (("imagenet-deraining",), "--data"),
        (("world-depth_estimation", "--batch-size", 0), "batch_size must be at least 1, got 0"),
        (("world-depth_estimation", "--num-frames", 0), "num_frames must be at least 1, got 0"),
        (("world-depth_estimation", "--num-queries", 0), "at least 1, got 0"),
        (("world-depth_estimation", "--num-context-pairs", 9), "1 to 8 context pairs, got 9"),
        (("world-depth_estimation", "--side-px", 50), "multiple of 16"),
        (("world-depth_estimation", "--data", "none"), "--data none: there is no such folder"),
        (("world-depth_estimation", "--num-steps", 5), "--num-steps: there is no model"),
        (("world-depth_estimation", "--score-only", "--solver", "heun"), "--solver: there is no"),
        (("world-depth_estimation", "--score-only", "--model", "m"), "leave --model out"),
        (
            ("world-depth_estimation", "--context-lengths", 1, "--num-context-pairs", 2),
            "no --num-context-pairs",
        ),
        (("--confusion", "--model", "m", "--context-lengths", 1), "no --context-lengths"),
        (("--confusion",), "needs a --model"),
        (("world-depth_estimation", "--beside", "a=b"), "--beside needs a --model"),
        (("--confusion", "--model", "m", "--beside", "a=b"), "with a study of one model"),
        (("world-depth_estimation", "--model", "m", "--beside", "grey=b"), "a row of its own"),
        (("world-depth_estimation", "--model", "m", "--beside", "b"), "NAME=FOLDER, got 'b'"),
        (("world-depth_estimation", "--model", "m", "--beside", "a_b=c"), "digits and hyphens"),
        (("world-depth_estimation", "--model", "m", "--beside", "a=b", "a=c"), "two models"),
    ],
)
def test_mistakes_are_told_in_one_line(words, told, tmp_path, capsys):
    assert run("evaluate", *words, "-o", tmp_path) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(lines) == 1
    assert told in lines[0]


def test_a_name_that_is_none_leaves_no_folder(tmp_path):
    assert run("evaluate", "world-depth", "-o", tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()


def test_list(capsys):
    assert run("evaluate", "--list") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in protocol.discover_protocols())
