"""Programs of the tests' in a process of their own."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def started(program: str, *arguments: str, in_a_group: bool = False) -> Generator[subprocess.Popen]:
    """Run a Python program that sees what this process does; what it prints can be read as text.

    ``in_a_group`` gives it and its children a process group of their own.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        text=True,
        start_new_session=in_a_group,
    )
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.stdout.close()
        process.kill()
        process.wait()
