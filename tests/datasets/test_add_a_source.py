"""Follows docs/add_a_source.md to the letter, in a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/add_a_source.md"


def code_blocks():
    """Python blocks of the page: those that name a file on the line above, and the others."""
    text = PAGE.read_text(encoding="utf-8")
    named = dict(re.findall(r"^`([\w/]+\.py)`\n\n```python\n(.*?)^```$", text, re.M | re.S))
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    return named, [block for block in blocks if block not in named.values()]


def test_the_page_can_be_followed(tmp_path):
    files, programs = code_blocks()
    assert list(files) == [
        "src/lavin_dit/datasets/portraits.py",
        "tests/datasets/test_portraits.py",
    ]
    assert len(programs) == 1
    shutil.copytree(
        ROOT / "src/lavin_dit",
        tmp_path / "src/lavin_dit",
        ignore=shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc"),
    )
    for name, code in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    shutil.copy(ROOT / "tests/datasets/conftest.py", tmp_path / "tests/datasets")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(tmp_path / "src")}
    environment = {**os.environ, **quick}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/datasets"]
    for command in (tests, *([sys.executable, "-c", program] for program in programs)):
        done = subprocess.run(
            command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        if command is tests:
            assert "3 passed" in done.stdout


def test_modules_that_the_page_names_exist():
    for name in re.findall(r"`(\w+\.py)`", PAGE.read_text(encoding="utf-8")):
        if name != "portraits.py":
            assert (ROOT / "src/lavin_dit/datasets" / name).exists(), name
