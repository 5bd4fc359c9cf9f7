"""Worker processes: what ends them, and errors of the data on their way out, as what they are.

Torch raises an error of a worker anew, with the worker's traceback for a message. What is no
mistake in the code but tells something about the data comes across as a value instead.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from lavin_dit.data.episodes import NoEpisodeError
from lavin_dit.data.shards import ShardError

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a worker hands over where it could not make what was asked for.

    Attributes:
        error: Why.
    """

    error: Exception


def leave_signals_to_the_run(_worker: int) -> None:
    """Let a worker outlive what asks the run to stop; it ends when its batches aren't wanted.

    Schedulers and torchrun signal every process of a job. A worker that died of that would end the
    run before its checkpoint.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def made_or_failure(make: Callable[[], _Made]) -> _Made | Failure:
    """Make something in a worker, or say why not.

    Args:
        make: Makes it.

    Returns:
        What was made; or a failure, if no episode can be drawn, shards are damaged, files can't be
        read or an extra is not installed. Any other error is raised.
    """
    try:
        return make()
    except (NoEpisodeError, ShardError, OSError, ImportError) as error:
        return Failure(error=error)


def made(found: _Made | Failure) -> _Made:
    """What a worker made.

    Args:
        found: What it handed over.

    Returns:
        The same, if it is no failure.

    Raises:
        NoEpisodeError: If no episode could be drawn.
        ShardError: If shards are damaged.
        OSError: If files can't be read.
        ImportError: If an extra is not installed.
    """
    if isinstance(found, Failure):
        raise found.error
    return found
