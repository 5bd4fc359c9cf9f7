"""Reports: JSON for programs, Markdown for people, and a sheet of best, median and worst."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from lavin_dit.evaluation.contestants import MODEL
from lavin_dit.evaluation.evaluate import Outcome
from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.evaluation.protocol import Bar
from lavin_dit.evaluation.score import Score, ScoredCase, difference, finite, ordered, verdict
from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.contact_sheet import Cell, Strip, draw_sheet
from lavin_dit.vision.results.files import write_atomically, write_json, write_png

Totals = Mapping[str, Mapping[str, Score]]


def write_report(
    folder: Path,
    outcomes: Sequence[Outcome],
    *,
    not_run: Mapping[str, str],
    about: Mapping[str, Json],
) -> tuple[Path, Path]:
    """Write the report of an evaluation; it shows the sheets that `write_sheet` has drawn before.

    Args:
        folder: Where to.
        outcomes: What came of the protocols that ran.
        not_run: Why others did not run, by name.
        about: The model, its sampling, the network that judges likeness.

    Returns:
        ``report.json`` and ``report.md``.
    """
    totals = {outcome.protocol.name: outcome.totals for outcome in outcomes}
    content: dict[str, Json] = {
        "about": dict(about),
        "protocols": {
            outcome.protocol.name: _as_json(outcome, totals=totals) for outcome in outcomes
        },
        "not_run": dict(not_run),
    }
    text = _as_markdown(
        outcomes,
        totals=totals,
        not_run=not_run,
        about=about,
        shown=[one.protocol.name for one in outcomes if (folder / _sheet(one)).exists()],
    )
    return (
        write_json(folder / "report.json", content),
        write_atomically(folder / "report.md", lambda file: file.write(text.encode())),
    )


def write_sheet(folder: Path, outcome: Outcome) -> Path | None:
    """Draw the best, the median and the worst query of a protocol.

    Args:
        folder: That of the report.
        outcome: What came of the protocol.

    Returns:
        ``sheet.png`` in the protocol's folder; None, and none is there, without a model's queries.
    """
    path = folder / _sheet(outcome)
    strips = best_median_worst(outcome)
    if strips:
        return write_png(path, draw_sheet(strips))
    path.unlink(missing_ok=True)
    return None


def bars_of(outcome: Outcome, *, totals: Mapping[str, Totals]) -> list[tuple[Bar, float, float]]:
    """What a trained model has to reach, and what was reached.

    Args:
        outcome: What came of a protocol.
        totals: Scores of all protocols, for limits that hang on another one.

    Returns:
        Each bar whose scores are all there, with the score and its limit.
    """
    found: list[tuple[Bar, float, float]] = []
    for bar in outcome.protocol.bars:
        own = outcome.totals.get(bar.of, {}).get(bar.score)
        other = None
        if bar.beside is not None:
            where = totals.get(bar.protocol or outcome.protocol.name, {})
            other = where.get(bar.beside, {}).get(bar.score)
            if other is None:
                continue
        if own is not None:
            found.append((bar, own.value, bar.limit(None if other is None else other.value)))
    return found


def against_rivals(outcome: Outcome) -> dict[str, Score]:
    """How far the model's primary score is from each rival's.

    Args:
        outcome: What came of a protocol.

    Returns:
        The model's score minus the rival's on the same queries, by the rival's name.
    """
    own = outcome.scored.get(MODEL)
    if own is None:
        return {}
    return {
        name: difference(own, outcome.scored[name], outcome.protocol.primary)
        for name in outcome.predictions
        if name != MODEL
    }


def best_median_worst(outcome: Outcome) -> list[Strip]:
    """The best, the median and the worst query as strips of a sheet.

    Args:
        outcome: What came of a protocol.

    Returns:
        Three strips, of the model's queries; none where there is no model.
    """
    primary = outcome.protocol.primary
    cases = ordered(
        outcome.scored.get(MODEL, ()),
        primary,
        higher_is_better=MEASURES[primary].higher_is_better is not False,
    )
    if not cases:
        return []
    places = {"best": 0, "median": len(cases) // 2, "worst": len(cases) - 1}
    return [_strip(outcome, cases[place], word=word) for word, place in places.items()]


def _strip(outcome: Outcome, scored: ScoredCase, *, word: str) -> Strip:
    """One query: an example, the query, what was predicted by whom, and the truth."""
    case = outcome.cases.draw(scored.ticket)
    assert case is not None, "a case that was scored can be drawn again"
    primary = outcome.protocol.primary
    value = MEASURES[primary].show(scored.scores()[primary])
    episode = case.episode
    predicted = [
        Cell(caption="prediction" if name == MODEL else name, frames=predictions.read(case))
        for name, predictions in outcome.predictions.items()
    ]
    return Strip(
        title=f"{word}: {MEASURES[primary].title} {value} ({scored.name})",
        cells=(
            Cell(caption="example", frames=episode.context[0].input),
            Cell(caption="its target", frames=episode.context[0].target),
            Cell(caption="query", frames=episode.query.input),
            *predicted,
            Cell(caption="truth", frames=episode.query.target),
        ),
    )


def _sheet(outcome: Outcome) -> str:
    """Where a protocol's sheet is, seen from the report."""
    return f"{outcome.protocol.name}/sheet.png"


