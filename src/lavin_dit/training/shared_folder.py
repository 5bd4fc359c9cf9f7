"""Folders of a run on many machines, and of two runs by mistake."""

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from filelock import FileLock, Timeout

from lavin_dit.training.processes import Processes

_log = logging.getLogger(__name__)
_LOCK_FILE = ".lock"
_PATIENCE_S, _POLL_S = 30.0, 0.5


@contextmanager
def claimed(folder: Path) -> Generator[None]:
    """Hold a folder that one run at a time may write to; a process that dies lets go of it.

    Args:
        folder: Made if need be.

    Raises:
        ValueError: If another process holds it.
        OSError: If it can't be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"{folder} is in use by another process that trains: wait for it, stop it, or choose "
            "another folder"
        ) from None
    except NotImplementedError:  # some network file systems know no locks
        _log.warning("%s can't be locked: make sure that no other run writes to it", folder)
    try:
        yield
    finally:
        lock.release()


def check_shared(folder: Path, processes: Processes) -> None:
    """Refuse a folder that is not the same one for all processes; all call it together.

    Args:
        folder: Made if need be.
        processes: This process among its peers.

    Raises:
        ValueError: If some process doesn't see what the first one writes there.
        OSError: If it can't be written to.
    """
    if processes.world_size == 1:
        return
    mark = folder / f".shared-{processes.gather(token_hex(8))[0]}"
    if processes.is_first:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    processes.barrier()
    seen = processes.gather(_appears(mark))
    if processes.is_first:
        mark.unlink()
    blind = [str(rank) for rank, one in enumerate(seen) if not one]
    if blind:
        raise ValueError(
            f"{folder} is not the same folder for all processes: what rank 0 writes there, ranks "
            f"{', '.join(blind)} don't see; name one on a file system that all machines share"
        )


def _appears(path: Path) -> bool:
    """Whether a file is there soon; network file systems take a while to tell."""
    deadline = time.monotonic() + _PATIENCE_S
    while not path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
