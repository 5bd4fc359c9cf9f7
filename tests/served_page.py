"""The page, served by ``lavin web`` in a process of its own."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager


def web(*words: object) -> list[str]:
    """A command line that serves the page."""
    return [sys.executable, "-m", "lavin_dit.cli.main", "web", *map(str, words)]


@contextmanager
def served_page(*words: object) -> Generator[str]:
    """Serve the page at a free port; its address."""
    command = web("--port", 0, *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            told = server.stdout.readline()
            assert told.endswith("(Ctrl-C ends it)\n")
            yield told.split()[0]
        finally:
            server.terminate()
