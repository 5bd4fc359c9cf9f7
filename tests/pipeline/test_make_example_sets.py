"""The program that makes the examples, on small random scenes."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lavin_dit.pipeline.example_sets import load_examples, save_examples
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import find_task
from scene_source import SceneSource

PROGRAM = Path(__file__).parents[2] / "examples" / "make_example_sets.py"


@pytest.fixture(scope="module")
def program():
    return SimpleNamespace(**runpy.run_path(str(PROGRAM)))


def made(program, *, seed=0, **scenes):
    """Examples of depth estimation on scenes, some of which can't be used."""
    source = SceneSource(split="test", **scenes)
    pool = program.Pool(source=source, terms=lambda index: ("CC0-1.0", f"author {index}"))
    return program.make_examples(
        find_task("depth_estimation"),
        context=pool,
        queries=pool,
        size=Size(height=16, width=16),
        seed=(seed, 1),
    )


def test_a_seed_decides_and_no_sample_is_used_twice(program, tmp_path):
    examples = made(program, unusable=frozenset({3, 5}), empty=frozenset({7}))
    everything = (*examples.context, *examples.queries)
    assert [len(examples.context), len(examples.queries)] == [8, 2]
    names = [example.provenance.sample for example in everything]
    assert len(set(names)) == 10
    assert not {"scene 3", "scene 5", "scene 7"} & set(names)
    same = made(program, unusable=frozenset({3, 5}), empty=frozenset({7}))
    assert [example.provenance for example in same.context] == [
        example.provenance for example in examples.context
    ]
    other = made(program, seed=1)
    assert [e.provenance.sample for e in other.context] != names[:8]
    save_examples(examples, tmp_path)
    again = load_examples("depth_estimation", tmp_path)
    np.testing.assert_array_equal(again.queries[1].target, examples.queries[1].target)


def test_too_few_samples_are_told(program):
    with pytest.raises(ValueError, match="depth_estimation: only 1 of 2 examples"):
        made(program, length=9)


def test_authors_are_named(program):
    page = program.licence_page([made(program)])
    assert page.count("| CC0-1.0 | author ") == 10
    assert "depth_estimation/query_2 |" in page


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("CC0-1.0", True),
        ("CC-BY-3.0", True),
        ("CC-BY-SA-4.0", True),
        ("Public-Domain", True),
        ("CC-BY-NC-4.0", False),
        ("CC-BY-ND-4.0", False),
        ("CC-BY-SA-3.0 and GPL-3", False),
        ("GPL-2+", False),
        ("BSD and not stated", False),
    ],
)
def test_only_free_licences_are_let_in(program, licence, free):
    assert program.is_free(SimpleNamespace(licence=licence)) is free
