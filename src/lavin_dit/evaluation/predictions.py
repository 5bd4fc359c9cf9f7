"""Predictions on disk: lossless, complete or not there, and only ever of one setup."""

import hashlib
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lavin_dit.evaluation.cases import Case
from lavin_dit.evaluation.question import Clip, Predictor, question_of
from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.results.files import write_atomically, write_json

_SETUP = "setup.json"
_QUERY = "query"  # a text of a PNG, an array of an archive: a digest of the question

_UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, EOFError, SyntaxError, BadZipFile, zlib.error,
)  # fmt: skip
"""What Pillow and NumPy raise at files that are cut off or hold something else."""


class MissingPredictionError(FileNotFoundError):
    """Scores are asked for, but a prediction is not on disk."""


class DamagedPredictionError(ValueError):
    """A file of predictions holds something else than what was written."""


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
            DamagedPredictionError: If what is written down there can't be read.
        """
        path = self.folder / _SETUP
        if not path.exists():
            write_json(path, setup)
            return
        before = self.setup()
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
            DamagedPredictionError: If it can't be read.
        """
        path = self.folder / _SETUP
        if not path.exists():
            raise MissingPredictionError(f"{self.folder}: no predictions here to score")
        try:
            setup: Mapping[str, Json] = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise DamagedPredictionError(
                f"{path} is damaged ({error}): delete {self.folder} and evaluate again"
            ) from error
        return setup

    def missing(self, cases: Sequence[Case]) -> list[Case]:
        """Those cases that have no prediction yet."""
        return [case for case in cases if not self._path(case).exists()]

    def predict(self, predictor: Predictor, cases: Sequence[Case]) -> None:
        """Predict cases and save those answers that are not there yet.

        All are predicted together, also those that are there: numbers of a network may hang, in
        their last bits, on what it computes beside them, so that a stopped run would not go on to
        the very same predictions.

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
            if path.exists():
                continue
            data = io.BytesIO()
            if path.suffix == ".png":
                text = PngInfo()
                text.add_text(_QUERY, _digest(case))
                Image.fromarray(np.ascontiguousarray(answer[0])).save(data, "PNG", pnginfo=text)
            else:
                np.savez_compressed(data, frames=answer, query=np.array(_digest(case)))
            write_atomically(path, lambda file, data=data: file.write(data.getvalue()))

    def read(self, case: Case) -> Clip:
        """A prediction.

        Args:
            case: Of what.

        Returns:
            The painted clip, as it was predicted.

        Raises:
            MissingPredictionError: If it is not there.
            DamagedPredictionError: If its file holds no clip of the target's shape.
            ValueError: If it answers another question: the data have changed.
        """
        path = self._path(case)
        if not path.exists():
            raise MissingPredictionError(
                f"{path}: no such prediction; evaluate without --score-only to make it"
            )
        wanted = case.episode.query.target.shape
        try:
            clip, answered = _read_clip(path)
            if clip.shape != wanted or clip.dtype != np.uint8:
                raise ValueError(f"{clip.dtype} of {clip.shape} and not uint8 of {wanted}")
        except _UNREADABLE as error:
            raise DamagedPredictionError(
                f"{path} is damaged ({error}): delete it, and evaluate without --score-only to "
                "make it again"
            ) from error
        if answered not in (None, _digest(case)):
            raise ValueError(
                f"{path} answers another question than that of {case.episode.query_name}: the data "
                "are not those that it was made with; choose another output folder, or delete it"
            )
        return clip

    def _path(self, case: Case) -> Path:
        """Where a case's prediction is: PNG for pictures, a compressed array for clips."""
        ending = ".png" if len(case.episode.query.target) == 1 else ".npz"
        return self.folder / f"{case.number:05d}{ending}"


def _digest(case: Case) -> str:
    """A short name for a question, by the names of its samples and its rule.

    Not by their pixels: the same scene may differ by a bit on another machine.
    """
    episode = case.episode
    names = [*episode.context_names, episode.query_name]
    if episode.rule is not None:
        names.append(repr(episode.rule))
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]


def _read_clip(path: Path) -> tuple[np.ndarray, str | None]:
    """What a file holds, and of which query it was made, if it says so.

    A picture is a clip of one frame.
    """
    if path.suffix == ".png":
        with Image.open(path) as picture:
            return np.asarray(picture)[None], picture.info.get(_QUERY)
    # Opened here, since NumPy leaves what is no archive open.
    with path.open("rb") as file, np.load(file) as stored:
        return stored["frames"], str(stored[_QUERY]) if _QUERY in stored else None


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
