import runpy
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "box_tasks.py"


def test_the_errors_of_boxes_are_measured(monkeypatch, capsys):
    arguments = ["--side", "96", "--scenes", "2", "--things", "3"]
    monkeypatch.setattr(sys, "argv", [str(BENCHMARK), *arguments])
    runpy.run_path(str(BENCHMARK), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3
    assert float(lines[-1].split("|")[3]) > 0.98
