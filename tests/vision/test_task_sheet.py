import runpy
import sys
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "examples" / "task_sheet.py"


def test_the_contact_sheet_of_tasks_is_drawn(tmp_path, monkeypatch, capsys):
    out = tmp_path / "sheet.png"
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--out", str(out), "--size", "64", "80"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert str(out) in capsys.readouterr().out
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (8 * (64 + 6 + 14) + 6, 3 * (3 * (80 + 2) + 6) + 6, 3)
    assert sheet.std() > 20
