"""From cases and their predictions to scores with confidence intervals."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from lavin_dit.evaluation.cases import Case, Ticket
from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.evaluation.metrics.state import Quotients, merge_all
from lavin_dit.evaluation.question import Clip
from lavin_dit.evaluation.scorers import Eye, Scorer, States
from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.results.files import write_atomically

_ROUNDS = 1000
_LEVEL_PERCENT = 95.0

Rounds: TypeAlias = Float64[np.ndarray, " rounds"]
"""A score in each of the bootstrap's rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score, and how far it would move with other queries.

    Attributes:
        value: The score over all queries.
        low: Lower end of the 95 % interval; None where there is no interval.
        high: Upper end.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCase:
    """One query's scores, without its clips.

    Attributes:
        ticket: What draws the case again.
        name: Name of the query's sample.
        context_names: Names of the examples' samples.
        states: States of its scores.
    """

    ticket: Ticket
    name: str
    context_names: tuple[str, ...]
    states: States

    def scores(self) -> Mapping[str, float]:
        """Those scores that say something of a single query."""
        own: dict[str, float] = {}
        for state in self.states:
            if isinstance(state, Quotients):
                own.update(state.scores())
        return own


def score_case(case: Case, picture: Clip, *, scorer: Scorer, eye: Eye | None) -> ScoredCase:
    """Score one prediction.

    Args:
        case: What was asked.
        picture: What was painted.
        scorer: The protocol's scorer.
        eye: Network that judges likeness, where there is one.

    Returns:
        The scored case.
    """
    return ScoredCase(
        ticket=case.ticket,
        name=case.episode.query_name,
        context_names=case.episode.context_names,
        states=scorer(case, picture, eye),
    )


def total_scores(cases: Sequence[ScoredCase], *, seed: int = 0) -> Mapping[str, Score]:
    """Scores over all queries.

    Args:
        cases: At least one.
        seed: What the bootstrap draws from.

    Returns:
        Each score by name; those that are no quotients of sums have no interval.
    """
    merged = [merge_all(states) for states in zip(*(case.states for case in cases), strict=True)]
    values: dict[str, float] = {}
    for state in merged:
        values.update(state.scores())
    rounds = bootstrap(cases, seed=seed) if _are_enough(cases) else {}
    ends = {name: interval(own) for name, own in rounds.items()}
    return {
        name: Score(value=value, low=ends[name][0], high=ends[name][1])
        if name in ends
        else Score(value=value)
        for name, value in values.items()
    }


def _are_enough(cases: Sequence[ScoredCase]) -> bool:
    """Whether queries on different samples tell how far a score can be trusted."""
    return len({case.name for case in cases}) > 1


def bootstrap(cases: Sequence[ScoredCase], *, seed: int = 0) -> Mapping[str, Rounds]:
    """Scores of many rounds in which the queries are drawn again with replacement.

    Queries on the same sample are drawn together, since they tell less than queries on different
    ones. The same queries and seed give the same rounds, so that two predictors can be compared
    round by round.

    Args:
        cases: The scored queries.
        seed: What is drawn from.

    Returns:
        A score for each round, by name; NaN where a round says nothing of it.
    """
    states = [_quotients(case) for case in cases]
    keys = sorted({key for state in states for key in state.entries})
    tops, bottoms = (np.zeros((len(states), len(keys))) for _ in range(2))
    for row, state in enumerate(states):
        for column, key in enumerate(keys):
            if key in state.entries:
                tops[row, column] = state.entries[key].numerator
                bottoms[row, column] = state.entries[key].denominator
    names, owners = np.unique(np.array([case.name for case in cases]), return_inverse=True)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=_ROUNDS)
    weights = drawn[:, owners].astype(np.float64)
    top, bottom = weights @ tops, weights @ bottoms
    ratios = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return {
        name: _mean_of_groups(
            ratios[:, [place for place, key in enumerate(keys) if key[0] == name]]
        )
        for name in dict.fromkeys(key[0] for key in keys)
    }


def interval(rounds: Rounds) -> tuple[float | None, float | None]:
    """The middle 95 % of some rounds.

    Args:
        rounds: A number for each round; NaN for a round that says nothing.

    Returns:
        Lower and upper end; None where no round says anything.
    """
    known = rounds[np.isfinite(rounds)]
    if not len(known):
        return None, None
    tail = (100 - _LEVEL_PERCENT) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)


def difference(
    cases: Sequence[ScoredCase], others: Sequence[ScoredCase], score: str, *, seed: int = 0
) -> Score:
    """How much better or worse a score is than another one on the same queries.

    Args:
        cases: The scored queries.
        others: The same queries, scored for what is compared with.
        score: The score, a quotient of sums.
        seed: What the bootstrap draws from.

    Returns:
        The difference, with an interval from the same draws for both; none of a single sample.

    Raises:
        ValueError: If the queries differ.
    """
    if [case.name for case in cases] != [case.name for case in others]:
        raise ValueError("scores can be compared query by query on the same queries alone")
    own, other = (total_scores(found)[score].value for found in (cases, others))
    if not _are_enough(cases):
        return Score(value=own - other)
    rounds = bootstrap(cases, seed=seed)[score] - bootstrap(others, seed=seed)[score]
    low, high = interval(rounds)
    return Score(value=own - other, low=low, high=high)


def verdict(change: Score, score: str) -> str:
    """Whether a difference is for the better, as far as its interval tells.

    Args:
        change: From `difference`.
        score: Name of the score.

    Returns:
        ``better``, ``worse`` or ``equal``; empty where there is no interval.
    """
    if change.low is None or change.high is None:
        return ""
    if change.low <= 0 <= change.high:
        return "equal"
    higher_is_better = MEASURES[score].higher_is_better is not False
    return "better" if (change.low > 0) == higher_is_better else "worse"


def write_samples(path: Path, cases: Iterable[ScoredCase]) -> Path:
    """Write the scores of every query, one JSON object a line.

    Args:
        path: The file.
        cases: The scored queries.

    Returns:
        The file.
    """
    lines: list[str] = []
    for case in cases:
        row: dict[str, Json] = {
            "number": case.ticket.number,
            "query": case.name,
            "group": case.ticket.place.group,
            "context": list(case.context_names),
            "scores": {name: finite(value) for name, value in case.scores().items()},
        }
        lines.append(json.dumps(row, allow_nan=False) + "\n")
    return write_atomically(path, lambda file: file.write("".join(lines).encode()))


def finite(value: float | None) -> float | None:
    """A number for JSON, which has none that is not finite."""
    return value if value is not None and math.isfinite(value) else None


def ordered(cases: Sequence[ScoredCase], score: str, *, higher_is_better: bool) -> list[ScoredCase]:
    """Queries from best to worst; those that say nothing of the score are left out.

    Args:
        cases: The scored queries.
        score: What orders them.
        higher_is_better: Which way is good.

    Returns:
        The queries.
    """
    value: Callable[[ScoredCase], float] = lambda case: case.scores().get(score, math.nan)  # noqa: E731
    known = [case for case in cases if not math.isnan(value(case))]
    return sorted(known, key=value, reverse=higher_is_better)


def _quotients(case: ScoredCase) -> Quotients:
    """The quotients among a case's states."""
    found = [state for state in case.states if isinstance(state, Quotients)]
    return merge_all([Quotients(), *found])


def _mean_of_groups(ratios: Float64[np.ndarray, "rounds groups"]) -> Rounds:
    """The mean over those groups that a round says something of."""
    known = np.isfinite(ratios)
    counts, sums = known.sum(axis=1), np.where(known, ratios, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(ratios), np.nan), where=counts > 0)
