"""One protocol from its data to its report: predict to disk, score from disk, compare."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol as Interface
from typing import runtime_checkable

from lavin_dit.evaluation.cases import Case, Cases
from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.predictions import Predictions, check_answer
from lavin_dit.evaluation.predictors.baselines import BASELINES
from lavin_dit.evaluation.protocol import Protocol, with_num_frames
from lavin_dit.evaluation.question import Clip, Predictor, question_of
from lavin_dit.evaluation.score import Score, ScoredCase, score_case, total_scores, write_samples
from lavin_dit.evaluation.scorers import Eye
from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.episode import check_num_pairs

TRUTH, AUTOENCODER = "painted truth", "autoencoder"
"""Rows that bound what can be reached: the true painting, and what the autoencoder leaves of it."""


@runtime_checkable
class Reconstructs(Interface):
    """A predictor that can only paint what its autoencoder lets through."""

    def reconstruct(self, clips: Sequence[Clip]) -> list[Clip]:
        """What is left of clips that are encoded and decoded."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How protocols are run; None leaves a number to the protocol.

    Attributes:
        num_queries: Number of queries.
        num_pairs: Context pairs of each query.
        num_frames: Length of clips.
        batch_size: Queries that are predicted together.

    Raises:
        ValueError: If a number is out of range.
    """

    num_queries: int | None = None
    num_pairs: int | None = None
    num_frames: int = 13
    batch_size: int = 16

    def __post_init__(self) -> None:
        """Check the numbers, before anything is drawn."""
        for name in ("num_queries", "num_frames", "batch_size"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        if self.num_pairs is not None:
            check_num_pairs(self.num_pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one protocol.

    Attributes:
        protocol: The protocol.
        setup: What it was run with.
        cases: Draws the cases again.
        scored: Scored queries by predictor; ``model`` first, bounds last.
        totals: Scores over all queries by predictor.
        skipped: Samples and queries passed over, by reason.
        predictions: The model's predictions, where there is a model.
        seconds_per_query: How long the model took; None where all predictions were there.
    """

    protocol: Protocol
    setup: Mapping[str, Json]
    cases: Cases
    scored: Mapping[str, Sequence[ScoredCase]]
    totals: Mapping[str, Mapping[str, Score]]
    skipped: Mapping[str, int]
    predictions: Predictions | None
    seconds_per_query: float | None


