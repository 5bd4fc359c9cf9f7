"""The program that makes a model card's table: one line for each protocol of a report."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.vision.task import discover_tasks

PROGRAM = Path(__file__).parents[2] / "examples" / "model_card_table.py"


def test_a_line_for_each_protocol(tmp_path, monkeypatch, capsys):
    score = {"value": 12.345, "low": 11.0, "high": 13.5}
    scores = {"model": {"psnr_db": score}, "input": {"psnr_db": {"value": 20.0}}}
    report = {"protocols": {"photos-deraining": {"num_scored": 7, "scores": scores}}}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [str(PROGRAM), str(path), str(path)])
    runpy.run_path(str(PROGRAM), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[2] == lines[3]
    assert lines[2].startswith("| photos-deraining | PSNR, dB (up) | 7 | 12.35 [11.00, 13.50] |")
    assert "| 20.00 |" in lines[2]


@pytest.mark.parametrize("what", ["measures", "tasks"])
def test_what_is_shown_exists(what):
    shown = runpy.run_path(str(PROGRAM))["SHOWN"]
    if what == "measures":
        assert set(shown.values()) <= MEASURES.keys()
    else:
        assert shown.keys() <= discover_tasks().keys()
