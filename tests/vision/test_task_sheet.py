import runpy
import sys
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "examples" / "task_sheet.py"
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "box_tasks.py"


def test_the_contact_sheet_of_tasks_is_drawn(tmp_path, monkeypatch, capsys):
    out = tmp_path / "sheet.png"
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--out", str(out), "--size", "64", "80"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert str(out) in capsys.readouterr().out
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (8 * (64 + 6 + 14) + 6, 3 * (3 * (80 + 2) + 6) + 6, 3)
    assert sheet.std() > 20


def test_the_errors_of_boxes_are_measured(monkeypatch, capsys):
    arguments = ["--side", "96", "--scenes", "2", "--things", "3"]
    monkeypatch.setattr(sys, "argv", [str(BENCHMARK), *arguments])
    runpy.run_path(str(BENCHMARK), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3
    assert float(lines[-1].split("|")[3]) > 0.98
