"""A report says what a run's folder says, of a run that is over, broken off or going on."""

import json
from pathlib import Path

import pytest

from lavin_dit.cli.main import main
from lavin_dit.training.report import panels_of, read_run, summary


def write_run(folder: Path, *, over: bool, num_lines: int = 200) -> Path:
    """A run of a J-DiT with everything that is ever logged."""
    folder.mkdir(parents=True)
    session = {
        "recipe": {"class": "JDiTRecipe", "batch_size": 16, "loop": {"num_steps": 5000}},
        "versions": {"torch": "2.13.0", "mujoco": None},
        "device": "cpu",
        "world_size": 2,
        "commit": None,
    }
    (folder / "run.json").write_text(json.dumps({"sessions": [session, session]}))
    lines = []
    for number in range(1, num_lines + 1):
        line = {"step": 10 * number, "total": 1 + 9 / number, "loss": 1 + 9 / number}
        line |= {"total": None} if number == 3 else {}  # as what is not finite is written
        line |= {f"loss/{task}": 1 + place / 9 for place, task in enumerate(["edges", "depth"])}
        line |= {"gradient_norm/jdit": 0.3, "lr": 1e-3, "step_time_s": 0.5, "samples_per_s": 32.0}
        lines.append(line | {"tokens_per_s": 9e3, "loader_wait_share": 0.02, "mfu": 0.31})
        if number % 50 == 0:
            lines.append(
                {"step": 10 * number, "validation/loss": 2.0, "validation/loss/depth": 3.0}
                | {"validation/psnr_db/0": 10.0 + number}
            )
    text = "\n".join(map(json.dumps, lines))
    (folder / "metrics.jsonl").write_text(text + '\n{"step": 99999, "tot')
    events = [{"event": "begin"}, {"event": "not_finite", "step": 7}]
    events += [{"event": "end", "reason": "steps"}] if over else []
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)))
    return folder


def test_the_summary_says_how_far_how_long_and_what_was_best(tmp_path: Path) -> None:
    text = summary(read_run(write_run(tmp_path / "run", over=True)))
    assert "JDiTRecipe, 2,000 of 5,000 steps, ended by steps" in text
    assert "0:16:40 of steps in 2 sessions, 32,000 samples, 1 steps skipped" in text
    assert "2 processes; torch 2.13.0; commit not known" in text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[4:]}
    assert rows["total"] == ["1.045", "1.045", "2,000"]
    assert rows["validation/psnr_db/0"] == ["210", "210", "2,000"]


def test_a_run_that_is_not_over_is_read_too(tmp_path: Path) -> None:
    assert "going on, or killed" in summary(read_run(write_run(tmp_path / "run", over=False)))


def test_panels_show_each_number_once(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, over=True)) for name in ("a", "b")]
    titles = [panel.title for panel in panels_of(runs[:1])]
    assert titles == [
        "loss",
        "loss by task",
        "validation by task",
        "psnr (dB) 0, validation",
        "learning rate",
        "samples a second",
        "share of the device's arithmetic (MFU)",
        "share of the time spent waiting for data",
        "gradient norm, jdit",
    ]
    loss = panels_of(runs)[0]
    assert {curve.label for curve in loss.curves if curve.label} == {
        name + ending for name in (runs[0].name, runs[1].name) for ending in ("", ", validation")
    }


def test_the_command_draws_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(write_run(tmp_path / name, over=True)) for name in ("a", "b")]
    assert main(["report", *runs, "-o", str(tmp_path / "curves.png")]) == 0
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert capsys.readouterr().out.count("JDiTRecipe") == 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "no runs"),
        (["nowhere"], "is no run: it has no run.json"),
        (["nowhere", "-o", "curves.txt"], "must end in .png"),
    ],
)
def test_what_can_not_be_done_is_said(
    words: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words]) == 2
    assert reason in capsys.readouterr().err


def test_a_run_without_a_logged_step_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", over=False, num_lines=0)
    with pytest.raises(ValueError, match="nothing was logged yet"):
        read_run(folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is not JSON"),
        ('{"sessions": [{"rec', "is not JSON"),
        ("[]", "must hold a JSON object"),
        ("{}", "is damaged: it must hold a list of sessions"),
        ('{"sessions": []}', "is damaged: it must hold a list of sessions"),
        ('{"sessions": [{"recipe": {}}]}', "is damaged: it must hold a list of sessions"),
    ],
)
def test_a_damaged_run_is_named(
    content: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_run(tmp_path / "run", over=True)
    (folder / "run.json").write_text(content)
    assert main(["report", str(folder), "-o", str(tmp_path / "curves.png")]) == 2
    told = capsys.readouterr().err
    assert reason in told
    assert str(folder / "run.json") in told
    assert not (tmp_path / "curves.png").exists()


def test_damaged_lines_of_metrics_are_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", over=True, num_lines=3)
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b'\n7\n{"total": 1.0}\n\xff\xfe\n{"step": 40, "total": 2.0}\n')
    assert [line["step"] for line in read_run(folder).metrics] == [10, 20, 30, 40]
