"""What the tests of tasks look at: a scene per task, and a rendered pair of it."""

import dataclasses

import numpy as np
import pytest

from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.task import discover_tasks

TASKS = discover_tasks()
VIDEO_FRAMES = 5


def _quick(task):
    """A video task for short clips."""
    if task.name == "frame_prediction":
        return dataclasses.replace(task, num_future=4)
    return task if task.num_frames == 1 else dataclasses.replace(task, num_frames=VIDEO_FRAMES)


def _scene_for(task, seed=0, num_things=None):
    """A scene of an odd size that suits a task."""
    shape = ClipShape(num_frames=task.num_frames, height=107, width=131)
    if num_things is None:
        num_things = 1 if task.name == "single_object_detection" else 9
    return random_scene(shape, generator=np.random.default_rng(seed), num_things=num_things)


def _show(task, scene, seed=0):
    """Rule and pair of a scene that is its own context."""
    generator = np.random.default_rng(seed)
    rule = task.draw_rule([scene], generator=generator)
    return rule, task.render(scene, rule=rule, generator=generator)


@pytest.fixture(params=sorted(TASKS))
def task(request):
    return _quick(TASKS[request.param])


@pytest.fixture
def scene_for():
    return _scene_for


@pytest.fixture
def show():
    return _show


@pytest.fixture
def quick_task():
    """A task by name, with short clips."""
    return lambda name: _quick(TASKS[name])
