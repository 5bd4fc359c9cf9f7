"""The extra itself: optional, not imported by the core, and with an example that runs."""

import importlib
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

OTHERS = ("diffusers", "peft", "accelerate", "transformers")


def test_the_core_imports_none_of_it():
    program = (
        "import sys, lavin_dit, lavin_dit.pipeline.pipeline, lavin_dit.cli.main\n"
        f"sys.exit(', '.join(sys.modules.keys() & set({OTHERS!r})) or 0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("missing", ["diffusers", "accelerate", "peft"])
def test_an_error_names_the_extra(monkeypatch, missing):
    for name in list(sys.modules):
        if name.startswith("lavin_dit.interop"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        ModuleNotFoundError, match=rf"needs {missing}: pip install 'lavin-dit\[diff"
    ):
        importlib.import_module("lavin_dit.interop.diffusers")


# DPM-Solver++ hands a tensor to NumPy in a way that NumPy 2 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")
def test_the_example_runs(capsys):
    example = Path(__file__).parents[2] / "examples" / "diffusers_interop.py"
    runpy.run_path(str(example), run_name="__main__")
    assert "largest difference" in capsys.readouterr().out
