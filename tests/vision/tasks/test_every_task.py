"""What every task promises; a new task is held to it without an edit here."""

import dataclasses
import pickle

import numpy as np
import pytest

from lavin_dit.vision.codecs.codec import key_from_json, key_to_json
from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.results.result import Result
from lavin_dit.vision.sample import Sample


def test_a_pair_is_two_clips_of_one_size(task, scene_for, show):
    scene = scene_for(task)
    _, pair = show(task, scene)
    size = scene.shape.height, scene.shape.width, 3
    assert pair.input.shape == (task.num_input_frames, *size)
    assert pair.target.shape == (task.num_frames, *size)
    assert pair.input.dtype == pair.target.dtype == np.uint8
    assert not np.array_equal(pair.input, pair.target)


def test_the_same_seed_gives_the_same_pair(task, scene_for, show):
    scene = scene_for(task)
    rule, pair = show(task, scene, seed=5)
    same_rule, same = show(task, scene, seed=5)
    assert same_rule == rule
    assert same.key == pair.key
    np.testing.assert_array_equal(same.input, pair.input)
    np.testing.assert_array_equal(same.target, pair.target)


def test_a_reading_is_a_result_that_saves_and_draws(task, scene_for, show, tmp_path):
    scene = scene_for(task)
    rule, pair = show(task, scene)
    picture = degrade(pair.target, generator=np.random.default_rng(1))
    for known_rule, key in ((rule, pair.key), (rule, None), (None, None)):
        result = task.read(picture, rule=known_rule, key=key)
        assert isinstance(result, Result)
        shape = result.annotation.shape
        assert shape.size == scene.shape.size
        photo = scene.rgb.take_frames(scene.shape.num_frames - shape.num_frames, task.num_frames)
        for drawn in (result.draw(), result.draw(photo)):
            assert drawn.dtype == np.uint8
            assert drawn.shape == (shape.num_frames, shape.height, shape.width, 3)
            assert drawn.std() > 1
        paths = result.save(tmp_path / str(key is None), stem="x")
        assert paths
        assert sorted(paths) == sorted((tmp_path / str(key is None)).iterdir())


def test_any_picture_can_be_read(task):
    """A network may paint anything."""
    shape = (task.num_frames, 48, 64, 3)
    for picture in (
        np.zeros(shape, dtype=np.uint8),
        np.full(shape, 255, dtype=np.uint8),
        np.full(shape, 127, dtype=np.uint8),
        np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8),
    ):
        assert task.read(picture).draw().shape[1:] == shape[1:]


def test_results_at_another_size(task, scene_for, show):
    """A prediction comes back at the query's own size."""
    scene = scene_for(task)
    rule, pair = show(task, scene)
    result = task.read(pair.target, rule=rule, key=pair.key)
    larger = dataclasses.replace(scene.shape, height=160, width=230).size
    grown = dataclasses.replace(result, annotation=result.annotation.resize(larger))
    assert grown.draw().shape[1:3] == (160, 230)


def test_rules_and_keys_survive_json(task, scene_for, show):
    rule, pair = show(task, scene_for(task))
    assert (rule is None) == (task.rule_type is None)
    if rule is not None:
        assert key_from_json(task.rule_type, key_to_json(rule)) == rule
    if pair.key is not None:
        assert key_from_json(type(pair.key), key_to_json(pair.key)) == pair.key


def test_another_number_of_frames_is_refused(task, scene_for, show):
    rule, _ = show(task, scene_for(task))
    longer = dataclasses.replace(task, num_frames=9) if "num_frames" in fields(task) else None
    scene = scene_for(longer) if longer else scene_for(task).take_frames(0, 1)
    if scene.shape.num_frames == task.num_frames:
        scene = _doubled(scene)
    with pytest.raises(ValueError, match=rf"takes clips of {task.num_frames} frames"):
        task.render(scene, rule=rule, generator=np.random.default_rng(0))


def _doubled(scene):
    """A photo as a clip of two frames."""
    rgb = dataclasses.replace(scene.rgb, pixels=np.repeat(scene.rgb.pixels, 2, axis=0))
    return Sample(rgb=rgb, name="two frames")


def fields(task):
    return {field.name for field in dataclasses.fields(task)}


def test_a_missing_annotation_is_refused(task, scene_for, show):
    scene = scene_for(task)
    rule, _ = show(task, scene)
    bare = Sample(rgb=scene.rgb, name="bare")
    generator = np.random.default_rng(0)
    if not task.needs:
        task.render(bare, rule=rule, generator=generator)
        return
    with pytest.raises(ValueError, match=f"{task.name} needs {task.needs[0].__name__}.*'bare'"):
        task.render(bare, rule=rule, generator=generator)


def test_tasks_are_records_that_travel(task):
    assert dataclasses.is_dataclass(task)
    assert pickle.loads(pickle.dumps(task)) == task
    assert hash(task) == hash(pickle.loads(pickle.dumps(task)))
    assert type(task).__doc__
    assert isinstance(task.held_out, bool)