@dataclass(slots=True, kw_only=True)
class _Clock:
    """Counts the time that the model takes."""

    seconds: float = 0.0
    queries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An evaluation of one model, or of the baselines alone.

    Attributes:
        library: The data.
        output: Folder of predictions and scores.
        settings: How protocols are run.
        predictor: The model; None for the baselines alone, or for scoring what is on disk.
        model: What tells the model and its sampling apart from others, for the setup.
        score_only: Whether to score the predictions on disk without a model.
        eye: Network that judges likeness.
        on_case: Called after each query, for a progress bar.
    """

    library: Library
    output: Path
    settings: Settings = field(default_factory=Settings)
    predictor: Predictor | None = None
    model: Mapping[str, Json] = field(default_factory=dict[str, Json])
    score_only: bool = False
    eye: Eye | None = None
    on_case: Callable[[], object] | None = None

    def evaluate(self, protocol: Protocol) -> Outcome:
        """Run one protocol.

        Args:
            protocol: The protocol.

        Returns:
            Its scores.

        Raises:
            MissingDataError: If its data are not there.
            MissingPredictionError: If scores alone are asked for and a prediction is missing.
            ValueError: If the folder holds predictions of another setup.
        """
        folder = self.output / protocol.name
        cases, setup = self.cases(protocol)
        predictions = self._predictions(folder, setup)
        scored: dict[str, list[ScoredCase]] = {}
        clock = _Clock()
        for batch in _batches(cases, self.settings.batch_size):
            answers = self._answers(protocol, batch, predictions, clock)
            for name, pictures in answers.items():
                own = scored.setdefault(name, [])
                for case, picture in zip(batch, pictures, strict=True):
                    own.append(score_case(case, picture, scorer=protocol.scorer, eye=self.eye))
            for _ in batch:
                if self.on_case is not None:
                    self.on_case()
        for name, own in scored.items():
            write_samples(folder / "scores" / f"{name.replace(' ', '-')}.jsonl", own)
        return Outcome(
            protocol=protocol,
            setup=setup,
            cases=cases,
            scored=scored,
            totals={name: total_scores(own) for name, own in scored.items()},
            skipped=dict(cases.skipped),
            predictions=predictions,
            seconds_per_query=clock.seconds / clock.queries if clock.queries else None,
        )

    def cases(self, protocol: Protocol) -> tuple[Cases, Mapping[str, Json]]:
        """A protocol's queries, and what they hang on.

        Args:
            protocol: The protocol.

        Returns:
            The cases, not drawn yet, and the setup.
        """
        settings = self.settings
        task = with_num_frames(protocol.task, settings.num_frames)
        num_queries, num_pairs = settings.num_queries, settings.num_pairs
        num_queries = protocol.num_queries if num_queries is None else num_queries
        num_pairs = protocol.num_pairs if num_pairs is None else num_pairs
        size = self.library.size
        cases = Cases(
            task,
            protocol.places(self.library, task),
            framing=protocol.framing(size),
            num_cases=num_queries,
            num_pairs=num_pairs,
            seed=protocol.seed,
        )
        setup: dict[str, Json] = {
            "protocol": protocol.name,
            "split": self.library.split,
            "height": size.height,
            "width": size.width,
            "num_frames": task.num_frames,
            "num_pairs": num_pairs,
            "seed": protocol.seed,
        }
        return cases, setup | {"num_queries": num_queries}

    def _predictions(self, folder: Path, setup: Mapping[str, Json]) -> Predictions | None:
        """The model's predictions; begun, or found and checked."""
        if self.predictor is None and not self.score_only:
            return None
        name = "model" if self.predictor is None else self.predictor.name
        predictions = Predictions(folder=folder / "predictions" / name)
        # More queries may be asked later: those that are there stay right.
        fixed = {key: value for key, value in setup.items() if key != "num_queries"}
        model = dict(self.model)
        if self.score_only:
            before = predictions.setup()
            model = {key: value for key, value in before.items() if key not in fixed}
        predictions.begin({**fixed, **model})
        return predictions

    def _answers(
        self,
        protocol: Protocol,
        batch: Sequence[Case],
        predictions: Predictions | None,
        clock: _Clock,
    ) -> Mapping[str, Sequence[Clip]]:
        """The pictures of all predictors, the model's first and the bounds last."""
        answers: dict[str, Sequence[Clip]] = {}
        if predictions is not None:
            if self.predictor is not None and not self.score_only:
                missing = predictions.missing(batch)
                start = time.perf_counter()
                if missing:
                    predictions.predict(self.predictor, missing)
                clock.seconds += time.perf_counter() - start
                clock.queries += len(missing)
            answers["model"] = [predictions.read(case) for case in batch]
        questions = [question_of(case.episode) for case in batch]
        for name in protocol.baselines:
            answers[name] = BASELINES[name].predict(questions)
            for case, answer in zip(batch, answers[name], strict=True):
                check_answer(case, answer, name=name)
        targets = [case.episode.query.target for case in batch]
        if isinstance(self.predictor, Reconstructs):
            answers[AUTOENCODER] = self.predictor.reconstruct(targets)
        answers[TRUTH] = targets
        return answers


def _batches(cases: Iterable[Case], size: int) -> Iterator[list[Case]]:
    """Cases in batches; the last one may be smaller."""
    remaining = iter(cases)
    while batch := list(islice(remaining, size)):
        yield batch
