"""What happened in runs, from what their folders keep: panels of curves, and a summary in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lavin_dit.training.curves import COLOURS, Colour, Curve, Panel, number_text, smoothed
from lavin_dit.training.run_folder import (
    METRICS_FILE,
    RUN_FILE,
    read_events,
    read_metrics,
    read_sessions,
)

_VALIDATION, _TASK, _NORM = "validation/", "loss/", "gradient_norm/"
_RATES = {
    "lr": "learning rate",
    "samples_per_s": "samples a second",
    "mfu": "share of the device's arithmetic (MFU)",
    "loader_wait_share": "share of the time spent waiting for data",
}
_NOT_DRAWN = {"step", "loss", "step_time_s", "tokens_per_s"}
_WINDOWS = 40  # of a curve that is smoothed


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run's folder keeps.

    Attributes:
        name: What to call it.
        sessions: From ``run.json``.
        metrics: From ``metrics.jsonl``.
        events: From ``events.jsonl``.
    """

    name: str
    sessions: Sequence[Mapping[str, Any]]
    metrics: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]

    def series(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps at which a number was logged, and the number."""
        lines = [line for line in self.metrics if name in line]
        steps = np.array([line["step"] for line in lines], dtype=np.float64)
        # What was not finite is None there.
        values = [np.nan if line[name] is None else line[name] for line in lines]
        return steps, np.array(values, dtype=np.float64)

    @property
    def names(self) -> list[str]:
        """Names of all numbers, in the order in which they first appear."""
        return list(dict.fromkeys(name for line in self.metrics for name in line))

    @property
    def num_steps(self) -> int:
        """Steps that were logged last."""
        return int(self.metrics[-1]["step"])

    @property
    def time_s(self) -> float:
        """Seconds of training, from the times of the steps; validation is left out."""
        total, before = 0.0, 0.0
        for line in self.metrics:
            if "step_time_s" in line:
                total += line["step_time_s"] * (line["step"] - before)
                before = line["step"]
        return total


def read_run(folder: Path) -> Run:
    """Read a run, which may still be going on.

    Args:
        folder: The run's.

    Raises:
        FileNotFoundError: If it is no run's folder.
        ValueError: If nothing was logged yet.
    """
    if not (folder / RUN_FILE).is_file():
        inner = folder / "run"
        if (inner / RUN_FILE).is_file():  # an adapter's folder
            return read_run(inner)
        raise FileNotFoundError(f"{folder} is no run: it has no {RUN_FILE}")
    metrics = read_metrics(folder)
    if not metrics:
        raise ValueError(f"{folder / METRICS_FILE}: nothing was logged yet")
    return Run(
        name=folder.as_posix(),
        sessions=read_sessions(folder),
        metrics=metrics,
        events=read_events(folder),
    )


def panels_of(runs: Sequence[Run]) -> list[Panel]:
    """What is worth seeing of some runs: losses first, then rates.

    One run's curves differ in colour by what they show, several runs' by the run.

    Args:
        runs: At least one.
    """
    names = list(dict.fromkeys(name for run in runs for name in run.names))
    plain = [
        name for name in names if "/" not in name and name not in _RATES and name not in _NOT_DRAWN
    ]
    panels = [_terms(runs, "total", "loss", also=("validation/loss", "validation/total"))]
    panels += [
        _terms(runs, name, _title(name), also=(_VALIDATION + name,))
        for name in plain
        if name != "total"
    ]
    for prefix, title in ((_TASK, "loss by task"), (_VALIDATION + _TASK, "validation by task")):
        panels += [
            _family(run, prefix, title if len(runs) == 1 else f"{title}, {run.name}")
            for run in runs
        ]
    seen = {_VALIDATION + name for name in ("loss", "total", *plain)}
    panels += [
        _terms(runs, name, _title(name), marked=True)
        for name in names
        if name.startswith(_VALIDATION)
        and not name.startswith(_VALIDATION + _TASK)
        and name not in seen
    ]
    panels += [_terms(runs, name, title) for name, title in _RATES.items()]
    panels += [
        _terms(runs, name, f"gradient norm, {name.removeprefix(_NORM)}")
        for name in names
        if name.startswith(_NORM)
    ]
    return [panel for panel in panels if panel.curves]


def _terms(
    runs: Sequence[Run],
    name: str,
    title: str,
    *,
    also: tuple[str, ...] = (),
    marked: bool = False,
) -> Panel:
    """One number of all runs, with its counterpart in validation."""
    curves: list[Curve] = []
    for place, run in enumerate(runs):
        alone = len(runs) == 1
        compared = any(other in run.names for other in also)
        label = run.name if not alone else "training" if compared else ""
        colour = _colour(place)
        steps, values = run.series(name)
        if len(steps):
            curves += _smooth_and_raw(label, steps, values, colour, marked=marked)
        for other in also:
            steps, values = run.series(other)
            if len(steps):
                curves.append(
                    Curve(
                        label="validation" if alone else f"{run.name}, validation",
                        steps=steps,
                        values=values,
                        colour=_colour(1) if alone else colour,
                        marked=True,
                    )
                )
    return Panel(title=title, curves=tuple(curves))


def _family(run: Run, prefix: str, title: str) -> Panel:
    """All numbers of a run with one prefix, each in its colour."""
    curves: list[Curve] = []
    for place, name in enumerate(sorted(name for name in run.names if name.startswith(prefix))):
        steps, values = run.series(name)
        smooth = smoothed(values, window=max(1, 2 * len(values) // _WINDOWS))
        label = name.removeprefix(prefix).replace("_", " ")
        curves.append(Curve(label=label, steps=steps, values=smooth, colour=_colour(place)))
    return Panel(title=title, curves=tuple(curves))


def _smooth_and_raw(
    label: str, steps: np.ndarray, values: np.ndarray, colour: Colour, *, marked: bool
) -> Iterable[Curve]:
    window = len(values) // _WINDOWS
    if marked or window < 2:
        yield Curve(label=label, steps=steps, values=values, colour=colour, marked=marked)
        return
    yield Curve(label="", steps=steps, values=values, colour=colour, faint=True)
    smooth = smoothed(values, window=window)
    yield Curve(label=label, steps=steps, values=smooth, colour=colour)


def _title(name: str) -> str:
    """What a number is, in words: ``validation/psnr_db/images`` is psnr (dB) images, validation."""
    words = name.removeprefix(_VALIDATION).replace("_db", " (dB)").replace("/", " ")
    ending = ", validation" if name.startswith(_VALIDATION) else ""
    return words.replace("_", " ") + ending


def _colour(place: int) -> Colour:
    return COLOURS[place % len(COLOURS)]


def summary(run: Run) -> str:
    """What happened, in words and a table of last and best values.

    Args:
        run: From `read_run`.
    """
    last = run.sessions[-1]
    recipe, versions = last["recipe"], last["versions"]
    batch_size = recipe["batch_size"]
    skipped = sum(event["event"] == "not_finite" for event in run.events)
    ends = [event for event in run.events if event["event"] in ("begin", "end")]
    ended = ends[-1].get("reason") if ends and ends[-1]["event"] == "end" else None
    hours, seconds = divmod(round(run.time_s), 3600)
    known = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    lines = [
        f"{run.name}: {recipe['class']}, {run.num_steps:,} of {recipe['loop']['num_steps']:,} "
        f"steps, " + (f"ended by {ended}" if ended else "going on, or killed"),
        f"  {hours}:{seconds // 60:02}:{seconds % 60:02} of steps in {len(run.sessions)} sessions, "
        f"{run.num_steps * batch_size:,} samples, {skipped} steps skipped",
        f"  {last['device']}, {last['world_size']} processes; {known}; "
        f"commit {last['commit'] or 'not known'}",
        f"  {'':36}{'last':>10}{'best':>10}{'at step':>10}",
    ]
    for name in run.names:
        if name in ("step", "loss", "step_time_s", "lr") or name.startswith(_NORM):
            continue
        steps, values = run.series(name)
        finite = np.isfinite(values)
        if not finite.any():
            continue
        rising = "psnr" in name or name in ("samples_per_s", "tokens_per_s", "mfu")
        worst = -np.inf if rising else np.inf
        best = int((np.argmax if rising else np.argmin)(np.where(finite, values, worst)))
        lines.append(
            f"  {name:36}{number_text(values[-1]):>10}{number_text(values[best]):>10}"
            f"{int(steps[best]):>10,}"
        )
    return "\n".join(lines)
