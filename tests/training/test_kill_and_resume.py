"""The short form of the program that kills runs: three times, on cached latents."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_killed_run_ends_with_the_bits_of_one_that_was_not():
    words = ("--kills", "3", "--steps", "9", "--batches", "cached", "--no-record")
    command = [sys.executable, str(ROOT / "benchmarks" / "kill_and_resume.py"), *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "'kills': 3" in done.stdout
