"""What errors tell to install is there to be installed."""

import re
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import lavin_dit
from lavin_dit.extras import how_to_install


def test_every_extra_that_an_error_names_exists():
    sources = Path(lavin_dit.__file__).parent.rglob("*.py")
    named = set(re.findall(r"how_to_install\(['\"](\w+)", "".join(p.read_text() for p in sources)))
    assert named
    assert named <= set(metadata("lavin-dit").get_all("Provides-Extra"))


def test_the_command_is_for_those_who_installed_and_for_a_checkout():
    assert how_to_install("data") == (
        "pip install 'lavin-dit[data]' (in a checkout: pip install -e '.[data]')"
    )


_WITHOUT_EXTRAS = """
import sys
for name in ("av", "cv2", "diffusers", "fastapi", "gradio", "mujoco", "numba", "transformers"):
    sys.modules[name] = None
import numpy as np
from lavin_dit import LavinDiTPipeline
pipe = LavinDiTPipeline.from_pretrained("nano")
query = np.zeros((20, 30, 3), np.uint8)
print(pipe(query, task="depth_estimation", num_steps=1, num_samples=1, progress=False).clip.size)
"""


def test_the_pipeline_needs_no_extra() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", _WITHOUT_EXTRAS], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "(20, 30)"
