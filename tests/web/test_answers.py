"""What the page does with a form, by tiny random networks."""

from pathlib import Path

import numpy as np
import pytest

from lavin_dit.pipeline.clips import Clip, load_clip, save_clip
from lavin_dit.web import answers as module
from lavin_dit.web.answers import Answers, Question
from pictures import picture
from random_networks import random_pipeline


@pytest.fixture(scope="module")
def pipeline():
    return random_pipeline("causal")


@pytest.fixture
def answers(pipeline, tmp_path) -> Answers:
    (tmp_path / "answers").mkdir()
    return Answers(pipeline, tmp_path / "answers")


def saved(folder: Path, name: str, *, height: int = 30, width: int = 41, seed: int = 1) -> Path:
    frames = picture(height, width, seed=seed)[None]
    return save_clip(Clip(frames=frames, name=name), folder / f"{name}.png")


@pytest.fixture
def photo(tmp_path) -> Path:
    return saved(tmp_path, "photo")


@pytest.fixture
def pairs(tmp_path) -> dict[str, tuple[Path, ...]]:
    inputs = tuple(saved(tmp_path, f"in{number}", seed=number) for number in range(3))
    targets = tuple(saved(tmp_path, f"out{number}", seed=9 + number) for number in range(3))
    return {"inputs": inputs, "targets": targets}


def test_a_task_by_name_is_painted_drawn_and_read(answers, photo):
    answer = answers.answer(Question(query=photo, task="depth_estimation", num_context_pairs=2))
    assert load_clip(answer.files.painting).size == load_clip(photo).size
    assert answer.files.drawing is not None
    assert load_clip(answer.files.drawing).size == load_clip(photo).size
    depth = next(file for file in answer.files.all() if file.suffix == ".npy")
    assert np.load(depth).shape[-2:] == load_clip(photo).size
    assert answer.files.all()[-1] == answer.files.painting
    assert answer.words.startswith("depth_estimation, from 2 packaged pairs, in ")


def test_a_photo_has_no_meaning_to_draw(answers, photo):
    answer = answers.answer(Question(query=photo, task="inpainting"))
    assert answer.files.drawing is None
    assert answer.files.all() == (answer.files.painting,)


def test_the_answer_is_the_pipelines(answers, pipeline, photo, pairs):
    context = list(zip(pairs["inputs"], pairs["targets"], strict=True))
    answer = answers.answer(
        Question(
            query=photo, task=None, num_context_pairs=1, num_steps=3, guidance_scale=1.5, seed=7,
            num_samples=2, fit="stretch", **pairs,
        )
    )  # fmt: skip
    wanted = pipeline(
        photo, context=context, num_steps=3, guidance_scale=1.5, seed=7, num_samples=2,
        fit="stretch", progress=False,
    )  # fmt: skip
    assert np.array_equal(load_clip(answer.files.painting).frames, wanted.clip.frames)
    assert answer.files.drawing is None, "nothing says what it means"
    assert answer.words.startswith("what the pairs show, from 3 pairs of your own, in ")


def test_pairs_of_ones_own_take_the_place_of_the_tasks(answers, photo, pairs):
    packaged = answers.answer(Question(query=photo, task="edge_detection"))
    own = answers.answer(Question(query=photo, task="edge_detection", **pairs))
    assert own.files.drawing is not None
    assert not np.array_equal(
        load_clip(own.files.painting).frames, load_clip(packaged.files.painting).frames
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": None}, "there is no query"),
        ({"task": None}, "nothing says what to do"),
        ({"task": "depth"}, "depth"),
        ({"task": "video_depth"}, "takes clips of several frames"),
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"seed": -1}, "-1"),
    ],
)
def test_what_is_wrong_is_told(answers, photo, change, message):
    asked = {"query": photo, "task": "depth_estimation", **change}
    with pytest.raises(ValueError, match=message):
        answers.answer(Question(**asked))


def test_an_input_without_its_target_is_told(answers, photo, pairs):
    short = {"inputs": pairs["inputs"], "targets": pairs["targets"][:2]}
    with pytest.raises(ValueError, match="3 inputs and 2 targets"):
        answers.answer(Question(query=photo, task=None, **short))


def test_what_is_no_picture_or_too_large_is_told(pipeline, answers, photo, tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    with pytest.raises(ValueError, match=r"notes\.png"):
        answers.answer(Question(query=text, task="inpainting"))
    small = Answers(pipeline, tmp_path, max_pixels=1000)
    with pytest.raises(ValueError, match=r"photo\.png"):
        small.answer(Question(query=photo, task="inpainting"))


@pytest.mark.parametrize("task", ["depth_estimation", "video_depth"])
def test_packaged_queries_come_one_after_another(answers, task):
    examples = answers.examples(task)
    count = len(examples.queries)
    for number in range(count + 1):
        taken, example = answers.packaged_query(task, number), examples.queries[number % count]
        assert load_clip(taken.query).frames.shape == example.input.shape
        if example.input.shape[0] == 1:  # a film is compressed
            assert np.array_equal(load_clip(taken.query).frames, example.input)
            assert np.array_equal(load_clip(taken.truth).frames, example.target)


def test_old_answers_go(answers, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_KEPT_ANSWERS", 3)
    taken = [answers.packaged_query("inpainting", number) for number in range(5)]
    assert [one.query.exists() for one in taken] == [False, False, True, True, True]
    assert len(list((tmp_path / "answers").iterdir())) == 3
