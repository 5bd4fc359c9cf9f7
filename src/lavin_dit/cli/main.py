"""Entry point of ``lavin``: reads the command line, runs the verb, turns errors into one line."""

import io
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from inspect import getdoc
from operator import or_
from typing import Annotated, Any, Protocol, runtime_checkable

import tyro

from lavin_dit import __version__
from lavin_dit.cli.context import Context
from lavin_dit.cli.convert import Convert
from lavin_dit.cli.demo import Demo
from lavin_dit.cli.evaluate import Evaluate
from lavin_dit.cli.finetune import Finetune
from lavin_dit.cli.info import Info
from lavin_dit.cli.inputs import no_such
from lavin_dit.cli.look import Look
from lavin_dit.cli.predict import Predict
from lavin_dit.cli.prepare import Prepare
from lavin_dit.cli.report import Report
from lavin_dit.cli.tasks import Tasks
from lavin_dit.cli.train import Train, train
from lavin_dit.cli.web import Web


@runtime_checkable
class Verb(Protocol):
    """What can be done: a record of its words."""

    def run(self) -> int:
        """Do it, and return the exit status."""
        ...


VERBS: dict[str, type[Verb]] = {
    "demo": Demo,
    "predict": Predict,
    "web": Web,
    "context": Context,
    "prepare": Prepare,
    "train": Train,
    "evaluate": Evaluate,
    "finetune": Finetune,
    "report": Report,
    "convert": Convert,
    "info": Info,
    "tasks": Tasks,
    "look": Look,
}
"""What can be done, by the first word after ``lavin``."""

DESCRIPTION = (
    "LaVin-DiT: a vision model that learns a task from example pairs. More on a verb: lavin VERB "
    "--help; the version: lavin --version."
)
_OUT_OF_MEMORY = re.compile("out of memory|allocate memory|not enough memory", re.IGNORECASE)
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_NO_READER = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after ``lavin``; those of the process if None.

    Returns:
        Exit status: 0 for success, 1 if some of many inputs failed, 2 for bad input, 130 if
        interrupted, 141 if whoever read the output, such as ``head``, has gone.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    words = sys.argv[1:] if arguments is None else list(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may be no text
        sys.stdout.reconfigure(errors="surrogateescape")
    return _answered(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    """Read the command line, and run its verb."""
    name = words[0] if words else ""
    if name == "--version":
        print(f"lavin-dit {__version__}")
        return 0
    if name == "train":  # its words are a recipe's, and what they may be depends on which
        return train(words[1:])
    if name in VERBS:
        return verb_of(words).run()
    if name and not name.startswith("-"):
        raise ValueError(no_such("verb", name, VERBS))
    tyro.cli(_outline(), prog="lavin", description=DESCRIPTION, args=words)
    raise AssertionError("without a verb, there is but help to be given")


def verb_of(words: Sequence[str]) -> Verb:
    """Read a command line.

    Args:
        words: Those after ``lavin``; the first is a key of ``VERBS``.

    Returns:
        What is to be done.
    """
    return tyro.cli(
        VERBS[words[0]],
        prog=f"lavin {words[0]}",
        args=words[1:],
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes),
    )


def _outline() -> Any:  # noqa: ANN401 - what tyro takes for a type
    """All verbs, each with the line that says what it does."""
    briefly = [
        Annotated[
            verb,
            tyro.conf.subcommand(name, description=(getdoc(verb) or "").partition("\n")[0]),
        ]
        for name, verb in VERBS.items()
    ]
    return reduce(or_, briefly)


def _answered(run: Callable[[], int]) -> int:
    """Do something, and tell its errors in a line."""
    try:
        try:
            return run()
        finally:
            sys.stdout.flush()  # here, where it can still be told that nobody reads
    except BrokenPipeError:
        return _without_reader()
    except (ValueError, OSError, TypeError, ImportError) as error:
        print(f"lavin: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        told = (str(error).splitlines() or [""])[0]
        print(
            f"lavin: error: not enough memory: smaller pictures or batches need less ({told})",
            file=sys.stderr,
        )
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("lavin: interrupted; what was finished is kept", file=sys.stderr)
        return EXIT_INTERRUPTED


def _without_reader() -> int:
    """Stop writing, as a program does that SIGPIPE ends."""
    # What is left in the buffer is flushed once more at exit, and must go somewhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_NO_READER


if __name__ == "__main__":
    sys.exit(main())
