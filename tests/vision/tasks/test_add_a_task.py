"""Follow docs/add_a_task.md literally: its file is a task, its example runs."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lavin_dit.vision.tasks
from lavin_dit.vision.task import discover_tasks

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def page():
    return (DOCS / "add_a_task.md").read_text(encoding="utf-8")


def test_the_page_adds_a_task(page, tmp_path, monkeypatch):
    path = re.search(r"`src/lavin_dit/(vision/tasks)/(\w+)\.py`\.\n", page)
    code, example = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    before = set(discover_tasks())

    (tmp_path / f"{path[2]}.py").write_text(code)
    folders = [*lavin_dit.vision.tasks.__path__, str(tmp_path)]
    monkeypatch.setattr(lavin_dit.vision.tasks, "__path__", folders)
    importlib.invalidate_caches()
    try:
        folder = tmp_path / "results"
        exec(compile(example, "add_a_task.md", "exec"), {"folder": folder})
        assert set(discover_tasks()) - before == {path[2]}
        saved = np.asarray(Image.open(folder / "query.png"))
        assert saved.shape == (96, 128, 3)
    finally:
        sys.modules.pop(f"lavin_dit.vision.tasks.{path[2]}", None)


def test_the_files_that_the_page_names_are_there(page):
    source = DOCS.parent / "src" / "lavin_dit"
    for name in re.findall(r"`(\w+\.py)`", page):
        assert (source / "vision" / "tasks" / name).exists(), name
    for name in re.findall(r"`(vision/\w+/)`", page):
        assert (source / name).is_dir(), name


def test_the_table_names_every_task():
    table = (DOCS / "tasks.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\w+)( \(held out\))? \|(?:[^|\n]*\|){5}$", table, flags=re.MULTILINE)
    assert {name: bool(mark) for name, mark in listed if name != "task"} == {
        name: task.held_out for name, task in discover_tasks().items()
    }
