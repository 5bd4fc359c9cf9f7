"""The program that makes the tables of model card and README from reports."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.evaluation.protocol import discover_protocols
from lavin_dit.vision.task import discover_tasks

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "model_card_table.py"
REPORTS = tuple(
    ROOT / "benchmarks" / "results" / f"evaluation_nano_{kind}.json" for kind in ("images", "clips")
)


@pytest.fixture
def table(monkeypatch, capsys):
    """Lines that the program prints."""

    def lines(*words):
        monkeypatch.setattr(sys, "argv", [str(PROGRAM), *map(str, words)])
        runpy.run_path(str(PROGRAM), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return lines


def report(path, **protocols):
    path.write_text(json.dumps({"protocols": protocols}), encoding="utf-8")
    return path


def test_a_line_for_each_protocol(table, tmp_path, capsys):
    score = {"value": 12.345, "low": 11.0, "high": 13.5}
    scores = {"model": {"psnr_db": score}, "input": {"psnr_db": {"value": 20.0}}}
    alone = {"iou": {"value": 0.5, "low": None, "high": None}}
    nothing = {"abs_rel_lstsq": {"value": None, "low": None, "high": None}}
    fold, depth = "pascal5i-foreground_segmentation-2", "world-depth_estimation"
    one = report(tmp_path / "a", **{"photos-deraining": {"num_scored": 7, "scores": scores}})
    two = report(
        tmp_path / "b",
        **{
            fold: {"num_scored": 1, "scores": {"model": alone}},
            depth: {"num_scored": 1, "scores": {"model": nothing}},
        },
    )
    lines = table(one, two)
    assert len(lines) == 5
    assert lines[2].startswith("| photos-deraining | PSNR, dB (up) | 7 | 12.35 [11.00, 13.50] |")
    assert "| 20.00 |" in lines[2]
    assert f"| {fold} | IoU, mean of pictures, % (up) | 1 | 50.0 | " in lines[3]
    assert "(down) | 1 | - | " in lines[4]
    assert table(one, two, "--only", depth, fold) == [*lines[:2], lines[4], lines[3]]
    with pytest.raises(SystemExit):
        table(one, "--only", "photos-rain")
    assert "no report has photos-rain; there are photos-deraining" in capsys.readouterr().err


@pytest.mark.parametrize("document", ["src/lavin_dit/weights/nano/MODEL_CARD.md", "README.md"])
def test_tables_are_those_of_the_committed_reports(document, table):
    lines = table(*REPORTS)
    names = tuple(f"| {name} |" for name in discover_protocols())
    text = (ROOT / document).read_text(encoding="utf-8").splitlines()
    shown = [line for line in text if line.startswith(names)]
    assert set(shown) <= set(lines)
    if document.endswith("MODEL_CARD.md"):
        assert shown == lines[2:]


@pytest.mark.parametrize("what", ["measures", "tasks"])
def test_what_is_shown_exists(what):
    shown = runpy.run_path(str(PROGRAM))["SHOWN"]
    if what == "measures":
        assert set(shown.values()) <= MEASURES.keys()
    else:
        assert shown.keys() <= discover_tasks().keys()
        assert {name.split("-")[1] for name in discover_protocols()} <= shown.keys()
