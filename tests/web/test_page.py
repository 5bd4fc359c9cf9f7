"""The page: what it does, and served by ``lavin web`` and asked as programs ask it.

It is served by a process of its own, as Gradio leaves files to be closed by the collector.
"""

import gc
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from lavin_dit.pipeline.clips import Clip, load_clip, save_clip
from lavin_dit.web.answers import Answers
from lavin_dit.web.page import build_page
from pictures import picture
from random_networks import random_pipeline
from served_page import served_page, web


@pytest.fixture(scope="module")
def pipeline():
    return random_pipeline("causal")


@pytest.fixture(scope="module")
def answers(pipeline, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return Answers(pipeline, tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def page(answers) -> gr.Blocks:
    with warnings.catch_warnings():
        # Gradio leaves event loops to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        page = build_page(answers)
        gc.collect()
    return page


@pytest.fixture(scope="module")
def model(pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pipeline.save_pretrained(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def address(model) -> Iterator[str]:
    with served_page("--model", model) as address:
        yield address


@pytest.fixture(scope="module")
def client(address) -> Iterator[Client]:
    client = Client(address, verbose=False)
    yield client
    client.close()


@pytest.fixture
def photo(tmp_path) -> Path:
    return save_clip(Clip(frames=picture(30, 41, seed=1)[None]), tmp_path / "photo.png")


def test_programs_get_the_files(client, photo):
    words, files = client.predict(
        task="depth_estimation",
        picture=handle_file(photo),
        clip=None,
        num_steps=2,
        api_name="/predict",
    )
    assert words.startswith("depth_estimation, from 3 packaged pairs, in ")
    names = [Path(file).name for file in files]
    assert {"photo.png", "photo.drawn.png", "photo.depth.npy"} <= set(names)
    assert load_clip(files[names.index("photo.png")]).size == (30, 41)
    assert np.load(files[names.index("photo.depth.npy")]).shape[-2:] == (30, 41)


def test_programs_show_pairs(client, photo):
    pair = {"image": handle_file(photo), "caption": None}
    words, files = client.predict(
        task="",
        picture=handle_file(photo),
        clip=None,
        inputs=[pair, pair],
        targets=[pair, pair],
        api_name="/predict",
    )
    assert words.startswith("what the pairs show, from 2 pairs of your own")
    assert [Path(file).name for file in files] == ["photo.png"]


def test_programs_are_told_what_is_wrong(client, photo):
    with pytest.raises(AppError, match="there is no query"):
        client.predict(task="inpainting", picture=None, clip=None, api_name="/predict")
    with pytest.raises(AppError, match="nothing says what to do"):
        client.predict(task="", picture=handle_file(photo), clip=None, api_name="/predict")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"clip": "c.mp4"}, "a picture and a clip"), ({"seed": None}, "there is no seed")],
)
def test_what_the_form_lacks_is_told(page, answers, photo, change, message):
    filled = {
        "task": "inpainting", "picture": str(photo), "clip": None, "inputs": [], "targets": None,
        "num_context_pairs": 2, "num_steps": 1, "guidance_scale": 1.0, "num_samples": 1,
        "fit": "the task's own", "seed": 0,
    }  # fmt: skip
    predict = function(page, "predict")
    painted, words, files = predict(**filled)
    assert words.startswith("inpainting, from 2 packaged pairs")
    assert painted == [files[-1], None]
    with pytest.raises(gr.Error, match=message):
        predict(**filled | change)


def test_a_taken_port_is_told(address, model):
    port = address.rstrip("/").rpartition(":")[2]
    command = web("--model", model, "--port", port)
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert port in second.stderr.splitlines()[-1]
    assert second.stdout == ""


def test_files_go_when_the_server_ends(model, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with served_page("--model", model):
        assert list(tmp_path.glob("lavin-web-*"))
    assert not list(tmp_path.glob("lavin-web-*"))


def test_predicting_is_the_only_endpoint(client):
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/predict"]


def function(page: gr.Blocks, name: str):
    """What the page calls by this name."""
    return next(one.fn for one in page.fns.values() if one.name == name)


def test_a_choice_of_task_brings_its_examples_and_a_query(page, answers):
    choose = function(page, "choose")
    pictures, another, _, picture_path, clip, truth, number = choose(
        "depth_estimation", None, None, None
    )
    assert len(pictures["value"]) == 2 * len(answers.examples("depth_estimation").context)
    assert another["visible"]
    assert Path(picture_path).is_file()
    assert (clip, number) == (None, 1)
    assert Path(truth).is_file()
    *_, picture_path, clip, truth, _ = choose("video_depth", picture_path, None, truth)
    assert picture_path is None, "the packaged query of the task before goes"
    assert Path(clip).suffix == ".mp4"


def test_a_picture_of_ones_own_stays_when_another_task_is_chosen(page, photo):
    choose = function(page, "choose")
    assert choose("edge_detection", str(photo), None, None)[2:] == [gr.skip()] * 5


def test_without_a_task_there_is_nothing_packaged(page):
    pictures, another, *query = function(page, "choose")("", "a.png", None, "t.png")
    assert (pictures["visible"], another["visible"]) == (False, False)
    assert query[1:] == [None, None, None, 0]


@pytest.mark.parametrize("ending", [".png", ".mp4"])
def test_pictures_and_clips_are_seen_where_they_can_be(page, ending):
    places = function(page, "show")([f"a{ending}", None], f"t{ending}")
    first, second = places[:3], places[3:]
    here, empty = (first, second) if ending == ".png" else (second, first)
    assert [place["value"] for place in here] == [f"a{ending}", None, f"t{ending}"]
    assert [place["visible"] for place in here] == [True, False, True]
    assert not any(place["visible"] for place in empty)
