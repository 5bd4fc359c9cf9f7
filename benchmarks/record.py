"""Writing down what a benchmark measured, with all that is needed to judge it."""

import json
import math
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

RESULTS = Path(__file__).parent / "results"
_UNKNOWN = "unknown"  # not a checkout


def record(name: str, *, settings: dict, rows: list[dict]) -> Path:
    """Print a table of rows and write it to ``benchmarks/results/<name>.json``.

    Args:
        name: File name without its ending.
        settings: What was varied by flags, or is worth knowing.
        rows: One measurement each, units in the key names.
    """
    changes = _git("status", "--porcelain", "--", "src", "benchmarks/*.py")
    result = {
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "uncommitted_changes": None if changes == _UNKNOWN else bool(changes),
        "device": _device(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": version("torch")},
        "settings": settings,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    _print_table(rows)
    print(f"written to benchmarks/results/{path.name}")
    return path


def time_side_by_side(
    contestants: dict[str, Callable[[], object]],
    *,
    repeats: int,
    warmup: int = 1,
    warmups: dict[str, Callable[[], object]] | None = None,
    limit_s: float = math.inf,
    clock: Callable[[], float] = perf_counter,
) -> dict[str, dict[str, float]]:
    """Time functions in turns, so that a drifting machine slows them alike.

    Args:
        contestants: Functions without arguments, by name.
        repeats: Measured rounds.
        warmup: Rounds before them that are not measured.
        warmups: What is run in those rounds; the functions themselves if None.
        limit_s: A function that has been measured once sits a round out if it would have taken
            longer in all.
        clock: Tells seconds; ``time.process_time`` does not count what other programs take.

    Returns:
        Minimum, median and maximum seconds of each, and how often it was measured.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(warmup):
        for run in (warmups or contestants).values():
            run()
    for _ in range(repeats):
        for name, run in contestants.items():
            if times[name] and sum(times[name]) + min(times[name]) > limit_s:
                continue
            synchronize()
            start = clock()
            run()
            synchronize()
            times[name].append(clock() - start)
    return {
        name: {
            "min_s": min(seconds),
            "median_s": median(seconds),
            "max_s": max(seconds),
            "repeats": len(seconds),
        }
        for name, seconds in times.items()
    }


def synchronize() -> None:
    """Wait for the accelerator, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cpus = Path("/proc/cpuinfo")
    for line in cpus.read_text().splitlines() if cpus.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, cwd=RESULTS.parent
        )
    except (OSError, subprocess.CalledProcessError):
        return _UNKNOWN
    return answer.stdout.strip()


def _print_table(rows: list[dict]) -> None:
    if not rows:
        return
    cells = [[_cell(row.get(key)) for key in rows[0]] for row in rows]
    widths = [
        max(len(key), *(len(line[index]) for line in cells)) for index, key in enumerate(rows[0])
    ]
    for line in [list(rows[0]), *cells]:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
