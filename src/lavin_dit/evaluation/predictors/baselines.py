"""Baselines that have learnt nothing; whoever scores below them has learnt less than nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lavin_dit.evaluation.question import Clip, Predictor, Question

_WHITE, _GREY = 255, 128


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyContext:
    """Gives the target of the example whose input is most like the query.

    Alike is what has the least mean squared difference of levels.
    """

    name: str = "copy-context"

    def predict(self, questions: Sequence[Question]) -> list[Clip]:
        """Copy a target for each question."""
        return [_most_alike(question) for question in questions]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanContext:
    """Gives the mean of the examples' targets, whatever the query."""

    name: str = "mean-context"

    def predict(self, questions: Sequence[Question]) -> list[Clip]:
        """Average the targets of each question."""
        return [
            np.rint(np.mean(question.targets, axis=0, dtype=np.float64)).astype(np.uint8)
            for question in questions
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Gives the query back: the spoilt photo, the grey photo, the last frame again and again.

    Read as an annotation it is what a photo says by its own colours: a thing where a palette has
    its colour, depth where it is bright.
    """

    name: str = "input"

    def predict(self, questions: Sequence[Question]) -> list[Clip]:
        """Copy each query; its last frame is repeated where the target is longer."""
        return [_of_length(question.query, question.num_target_frames) for question in questions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """Gives one grey level, whatever is asked.

    Attributes:
        name: What it is called.
        level: The level; white is a flow of zero.
    """

    name: str
    level: int

    def predict(self, questions: Sequence[Question]) -> list[Clip]:
        """Paint each target in one level."""
        return [np.full_like(question.targets[0], self.level) for question in questions]


ZERO_FLOW = Constant(name="zero-flow", level=_WHITE)
GREY = Constant(name="grey", level=_GREY)

BASELINES: dict[str, Predictor] = {
    predictor.name: predictor
    for predictor in (CopyContext(), MeanContext(), Identity(), ZERO_FLOW, GREY)
}
"""The baselines by name."""


def _most_alike(question: Question) -> Clip:
    """The target of the nearest example; the first of those that are equally near."""
    query = question.query.astype(np.float32)
    distances = [float(np.mean((query - one.astype(np.float32)) ** 2)) for one in question.inputs]
    return question.targets[int(np.argmin(distances))]


def _of_length(clip: Clip, num_frames: int) -> Clip:
    """The first frames of a clip, its last one repeated where it is too short."""
    missing = num_frames - len(clip)
    if missing <= 0:
        return clip[:num_frames]
    return np.concatenate([clip, np.repeat(clip[-1:], missing, axis=0)])
