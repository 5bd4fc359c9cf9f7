"""The numbers that the demonstration tells."""

import math

import pytest

from lavin_dit.demo.headlines import headline_of
from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.pipeline.example_sets import EXAMPLES, load_examples
from lavin_dit.vision.task import discover_tasks

FOLDER = min(EXAMPLES.glob("*[0-9]"))


@pytest.mark.parametrize("name", discover_tasks())
def test_the_true_painting_has_the_best_score_and_another_one_has_not(name):
    examples = load_examples(name, FOLDER)
    (query, *_), (other, *_) = examples.queries, examples.context
    truth = examples.task.read(query.target, rule=examples.rule, key=query.key).annotation
    own, wrong = (
        examples.task.read(example.target, rule=examples.rule) for example in (query, other)
    )
    headline = headline_of(truth)
    measure = MEASURES[headline.measure]
    best, worse = (headline.score(one, truth).scores()[headline.measure] for one in (own, wrong))
    if measure.higher_is_better:
        assert best > 0.95
        assert worse < 0.9 * best
    else:
        assert best == pytest.approx(0, abs=0.01)
        assert worse > 0.05
    assert math.isfinite(worse)


@pytest.mark.unchecked
@pytest.mark.unchecked
def test_a_kind_without_a_measure():
    with pytest.raises(TypeError, match="no measure for int"):
        headline_of(3)
