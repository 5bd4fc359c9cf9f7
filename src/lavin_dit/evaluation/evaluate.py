"""One protocol from its data to its report: predict to disk, score from disk, compare."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lavin_dit.evaluation.cases import Case, Cases
from lavin_dit.evaluation.contestants import (
    AUTOENCODER,
    MODEL,
    TRUTH,
    Asked,
    Contestant,
    Reconstructs,
)
from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.predictions import (
    MissingPredictionError,
    Predictions,
    check_answer,
)
from lavin_dit.evaluation.predictors.baselines import BASELINES
from lavin_dit.evaluation.protocol import Protocol, with_num_frames
from lavin_dit.evaluation.question import Clip, Predictor, question_of
from lavin_dit.evaluation.score import Score, ScoredCase, score_case, total_scores, write_samples
from lavin_dit.evaluation.scorers import Eye
from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.episode import check_num_pairs
from lavin_dit.vision.geometry import Size


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
        scored: Scored queries by predictor; ``model`` first, its rivals next, bounds last.
        totals: Scores over all queries by predictor.
        skipped: Samples and queries passed over, by reason.
        models: What tells the model and its rivals and their sampling apart, by the name of their
            row; for predictions on disk, what was written down with them.
        predictions: Predictions of the model and its rivals, by the name of their row.
        seconds_per_query: How long each of them took; None where all predictions were there.
    """

    protocol: Protocol
    setup: Mapping[str, Json]
    cases: Cases
    scored: Mapping[str, Sequence[ScoredCase]]
    totals: Mapping[str, Mapping[str, Score]]
    skipped: Mapping[str, int]
    models: Mapping[str, Mapping[str, Json]]
    predictions: Mapping[str, Predictions]
    seconds_per_query: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An evaluation of one model, or of the baselines alone.

    Attributes:
        library: The data.
        output: Folder of predictions and scores.
        settings: How protocols are run.
        predictor: The model; None for the baselines alone, or for scoring what is on disk.
        model: What tells the model and its sampling apart from others, for the setup.
        rivals: Other trained models that are asked the same, by the name of their row.
        score_only: Whether to score the predictions on disk without a model.
        eye: Network that judges likeness.
        on_case: Called after each query, for a progress bar.
    """

    library: Library
    output: Path
    settings: Settings = field(default_factory=Settings)
    predictor: Predictor | None = None
    model: Mapping[str, Json] = field(default_factory=dict[str, Json])
    rivals: Mapping[str, Contestant] = field(default_factory=dict[str, Contestant])
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
        asked = self._asked(folder, setup)
        scored: dict[str, list[ScoredCase]] = {}
        for batch in _batches(cases, self.settings.batch_size):
            answers = self._answers(protocol, batch, asked)
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
            models={name: one.about for name, one in asked.items()},
            predictions={name: one.predictions for name, one in asked.items()},
            seconds_per_query={name: one.seconds_per_query for name, one in asked.items()},
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

    def _asked(self, folder: Path, setup: Mapping[str, Json]) -> dict[str, Asked]:
        """The model and its rivals, by the name of their row; begun, or found and checked."""
        contestants = dict(self.rivals)
        if self.predictor is not None or self.score_only:
            model = Contestant(predictor=self.predictor, about=self.model)
            contestants = {MODEL: model, **contestants}
        return {
            name: Asked.begin(
                Contestant(predictor=None, about={}) if self.score_only else contestant,
                _place(folder, name),
                setup,
            )
            for name, contestant in contestants.items()
        }

    def _answers(
        self, protocol: Protocol, batch: Sequence[Case], asked: Mapping[str, Asked]
    ) -> Mapping[str, Sequence[Clip]]:
        """The pictures of all predictors, the model's first and the bounds last."""
        answers: dict[str, Sequence[Clip]] = {
            name: contestant.answers(batch) for name, contestant in asked.items()
        }
        questions = [question_of(case.episode) for case in batch]
        for name in protocol.baselines:
            answers[name] = BASELINES[name].predict(questions)
            for case, answer in zip(batch, answers[name], strict=True):
                check_answer(case, answer, name=name)
        targets = [case.episode.query.target for case in batch]
        for name, contestant in asked.items():
            if isinstance(contestant.predictor, Reconstructs):
                row = AUTOENCODER if name == MODEL else f"{AUTOENCODER} of {name}"
                answers[row] = contestant.predictor.reconstruct(targets)
        answers[TRUTH] = targets
        return answers


def stored_size(output: Path, protocols: Iterable[Protocol]) -> Size | None:
    """The size at which the predictions on disk were made, so that they can be scored again.

    Args:
        output: Folder of an evaluation.
        protocols: Whose predictions to look for.

    Returns:
        That of the first protocol that has some; None if none has.
    """
    for protocol in protocols:
        predictions = Predictions(folder=_place(output / protocol.name, MODEL))
        try:
            setup = predictions.setup()
        except MissingPredictionError:
            continue
        height, width = setup.get("height"), setup.get("width")
        if isinstance(height, int) and isinstance(width, int):
            return Size(height=height, width=width)
    return None


def _place(folder: Path, name: str) -> Path:
    """Where a protocol's folder holds the predictions of a row."""
    return folder / "predictions" / name


def _batches(cases: Iterable[Case], size: int) -> Iterator[list[Case]]:
    """Cases in batches; the last one may be smaller."""
    remaining = iter(cases)
    while batch := list(islice(remaining, size)):
        yield batch
