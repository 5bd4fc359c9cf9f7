import runpy
import sys
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLE = Path(__file__).parents[2] / "examples" / "codec_sheet.py"
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "codec_errors.py"


def test_the_contact_sheet_is_drawn(tmp_path, monkeypatch, capsys):
    out = tmp_path / "sheet.png"
    monkeypatch.setattr(
        sys, "argv", [str(EXAMPLE), "--out", str(out), "--size", "64", "80", "--things", "6"]
    )
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert str(out) in capsys.readouterr().out
    sheet = np.asarray(Image.open(out))
    assert sheet.shape == (10 * (64 + 6 + 14) + 6, 4 * (80 + 6) + 6, 3)
    assert sheet.std() > 20


def test_the_errors_are_measured(monkeypatch, capsys):
    monkeypatch.setattr(
        sys,
        "argv",
        [str(BENCHMARK), "--size", "64", "80", "--frames", "1", "--things", "4", "--scenes", "1"],
    )
    runpy.run_path(str(BENCHMARK), run_name="__main__")
    table = capsys.readouterr().out.splitlines()
    assert table[0].startswith("| codec |")
    assert {line.split(" | ")[0].strip("| ") for line in table[2:]} >= {"depth linear", "boxes"}
