"""The studies of ``lavin evaluate``: context lengths, and contexts swapped between tasks."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lavin_dit.evaluation.evaluate import Run
    from lavin_dit.evaluation.protocol import Protocol
    from lavin_dit.evaluation.studies.confusion import Confusion
    from lavin_dit.evaluation.studies.sweep import Row
    from lavin_dit.vision.codecs.codec import Json


def pairs_folder(output: Path, count: int) -> Path:
    """Where the study of context lengths keeps the predictions with a number of pairs."""
    return output / f"pairs-{count}"


def compare_lengths(
    run: "Run", protocols: "Sequence[Protocol]", lengths: Sequence[int], *, passing_over: bool
) -> Path:
    """Compare numbers of pairs on the same queries.

    Args:
        run: The evaluation; its folder is that of the study.
        protocols: What is measured.
        lengths: Numbers of pairs; the first is what the others are compared with.
        passing_over: Whether protocols without data are passed over, with a line that says so.

    Returns:
        ``context.md``, beside ``context.json``.

    Raises:
        MissingDataError: If a protocol has no data that can be used and isn't passed over, or
            none has any.
        ValueError: If there is no model.
    """
    from dataclasses import replace

    from lavin_dit.data.episodes import NoEpisodeError
    from lavin_dit.evaluation.library import MissingDataError
    from lavin_dit.evaluation.studies.sweep import sweep, sweep_table
    from lavin_dit.vision.results.files import write_json

    output = run.output
    runs: Mapping[str, Run] = {
        f"{count} {'pair' if count == 1 else 'pairs'}": replace(
            run,
            output=pairs_folder(output, count),
            settings=replace(run.settings, num_pairs=count),
        )
        for count in lengths
    }
    rows: list[Row] = []
    for protocol in protocols:
        try:
            rows += sweep(runs, [protocol])
        except (MissingDataError, NoEpisodeError) as error:
            if not passing_over:
                raise MissingDataError(f"{protocol.name} {error}") from error
            print(f"{protocol.name} {error}", file=sys.stderr)
            continue
        # After each protocol, so that a stopped study has a table of what it did.
        write_json(output / "context.json", {"rows": [row.as_json() for row in rows]})
        _write_text(output / "context.md", sweep_table(rows))
    if not rows:
        raise MissingDataError("no protocol has its data")
    return output / "context.md"


def write_confusion(output: Path, found: "Confusion") -> Path:
    """Write what came of swapped contexts.

    Args:
        output: The folder.
        found: What came of them.

    Returns:
        ``confusion.md``, beside ``confusion.json`` and ``confusion.png``.
    """
    from lavin_dit.vision.contact_sheet import draw_sheet
    from lavin_dit.vision.results.files import write_json, write_png

    content: dict[str, Json] = {
        "tasks": list(found.tasks),
        "counts": found.counts.tolist(),
        "agreement": found.agreement,
    }
    write_json(output / "confusion.json", content)
    write_png(output / "confusion.png", draw_sheet(found.strips))
    return _write_text(output / "confusion.md", found.as_markdown())


def _write_text(path: Path, text: str) -> Path:
    from lavin_dit.vision.results.files import write_atomically

    return write_atomically(path, lambda file: file.write(text.encode()))
