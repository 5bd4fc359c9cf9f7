import os
import signal
import subprocess
import sys

import pytest

from lavin_dit.training.shared_folder import claimed

HOLD = """
import sys, time
from pathlib import Path
from lavin_dit.training.shared_folder import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_one_process_at_a_time_and_free_when_that_one_dies(tmp_path):
    folder = tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(ValueError, match="in use by another process that trains"), claimed(folder):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    for _ in range(2):
        with claimed(folder):
            assert folder.is_dir()
