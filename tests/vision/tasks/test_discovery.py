"""Which tasks there are, and how they are found."""

import subprocess
import sys

import numpy as np
import pytest

import lavin_dit.vision.tasks
from lavin_dit.vision.task import (
    NothingToPaintError,
    Pair,
    check_num_frames,
    discover_tasks,
    find_task,
)

TRAINED_IMAGES = {
    "object_detection", "instance_segmentation", "panoptic_segmentation", "pose_estimation",
    "pose_to_image", "edge_detection", "depth_estimation", "depth_to_image",
    "surface_normal_estimation", "normal_to_image", "inpainting", "colorization", "deraining",
    "glass_deblurring", "motion_deblurring",
}  # fmt: skip
TRAINED_VIDEOS = {
    "frame_prediction", "video_depth", "depth_to_video", "video_normals", "normal_to_video",
    "optical_flow", "video_instance_segmentation",
}  # fmt: skip
HELD_OUT = {"foreground_segmentation", "single_object_detection"}


def test_the_papers_tasks_are_all_there():
    tasks = discover_tasks()
    assert len(tasks) == 24
    assert list(tasks) == sorted(tasks)
    images = {name for name, task in tasks.items() if task.num_frames == 1}
    held_out = {name for name, task in tasks.items() if task.held_out}
    assert held_out == HELD_OUT
    assert images - held_out == TRAINED_IMAGES
    assert set(tasks) - images == TRAINED_VIDEOS
    assert all(task.name == name for name, task in tasks.items())
    assert all(task.num_frames == 13 for name, task in tasks.items() if name in TRAINED_VIDEOS)
    assert tasks["frame_prediction"].num_input_frames == 1


def test_one_task_is_found_by_name():
    assert find_task("colorization") == discover_tasks()["colorization"]
    with pytest.raises(ValueError, match="no task 'colourization'; there are colorization, depth_"):
        find_task("colourization")


@pytest.mark.parametrize(
    "code", ["", "class Odd:\n    name = 'other'\n", "class Misnamed:\n    name = 'odd'\n"]
)
def test_a_file_without_its_task_is_an_error(code, tmp_path, monkeypatch):
    (tmp_path / "odd.py").write_text(code)
    monkeypatch.setattr(
        lavin_dit.vision.tasks, "__path__", [*lavin_dit.vision.tasks.__path__, str(tmp_path)]
    )
    monkeypatch.delitem(sys.modules, "lavin_dit.vision.tasks.odd", raising=False)
    with pytest.raises(TypeError, match=r"tasks\.odd must hold a class Odd whose name is 'odd'"):
        discover_tasks()
    sys.modules.pop("lavin_dit.vision.tasks.odd", None)


def test_finding_tasks_loads_neither_torch_nor_opencv():
    code = (
        "import sys; from lavin_dit.vision.task import discover_tasks; discover_tasks(); "
        "print({'torch', 'cv2', 'scipy', 'av'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_lengths_that_the_autoencoder_takes():
    for num_frames in (5, 9, 13, 25):
        check_num_frames(num_frames)
    for num_frames in (-3, 0, 1, 4, 6, 12):
        with pytest.raises(ValueError, match=f"got {num_frames}$"):
            check_num_frames(num_frames)


def test_a_pair_of_two_sizes_is_refused():
    one, two = np.zeros((1, 8, 9, 3), np.uint8), np.zeros((1, 9, 8, 3), np.uint8)
    # A TypeError where shapes are checked before the record checks them itself.
    with pytest.raises((ValueError, TypeError), match=r"Pair\.target must be|parameter 'target'"):
        Pair(input=one, target=two, key=None)
    pair = Pair(input=one, target=one, key=None)
    with pytest.raises(ValueError, match="read-only"):
        pair.target[0] = 1


def test_the_error_keeps_name_and_reason_apart():
    error = NothingToPaintError("cat.jpg", "mask is empty")
    assert (error.name, error.reason) == ("cat.jpg", "mask is empty")
    assert str(error) == "sample 'cat.jpg' cannot be rendered: mask is empty"
    assert isinstance(error, ValueError)
