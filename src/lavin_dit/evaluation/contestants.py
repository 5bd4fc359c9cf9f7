"""Trained models in one table: each is asked the same, and its predictions kept apart."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from lavin_dit.evaluation.cases import Case
from lavin_dit.evaluation.predictions import Predictions
from lavin_dit.evaluation.predictors.baselines import BASELINES
from lavin_dit.evaluation.question import Clip, Predictor
from lavin_dit.vision.codecs.codec import Json

MODEL = "model"
"""Row and folder of the model that an evaluation is of."""

TRUTH, AUTOENCODER = "painted truth", "autoencoder"
"""Rows that bound what can be reached: the true painting, and what the autoencoder leaves of it,
which predictions can pass only by what they keep of their queries (decisions 0021 to 0023)."""


@runtime_checkable
class Reconstructs(Protocol):
    """A predictor that paints what its autoencoder lets through."""

    def reconstruct(self, clips: Sequence[Clip]) -> list[Clip]:
        """What is left of clips that are encoded and decoded."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A trained model.

    Attributes:
        predictor: What answers; None for scoring what is on disk.
        about: What tells the model and its sampling apart from others, for the setup.
    """

    predictor: Predictor | None
    about: Mapping[str, Json]


@dataclass(slots=True, kw_only=True)
class Asked:
    """A contestant at one protocol.

    Attributes:
        predictor: What answers; None for reading what is on disk.
        predictions: Its answers on disk.
        about: What tells the model and its sampling apart from others.
        seconds: How long it took.
        num_predicted: For how many queries.
    """

    predictor: Predictor | None
    predictions: Predictions
    about: Mapping[str, Json]
    seconds: float = 0.0
    num_predicted: int = 0

    @classmethod
    def begin(cls, contestant: Contestant, folder: Path, setup: Mapping[str, Json]) -> "Asked":
        """Begin predictions, or find and check those that are there.

        Args:
            contestant: The model.
            folder: Of its predictions.
            setup: What predictions hang on beside the model.

        Raises:
            MissingPredictionError: If there is no predictor and nothing to read.
            ValueError: If the folder holds predictions of another setup.
        """
        predictions = Predictions(folder=folder)
        # More queries may be asked later: those that are there stay right.
        fixed = {key: value for key, value in setup.items() if key != "num_queries"}
        about = dict(contestant.about)
        if contestant.predictor is None:
            before = predictions.setup()
            about = {key: value for key, value in before.items() if key not in fixed}
        predictions.begin({**fixed, **about})
        return cls(predictor=contestant.predictor, predictions=predictions, about=about)

    def answers(self, cases: Sequence[Case]) -> list[Clip]:
        """Predict what is missing, together with what it stands beside, and read all from disk."""
        if self.predictor is not None and self.predictions.missing(cases):
            start = time.perf_counter()
            self.predictions.predict(self.predictor, cases)
            self.seconds += time.perf_counter() - start
            self.num_predicted += len(cases)
        return [self.predictions.read(case) for case in cases]

    @property
    def seconds_per_query(self) -> float | None:
        """How long it took for a query; None where all predictions were there."""
        return self.seconds / self.num_predicted if self.num_predicted else None


def check_name(name: str) -> None:
    """Check what a rival of the model is to be called.

    Raises:
        ValueError: If it isn't letters, digits and hyphens, or is the name of another row.
    """
    if not name or not all(letter.isalnum() or letter == "-" for letter in name):
        raise ValueError(f"a model is named with letters, digits and hyphens, got {name!r}")
    if name in (MODEL, AUTOENCODER, *BASELINES):
        raise ValueError(f"{name} is a row of its own: name the model otherwise")
