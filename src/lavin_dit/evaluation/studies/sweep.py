"""One setting varied over several values, protocol by protocol, on the same queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lavin_dit.evaluation.evaluate import Outcome, Run
from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.score import Score, difference, finite, verdict
from lavin_dit.vision.codecs.codec import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One protocol's primary score with one value of the setting.

    Attributes:
        protocol: Name of the protocol.
        score: Name of the score.
        setting: The value, in words.
        total: The score.
        change: How it differs from that with the first value, on the same queries; None for the
            first, or where queries differ.
        seconds_per_query: How long the model took; None where predictions were there already.
    """

    protocol: str
    score: str
    setting: str
    total: Score
    change: Score | None
    seconds_per_query: float | None

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``equal`` to the first value, as far as the interval tells."""
        return "" if self.change is None else verdict(self.change, self.score)

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        change = self.change or Score(value=float("nan"))
        return {
            "protocol": self.protocol,
            "score": self.score,
            "setting": self.setting,
            "value": finite(self.total.value),
            "low": finite(self.total.low),
            "high": finite(self.total.high),
            "change": finite(change.value),
            "change_low": finite(change.low),
            "change_high": finite(change.high),
            "verdict": self.verdict,
            "seconds_per_query": self.seconds_per_query,
        }


def sweep(runs: Mapping[str, Run], protocols: Sequence[Protocol]) -> list[Row]:
    """Run protocols with every value of a setting.

    Args:
        runs: A run for each value, by the value in words; each with an output folder of its own.
        protocols: What is measured.

    Returns:
        Protocol by protocol, a row for each value.

    Raises:
        ValueError: If a run has no model.
    """
    rows: list[Row] = []
    for protocol in protocols:
        first: Outcome | None = None
        for setting, run in runs.items():
            outcome = run.evaluate(protocol)
            if "model" not in outcome.scored:
                raise ValueError("a study needs a model, or its predictions to score")
            rows.append(_row(outcome, first, setting=setting))
            first = first or outcome
    return rows


def sweep_table(rows: Sequence[Row]) -> str:
    """A Markdown table: a row for each protocol, a column for each value.

    Args:
        rows: What ``sweep`` returned.

    Returns:
        The table; of all but the first value, whether it is better or worse than that. Cells of
        what was not run are empty.
    """
    settings = list(dict.fromkeys(row.setting for row in rows))
    lines = [f"| protocol | score | {' | '.join(settings)} |", "|---" * (len(settings) + 2) + "|"]
    for name in dict.fromkeys(row.protocol for row in rows):
        own = {row.setting: row for row in rows if row.protocol == name}
        measure = MEASURES[next(iter(own.values())).score]
        cells = [
            f"{measure.show(own[setting].total.value)} {own[setting].verdict}".strip()
            if setting in own
            else ""
            for setting in settings
        ]
        arrow = "down" if measure.higher_is_better is False else "up"
        lines.append(f"| {name} | {measure.title} ({arrow}) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _row(outcome: Outcome, first: Outcome | None, *, setting: str) -> Row:
    """The primary score of an outcome, beside that of the first value."""
    score = outcome.protocol.primary
    change = None
    if first is not None:
        own, other = outcome.scored["model"], first.scored["model"]
        if [case.name for case in own] == [case.name for case in other]:
            change = difference(own, other, score)
    return Row(
        protocol=outcome.protocol.name,
        score=score,
        setting=setting,
        total=outcome.totals["model"][score],
        change=change,
        seconds_per_query=outcome.seconds_per_query.get("model"),
    )
