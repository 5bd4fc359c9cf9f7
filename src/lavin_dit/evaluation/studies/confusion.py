"""Whether the context decides: the same query, shown with the examples of one task after another.

A prediction is counted for the task whose true target of the query it is nearest to. A model that
learns its task from the examples fills the diagonal; one that guesses the task from the query
fills a column.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from jaxtyping import Float64, Int64

from lavin_dit.data.augment import CentralFraming
from lavin_dit.evaluation.cases import Case, Cases, Ticket
from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.question import Clip, Predictor, Question, question_of
from lavin_dit.evaluation.samples import Place
from lavin_dit.vision.contact_sheet import Cell, Strip
from lavin_dit.vision.task import find_task

TASKS = (
    "depth_estimation",
    "surface_normal_estimation",
    "instance_segmentation",
    "panoptic_segmentation",
    "object_detection",
    "edge_detection",
)
"""Tasks whose query is a plain photo, so that nothing but the context tells them apart."""

_NUM_EXAMPLES = 64
_MAX_TRIES_PER_QUERY = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """What was done when something was shown.

    Attributes:
        tasks: The tasks, in the order of rows and columns.
        counts: Queries by the task that was shown (rows) and the task whose target the prediction
            was nearest to (columns).
        strips: The first queries with all predictions, to look at.
    """

    tasks: tuple[str, ...]
    counts: Int64[np.ndarray, "n n"]
    strips: tuple[Strip, ...]

    @property
    def shares(self) -> Float64[np.ndarray, "n n"]:
        """Each row's counts as shares of it."""
        return self.counts / self.counts.sum(axis=1, keepdims=True)

    @property
    def agreement(self) -> float:
        """Share of predictions that did what was shown."""
        return float(np.trace(self.counts) / self.counts.sum())

    def as_markdown(self) -> str:
        """A table of shares in percent: a row for what was shown, a column for what was done."""
        lines = [
            f"| shown \\ done | {' | '.join(self.tasks)} |",
            "|---" * (len(self.tasks) + 1) + "|",
        ]
        for task, row in zip(self.tasks, self.shares, strict=True):
            cells = " | ".join(f"{100 * share:.0f}" for share in row)
            lines.append(f"| {task} | {cells} |")
        chance = 100 / len(self.tasks)
        lines += ["", f"Agreement: {100 * self.agreement:.1f} % (by chance {chance:.1f} %)."]
        return "\n".join(lines) + "\n"


def confuse(
    predictor: Predictor,
    library: Library,
    *,
    num_queries: int = 50,
    num_pairs: int = 4,
    tasks: Sequence[str] = TASKS,
    num_shown: int = 4,
) -> Confusion:
    """Show every query with every task's examples.

    Args:
        predictor: What is asked.
        library: Whose synthetic world is shown.
        num_queries: Number of queries.
        num_pairs: Context pairs of each.
        tasks: Tasks of single photos.
        num_shown: How many queries to keep as strips.

    Returns:
        The table.
    """
    counts = np.zeros((len(tasks), len(tasks)), dtype=np.int64)
    strips: list[Strip] = []
    queries = _queries(library, tasks, num_pairs=num_pairs, limit=num_queries)
    for cases in islice(queries, num_queries):
        answers = predictor.predict([_question(case, cases) for case in cases])
        targets = [case.episode.query.target for case in cases]
        for row, answer in enumerate(answers):
            counts[row, _nearest(answer, targets)] += 1
        if len(strips) < num_shown:
            strips.append(_strip(cases, dict(zip(tasks, answers, strict=True))))
    return Confusion(tasks=tuple(tasks), counts=counts, strips=tuple(strips))


def _queries(
    library: Library, tasks: Sequence[str], *, num_pairs: int, limit: int
) -> Iterator[list[Case]]:
    """One case for each task, all on the same query; samples that some task refuses are skipped."""
    source = library.remembered_world(num_frames=1)
    walks = [
        Cases(
            find_task(name),
            (),
            framing=CentralFraming(size=library.size),
            num_cases=1,
            num_pairs=num_pairs,
            seed=0,
        )
        for name in tasks
    ]
    for turn in range(limit * _MAX_TRIES_PER_QUERY):
        query = _NUM_EXAMPLES + turn
        place = Place(source=source, query=query, among=range(_NUM_EXAMPLES))
        ticket = Ticket(number=turn, turn=turn, place=place)
        drawn = [walk.draw(ticket) for walk in walks]
        cases = [case for case in drawn if case is not None]
        if len(cases) == len(tasks):
            yield cases


def _question(case: Case, cases: Sequence[Case]) -> Question:
    """One task's examples with the query that all tasks share."""
    return replace(question_of(case.episode), query=cases[0].episode.query.input)


def _nearest(answer: Clip, targets: Sequence[Clip]) -> int:
    """The target with the least mean squared difference."""
    distances = [np.mean((answer.astype(np.float64) - target) ** 2) for target in targets]
    return int(np.argmin(distances))


def _strip(cases: Sequence[Case], answers: Mapping[str, Clip]) -> Strip:
    """A query, and what was painted with the examples of each task."""
    query = cases[0].episode.query.input
    cells = [Cell(caption="query", frames=query)]
    cells += [Cell(caption=name, frames=answer) for name, answer in answers.items()]
    return Strip(title=cases[0].episode.query_name, cells=tuple(cells))
