import pytest

from lavin_dit.training.shared_folder import claimed
from own_process import started

HOLD = """
import sys, time
from pathlib import Path
from lavin_dit.training.shared_folder import claimed
from own_process import started
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_one_process_at_a_time_and_free_when_that_one_dies(tmp_path):
    folder = tmp_path / "run"
    with started(HOLD, str(folder)) as process:
        assert process.stdout.readline() == "held\n"
        with (
            pytest.raises(ValueError, match="in use by another process that trains"),
            claimed(folder),
        ):
            pass
        process.kill()
        process.wait()
    for _ in range(2):
        with claimed(folder):
            assert folder.is_dir()
