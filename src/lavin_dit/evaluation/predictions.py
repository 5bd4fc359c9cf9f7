"""Predictions on disk: lossless, complete or not there, and only ever of one setup."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lavin_dit.evaluation.cases import Case
from lavin_dit.evaluation.question import Clip, Predictor, question_of
from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.results.files import write_atomically, write_json, write_png

_SETUP = "setup.json"


class MissingPredictionError(FileNotFoundError):
    """Scores are asked for, but a prediction is not on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """The predictions of one predictor for one protocol.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    def begin(self, setup: Mapping[str, Json]) -> None:
        """Write down what they are predictions of, or check that it is what is there.

        Args:
            setup: Everything that predictions hang on.

        Raises:
            ValueError: If the folder holds predictions of another setup; the message says which
                settings differ.
        """
        path = self.folder / _SETUP
        if not path.exists():
            write_json(path, setup)
            return
        before: Mapping[str, Json] = json.loads(path.read_text(encoding="utf-8"))
        differ = [
            f"{name} was {before.get(name)!r} and is {setup.get(name)!r}"
            for name in sorted(before.keys() | setup.keys())
            if before.get(name) != setup.get(name)
        ]
        if differ:
            raise ValueError(
                f"{self.folder} holds predictions of another setup ({'; '.join(differ)}): choose "
                "another output folder, or delete it"
            )

    def setup(self) -> Mapping[str, Json]:
        """What they are predictions of.

        Raises:
            MissingPredictionError: If there are none.
        """
        path = self.folder / _SETUP
        if not path.exists():
            raise MissingPredictionError(f"{self.folder}: no predictions here to score")
        setup: Mapping[str, Json] = json.loads(path.read_text(encoding="utf-8"))
        return setup

    def missing(self, cases: Sequence[Case]) -> list[Case]:
        """Those cases that have no prediction yet."""
        return [case for case in cases if not self._path(case).exists()]

    def predict(self, predictor: Predictor, cases: Sequence[Case]) -> None:
        """Predict cases and save the answers.

        Args:
            predictor: What answers.
            cases: Of one protocol.

        Raises:
            ValueError: If an answer has not the target's shape.
        """
        answers = predictor.predict([question_of(case.episode) for case in cases])
        for case, answer in zip(cases, answers, strict=True):
            check_answer(case, answer, name=predictor.name)
            path = self._path(case)
            if path.suffix == ".png":
                write_png(path, answer[0])
                continue
            data = io.BytesIO()
            np.savez_compressed(data, frames=answer)
            write_atomically(path, lambda file, data=data: file.write(data.getvalue()))

    def read(self, case: Case) -> Clip:
        """A prediction.

        Args:
            case: Of what.

        Returns:
            The painted clip, as it was predicted.

        Raises:
            MissingPredictionError: If it is not there.
        """
        path = self._path(case)
        if not path.exists():
            raise MissingPredictionError(
                f"{path}: no such prediction; evaluate without --score-only to make it"
            )
        if path.suffix == ".png":
            with Image.open(path) as picture:
                return np.asarray(picture.convert("RGB"))[None]
        with np.load(path) as stored:
            frames: Clip = stored["frames"]
            return frames

    def _path(self, case: Case) -> Path:
        """Where a case's prediction is: PNG for pictures, a compressed array for clips."""
        ending = ".png" if len(case.episode.query.target) == 1 else ".npz"
        return self.folder / f"{case.number:05d}{ending}"


def check_answer(case: Case, answer: Clip, *, name: str) -> None:
    """Check an answer's shape.

    Args:
        case: What was asked.
        answer: What was answered.
        name: Of the predictor.

    Raises:
        ValueError: If it has not the target's shape.
    """
    wanted = case.episode.query.target.shape
    if answer.shape != wanted:
        raise ValueError(
            f"{name} answered query {case.number} of {case.task.name} with {answer.shape}; a "
            f"target of {wanted} was asked for"
        )
