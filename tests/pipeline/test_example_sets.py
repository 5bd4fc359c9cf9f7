"""What ships with the package is whole: every set reads, means what it says, and may be shipped."""

import dataclasses
import json

import numpy as np
import pytest

from lavin_dit.pipeline.example_sets import (
    EXAMPLES,
    Example,
    ExampleSet,
    Provenance,
    example_names,
    examples_for,
    load_examples,
    save_examples,
)
from lavin_dit.pipeline.fitting import Canvas
from lavin_dit.vision.codecs.depth import DepthKey
from lavin_dit.vision.task import discover_tasks, find_task
from pictures import picture

MOST_BYTES = 6_000_000
FREE = ("CC0-", "CC-BY-1", "CC-BY-2", "CC-BY-3", "CC-BY-4", "CC-BY-SA-", "Public-Domain")
SIZES = sorted(EXAMPLES.glob("*[0-9]"))
every_set = pytest.mark.parametrize(
    ("folder", "name"),
    [(folder, name) for folder in SIZES for name in discover_tasks()],
    ids=[f"{folder.name}-{name}" for folder in SIZES for name in discover_tasks()],
)


@every_set
def test_a_set_holds_pairs_and_queries_that_read_back(folder, name):
    examples = load_examples(name, folder)
    task, side = examples.task, int(folder.name)
    assert len(examples.context) == (8 if task.num_frames == 1 else 4)
    assert len(examples.queries) == (2 if task.num_frames == 1 else 1)
    for example in (*examples.context, *examples.queries):
        assert example.input.shape == (task.num_input_frames, side, side, 3)
        assert example.target.shape == (task.num_frames, side, side, 3)
        assert example.input.std() > 1
        assert example.target.std() > 1
    for example in examples.queries:
        result = task.read(example.target, rule=examples.rule, key=example.key)
        assert result.annotation.shape.size.height == side
        # The key says what the picture cannot; painting by it gives the picture again.
        if isinstance(example.key, DepthKey):
            again, _ = task.codec.paint(result.annotation, key=example.key)
            assert np.abs(again.astype(int) - example.target).max() <= 1


@every_set
def test_samples_are_held_out_and_may_be_shipped(folder, name):
    examples = load_examples(name, folder)
    everything = (*examples.context, *examples.queries)
    assert len({example.provenance.sample for example in everything}) == len(everything)
    page = (EXAMPLES / "LICENCES.md").read_text(encoding="utf-8")
    for example in everything:
        own = example.provenance
        assert own.split in ("validation", "test")
        assert own.attribution
        if own.source == "world":
            assert own.licence == "Apache-2.0"
        else:
            assert own.licence.startswith(FREE)
            assert f"| {own.licence} | {own.attribution.replace('|', '/')} |" in page


def test_all_of_it_is_small_and_known():
    files = [path for path in EXAMPLES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    assert {path.suffix for path in files} == {".json", ".webp", ".md"}
    for folder in SIZES:
        assert example_names(folder) == tuple(discover_tasks())


@pytest.fixture
def examples():
    """A set of a task with a rule, with a key that is not None."""
    task = find_task("video_depth")

    def example(name, seed):
        target = np.stack([picture(16, 16, seed=seed + frame) for frame in range(13)])
        return Example(
            name=name,
            input=target[::-1],
            target=target,
            key=DepthKey(near_m=1.5, far_m=7.25, curve="log"),
            provenance=Provenance(
                source="world", split="test", sample=name, licence="CC0-1.0", attribution="me"
            ),
        )

    return ExampleSet(
        task=task,
        rule=None,
        class_names={3: "ball"},
        context=(example("pair_1", 0), example("pair_2", 20)),
        queries=(example("query_1", 40),),
    )


def test_a_set_survives_saving(examples, tmp_path):
    size = save_examples(examples, tmp_path)
    assert size == sum(path.stat().st_size for path in (tmp_path / "video_depth").iterdir())
    again = load_examples("video_depth", tmp_path)
    assert dataclasses.replace(again, context=(), queries=()) == dataclasses.replace(
        examples, context=(), queries=()
    )
    for one, other in zip(
        (*again.context, *again.queries), (*examples.context, *examples.queries), strict=True
    ):
        assert (one.name, one.key, one.provenance) == (other.name, other.key, other.provenance)
        np.testing.assert_array_equal(one.target, other.target)  # painted: without loss
        assert np.abs(one.input.astype(int) - other.input).mean() < 30  # a photo: nearly


def test_the_nearest_size_is_taken(tmp_path):
    for side in ("32", "64", "256"):
        (tmp_path / side).mkdir()
    (tmp_path / "LICENCES.md").touch()
    for canvas, side in (((64, 64), "64"), ((48, 80), "64"), ((16, 16), "32"), ((512, 512), "256")):
        found = examples_for(Canvas(height=canvas[0], width=canvas[1]), tmp_path)
        assert found.name == side


def test_what_is_not_there(examples, tmp_path):
    with pytest.raises(FileNotFoundError, match="examples are not part of this installation"):
        examples_for(Canvas(height=64, width=64), tmp_path)
    save_examples(examples, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no examples of colorization .*video_depth"):
        load_examples("colorization", tmp_path)
    with pytest.raises(ValueError, match="there is no task 'nonsense'"):
        load_examples("nonsense", tmp_path)
    index = tmp_path / "video_depth" / "index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"format_version": 9}))
    with pytest.raises(ValueError, match="format 9, this version reads 1"):
        load_examples("video_depth", tmp_path)
