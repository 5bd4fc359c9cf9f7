"""Showing one task: what the model and two baselines make of its packaged queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from lavin_dit.demo.headlines import headline_of
from lavin_dit.evaluation.metrics.state import merge_all
from lavin_dit.evaluation.predictors.baselines import CopyContext, MeanContext
from lavin_dit.evaluation.question import Predictor, Question
from lavin_dit.pipeline.clips import Clip, Source
from lavin_dit.pipeline.example_sets import Example, ExampleSet
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.results.result import Result

MODEL, COPY, MEAN = "model", "copy", "mean"
BASELINES: Mapping[str, Predictor] = {COPY: CopyContext(), MEAN: MeanContext()}
"""What the model must beat: the most similar example's target, and the mean of the targets."""

_MOST_CLIP_PAIRS = 2  # encoding clips is most of the work, and a demonstration should not be long


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What was made of a task's queries.

    Attributes:
        examples: The task's examples.
        context: Those that the model and the baselines were shown.
        answers: What the model painted, for each query.
        measure: Name of the score.
        scores: The score of the model and of each baseline.
    """

    examples: ExampleSet
    context: tuple[Example, ...]
    answers: tuple[UInt8[np.ndarray, "t h w 3"], ...]
    measure: str
    scores: Mapping[str, float]


def show(pipeline: LavinDiTPipeline, examples: ExampleSet, *, num_steps: int) -> Showing:
    """Predict a task's queries in one batch, and score them.

    Args:
        pipeline: The model.
        examples: The task's examples.
        num_steps: Sampling steps.
    """
    queries: list[Source] = [
        Clip(frames=query.input, name=f"{examples.task.name} {query.name}")
        for query in examples.queries
    ]
    count = pipeline.defaults.num_context_pairs
    if examples.task.num_frames > 1:
        count = min(count, _MOST_CLIP_PAIRS)
    predictions = pipeline(
        queries,
        task=examples.task,
        num_context_pairs=count,
        num_steps=num_steps,
        batch_size=len(queries),
        progress=False,
    )
    context = examples.context[:count]
    readings = {MODEL: [_reading(prediction) for prediction in predictions]}
    questions = [_question(context, query) for query in examples.queries]
    for name, baseline in BASELINES.items():
        painted = baseline.predict(questions)
        readings[name] = [examples.task.read(one, rule=examples.rule) for one in painted]
    truths = [
        examples.task.read(query.target, rule=examples.rule, key=query.key).annotation
        for query in examples.queries
    ]
    measure = headline_of(truths[0]).measure
    return Showing(
        examples=examples,
        context=context,
        answers=tuple(prediction.clip.frames for prediction in predictions),
        measure=measure,
        scores={name: _score(own, truths) for name, own in readings.items()},
    )


def _question(context: Sequence[Example], query: Example) -> Question:
    """What a baseline may see."""
    return Question(
        inputs=tuple(example.input for example in context),
        targets=tuple(example.target for example in context),
        query=query.input,
    )


def _reading(prediction: Prediction) -> Result:
    """What was read from a prediction whose task was named."""
    assert prediction.result is not None
    return prediction.result


def _score(readings: Sequence[Result], truths: Sequence[Annotation]) -> float:
    """The number of some readings."""
    headline = headline_of(truths[0])
    states = [headline.score(own, truth) for own, truth in zip(readings, truths, strict=True)]
    return merge_all(states).scores()[headline.measure]
