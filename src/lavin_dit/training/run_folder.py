"""What a run leaves on disk besides checkpoints: how it was made, and what happened.

::

    run.json        recipe, versions, commit, seed, machine; one entry for each session
    metrics.jsonl   one object for each logged step
    events.jsonl    what was out of the ordinary: batches that were skipped, sessions, exports
    tensorboard/    the same numbers, where TensorBoard is installed
    checkpoints/    for going on
    sheets/         pictures of validation episodes
    export/         averaged weights, for use
"""

import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch

from lavin_dit.pipeline.atomic import written_atomically
from lavin_dit.weights.files import read_json

RUN_FILE, METRICS_FILE, EVENTS_FILE = "run.json", "metrics.jsonl", "events.jsonl"
CHECKPOINTS, SHEETS, EXPORT, TENSORBOARD = "checkpoints", "sheets", "export", "tensorboard"
_SESSION_KEYS = {"recipe", "device", "world_size", "versions", "commit"}
_PACKAGES = ("lavin-dit", "torch", "numpy", "safetensors", "numba", "mujoco", "peft")


def describe_session(recipe: Mapping[str, Any], *, device: str, world_size: int) -> dict[str, Any]:
    """Everything that a later reader needs to know about a session of a run.

    Args:
        recipe: The resolved configuration, as JSON data.
        device: Where it trains.
        world_size: Number of processes.
    """
    return {
        "recipe": dict(recipe),
        "started": _now(),
        "command": sys.argv[1:],
        "device": device,
        "world_size": world_size,
        "versions": {name: _version(name) for name in _PACKAGES}
        | {"python": sys.version.split()[0]},
        "machine": platform.machine(),
        "num_cpus": os.cpu_count(),
        "num_threads": torch.get_num_threads(),
        "commit": _commit(),
    }


def record_session(folder: Path, session: Mapping[str, Any]) -> None:
    """Add a session to ``run.json``.

    Raises:
        OSError: If the folder can't be written to.
    """
    path = folder / RUN_FILE
    sessions = read_sessions(folder)
    with written_atomically(path) as partial:
        text = json.dumps({"version": 1, "sessions": [*sessions, dict(session)]}, indent=2)
        partial.write_text(text + "\n", encoding="utf-8")


def read_sessions(folder: Path) -> list[dict[str, Any]]:
    """Sessions of a run so far; none if it has not begun.

    Raises:
        ValueError: If the file is damaged; the message names it.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        return []
    sessions = read_json(path).get("sessions")
    whole = isinstance(sessions, list) and all(
        isinstance(session, dict) and session.keys() >= _SESSION_KEYS for session in sessions
    )
    if not sessions or not whole:
        raise ValueError(
            f"{path} is damaged: it must hold a list of sessions, each with "
            f"{', '.join(sorted(_SESSION_KEYS))}"
        )
    return cast("list[dict[str, Any]]", sessions)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Logged steps of a run, in order; a line that a kill cut short is left out.

    A value that was not finite is None.
    """
    return _read_lines(folder / METRICS_FILE, key="step")


def read_events(folder: Path) -> list[dict[str, Any]]:
    """What was out of the ordinary in a run, in order."""
    return _read_lines(folder / EVENTS_FILE, key="event")


def _read_lines(path: Path, *, key: str) -> list[dict[str, Any]]:
    """The lines of a file that are whole: objects with the key that all of them have."""
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and key in line:
            lines.append(cast("dict[str, Any]", line))
    return lines


class RunLog:
    """Writes metrics and events of a run; of many processes, the first one has one."""

    def __init__(self, folder: Path, *, resumed_at: int) -> None:
        """Open the files; metrics of steps that will be taken again are dropped.

        Args:
            folder: The run's.
            resumed_at: Steps taken so far.
        """
        folder.mkdir(parents=True, exist_ok=True)
        kept = [line for line in read_metrics(folder) if line["step"] <= resumed_at]
        with written_atomically(folder / METRICS_FILE) as partial:
            partial.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        self._folder = folder
        self._tensorboard = _tensorboard(folder / TENSORBOARD, purge_step=resumed_at)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Write the numbers of a step."""
        line: dict[str, float | None] = {"step": step}
        line |= {name: _rounded(value) for name, value in values.items()}
        with (self._folder / METRICS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._tensorboard is not None:
            for name, value in values.items():
                self._tensorboard.add_scalar(name, value, step)

    def event(self, kind: str, **details: Any) -> None:  # noqa: ANN401 - plain data
        """Write down what was out of the ordinary."""
        line = {
            "event": kind,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **details,
        }
        with (self._folder / EVENTS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Finish writing."""
        if self._tensorboard is not None:
            self._tensorboard.close()


def _tensorboard(folder: Path, *, purge_step: int) -> Any:  # noqa: ANN401 - an optional package's
    """A TensorBoard writer, None where the package is missing."""
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=purge_step + 1)


def _now() -> str:
    """The time, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _rounded(value: float) -> float | None:
    """Six digits say enough, and lines stay readable; JSON has no number that is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the checkout that the code runs from; None if it was installed."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
