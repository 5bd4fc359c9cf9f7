"""Entry point of ``lavin``: reads the command line, runs the verb, turns errors into one line."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, TypeAlias

import tyro

from lavin_dit.cli.context import Context
from lavin_dit.cli.convert import Convert
from lavin_dit.cli.demo import Demo
from lavin_dit.cli.evaluate import Evaluate
from lavin_dit.cli.finetune import Finetune
from lavin_dit.cli.info import Info
from lavin_dit.cli.look import Look
from lavin_dit.cli.predict import Predict
from lavin_dit.cli.prepare import Prepare
from lavin_dit.cli.report import Report
from lavin_dit.cli.tasks import Tasks
from lavin_dit.cli.train import Train, train

Verb: TypeAlias = (
    Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Predict, tyro.conf.subcommand("predict")]
    | Annotated[Context, tyro.conf.subcommand("context")]
    | Annotated[Prepare, tyro.conf.subcommand("prepare")]
    | Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Finetune, tyro.conf.subcommand("finetune")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[Info, tyro.conf.subcommand("info")]
    | Annotated[Tasks, tyro.conf.subcommand("tasks")]
    | Annotated[Look, tyro.conf.subcommand("look")]
)

DESCRIPTION = "LaVin-DiT: a vision model that learns a task from example pairs."
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
    return _answered(lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    """Read the command line, and run its verb."""
    if words[:1] == ["train"]:  # its words are a recipe's, and what they may be depends on which
        return train(words[1:])
    verb = tyro.cli(
        Verb,  # pyright: ignore[reportArgumentType] - a union is what it asks for
        prog="lavin",
        description=DESCRIPTION,
        args=words,
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.OmitArgPrefixes),
    )
    return verb.run()


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