def _as_json(outcome: Outcome, *, totals: Mapping[str, Totals]) -> dict[str, Json]:
    """One protocol for programs."""
    scores: dict[str, Json] = {
        predictor: {
            name: {
                "value": finite(score.value),
                "low": finite(score.low),
                "high": finite(score.high),
            }
            for name, score in own.items()
        }
        for predictor, own in outcome.totals.items()
    }
    return {
        "summary": outcome.protocol.summary,
        "setup": dict(outcome.setup),
        "models": {name: dict(about) for name, about in outcome.models.items()},
        "num_scored": max(map(len, outcome.scored.values()), default=0),
        "scores": scores,
        "against": {
            name: {
                "score": outcome.protocol.primary,
                "change": finite(change.value),
                "change_low": finite(change.low),
                "change_high": finite(change.high),
                "verdict": verdict(change, outcome.protocol.primary),
            }
            for name, change in against_rivals(outcome).items()
        },
        "paper": dict(outcome.protocol.paper),
        "bars": [
            {
                "of": bar.of,
                "score": bar.score,
                "relation": bar.relation,
                "limit": finite(limit),
                "value": finite(value),
                "met": _met(bar, value, limit),
            }
            for bar, value, limit in bars_of(outcome, totals=totals)
        ],
        "skipped": dict(outcome.skipped),
        "seconds_per_query": dict(outcome.seconds_per_query),
    }


def _as_markdown(
    outcomes: Sequence[Outcome],
    *,
    totals: Mapping[str, Totals],
    not_run: Mapping[str, str],
    about: Mapping[str, Json],
    shown: Sequence[str],
) -> str:
    """All protocols for people; with their sheets, where they are shown."""
    lines = ["# Evaluation", "", *(f"- {name}: {value}" for name, value in about.items()), ""]
    lines += [
        "Scores are over all queries, with the middle 95 % of 1,000 bootstrap rounds in brackets.",
        "`painted truth` is the true target read like a prediction, `autoencoder` what the model's",
        "own autoencoder leaves of it: predictions do better only by what they keep of queries.",
        "",
    ]
    summary = _bars_table(outcomes, totals=totals)
    if summary:
        lines += ["## Bars", "", *summary, ""]
    for outcome in outcomes:
        protocol, setup = outcome.protocol, outcome.setup
        count = max(map(len, outcome.scored.values()), default=0)
        lines += [
            f"## {protocol.name}",
            "",
            f"{protocol.summary} {count} queries, {setup['num_pairs']} pairs, {setup['split']}, "
            f"{setup['height']} x {setup['width']}.",
            "",
            *_table(outcome),
            "",
            *_against(outcome),
        ]
        if protocol.name in shown:
            lines += [f"![Best, median and worst query]({_sheet(outcome)})", ""]
    if not_run:
        lines += ["## Not run", "", *(f"- {name}: {why}" for name, why in not_run.items()), ""]
    return "\n".join(lines)


def _bars_table(outcomes: Sequence[Outcome], *, totals: Mapping[str, Totals]) -> list[str]:
    """What has to be reached, and whether it was."""
    rows: list[str] = []
    for outcome in outcomes:
        for bar, value, limit in bars_of(outcome, totals=totals):
            measure = MEASURES[bar.score]
            rows.append(
                f"| {outcome.protocol.name} | {bar.of}: {measure.title} | {bar.relation} "
                f"{measure.show(limit)} | {measure.show(value)} | "
                f"{'yes' if _met(bar, value, limit) else 'no'} |"
            )
    head = ["| protocol | score | bar | reached | met |", "|---|---|---|---|---|"]
    return [*head, *rows] if rows else []


def _met(bar: Bar, value: float, limit: float) -> bool:
    """Whether a limit is reached; NaN never reaches one."""
    return value >= limit if bar.relation == "at least" else value <= limit


def _table(outcome: Outcome) -> list[str]:
    """One protocol: a row for each predictor, a column for each score."""
    names = list(dict.fromkeys(name for own in outcome.totals.values() for name in own))
    # What the paper measures is shown even where it was not measured here.
    names += [name for name in outcome.protocol.paper if name not in names]
    arrows = {True: " (up)", False: " (down)", None: ""}
    heads = [f"{MEASURES[name].title}{arrows[MEASURES[name].higher_is_better]}" for name in names]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(names) + 1) + "|"]
    paper = outcome.protocol.paper
    if paper:
        cells = [MEASURES[name].show(paper[name]) if name in paper else "" for name in names]
        lines.append(f"| paper, 3.4B ({outcome.protocol.source}) | {' | '.join(cells)} |")
    for predictor, own in outcome.totals.items():
        cells = [_cell(name, own.get(name)) for name in names]
        lines.append(f"| {predictor} | {' | '.join(cells)} |")
    return lines


def _against(outcome: Outcome) -> list[str]:
    """A line for each rival of the model."""
    primary = outcome.protocol.primary
    lines = [
        f"- {MEASURES[primary].title}, model minus {name}: {_cell(primary, change)} "
        f"{verdict(change, primary)}".rstrip()
        for name, change in against_rivals(outcome).items()
    ]
    return [*lines, ""] if lines else []


def _cell(name: str, score: Score | None) -> str:
    """A score with its interval."""
    if score is None or math.isnan(score.value):
        return "-"
    show = MEASURES[name].show
    if score.low is None or score.high is None:
        return show(score.value)
    return f"{show(score.value)} [{show(score.low)}, {show(score.high)}]"
