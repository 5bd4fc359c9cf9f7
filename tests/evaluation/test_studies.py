import numpy as np
import pytest

from lavin_dit.evaluation.cases import Ticket
from lavin_dit.evaluation.evaluate import Run, Settings
from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.evaluation.metrics.state import quotient, sample_means
from lavin_dit.evaluation.protocol import find_protocol
from lavin_dit.evaluation.samples import Place
from lavin_dit.evaluation.score import ScoredCase, bootstrap, difference, interval, total_scores
from lavin_dit.evaluation.studies.confusion import confuse
from lavin_dit.evaluation.studies.sweep import sweep, sweep_table
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size
from protocol_scenes import on_scenes
from scene_source import SceneSource

KINDS = (Depth, Normals, Instances, Panoptic, Boxes)


def scenes():
    return SceneSource(length=90, height=90, kinds=KINDS)


@pytest.fixture
def library(monkeypatch):
    monkeypatch.setattr(Library, "remembered_world", lambda self, num_frames: scenes())
    return Library(folder=None, split="test", size=Size(height=48, width=64))


class Mean:
    """Paints the mean of the examples' targets: does what is shown, if badly."""

    name = "model"

    def predict(self, questions):
        return [
            np.mean(question.targets, axis=0).round().astype(np.uint8) for question in questions
        ]


class Stubborn(Mean):
    """Paints what the first question's examples show, whatever the others show."""

    def predict(self, questions):
        return super().predict(questions[:1]) * len(questions)


def test_who_follows_the_examples_fills_the_diagonal(library):
    tasks = ("depth_estimation", "surface_normal_estimation", "instance_segmentation")
    settings = {"num_queries": 3, "num_pairs": 2, "tasks": tasks, "num_shown": 1}
    followed = confuse(Mean(), library, **settings)
    assert followed.agreement > 0.6
    assert len(followed.strips) == 1
    assert len(followed.strips[0].cells) == 4
    stubborn = confuse(Stubborn(), library, **settings)
    assert stubborn.counts.sum() == 9
    assert (stubborn.counts[0] == stubborn.counts[1]).all()
    assert stubborn.agreement == pytest.approx(1 / 3)
    assert "by chance 33.3 %" in stubborn.as_markdown()


class FromPairs(Mean):
    """Better with more pairs: the mean target, with noise that their number damps."""

    def predict(self, questions):
        rng = np.random.default_rng(0)
        clean = super().predict(questions)
        spread = 120 / len(questions[0].inputs) ** 2
        return [
            np.clip(one + rng.normal(0, spread, one.shape), 0, 255).astype(np.uint8)
            for one in clean
        ]


def test_context_lengths_are_compared_on_the_same_queries(library, tmp_path):
    protocol = on_scenes(find_protocol("world-depth_to_image"))
    runs = {
        f"{count} pairs": Run(
            library=library,
            output=tmp_path / str(count),
            settings=Settings(num_queries=5, num_pairs=count),
            predictor=FromPairs(),
        )
        for count in (1, 3)
    }
    first, second = sweep(runs, [protocol])
    assert (first.change, first.verdict) == (None, "")
    assert second.change.value == pytest.approx(second.total.value - first.total.value)
    assert second.verdict == "better"
    assert f"{MEASURES['psnr_db'].show(second.total.value)} better" in sweep_table([first, second])
    assert second.as_json()["change_low"] > 0
    with pytest.raises(ValueError, match="needs a model"):
        sweep(
            {"none": Run(library=library, output=tmp_path / "x", settings=Settings(num_queries=2))},
            [protocol],
        )


def scored(values, names=None):
    place = Place(source=scenes(), query=0)
    names = names or [str(number) for number in range(len(values))]
    return [
        ScoredCase(
            ticket=Ticket(number=number, turn=number, place=place),
            name=name,
            context_names=(),
            states=(sample_means(a=value).merge(quotient("q", value, 2.0)),),
        )
        for number, (value, name) in enumerate(zip(values, names, strict=True))
    ]


def test_intervals_are_those_of_the_mean():
    rng = np.random.default_rng(1)
    values = rng.normal(5, 2, 400).tolist()
    score = total_scores(scored(values))["a"]
    half = 1.96 * np.std(values) / 20
    assert score.value == pytest.approx(np.mean(values))
    assert score.low == pytest.approx(score.value - half, rel=0.03)
    assert score.high == pytest.approx(score.value + half, rel=0.03)


def test_queries_on_one_sample_are_drawn_together():
    values = [1.0, 1.0, 1.0, 0.0]
    names = ["a", "a", "a", "b"]
    rounds = bootstrap(scored(values, names))["a"]
    assert set(np.round(rounds, 9)) == {0.0, 0.75, 1.0}  # b b, a b, a a
    assert total_scores(scored([1.0, 0.0], ["a", "a"]))["a"].low is None


def test_a_single_sample_says_nothing_of_a_difference():
    change = difference(scored([2.0, 3.0], ["x", "x"]), scored([1.0, 1.0], ["x", "x"]), "a")
    assert (change.low, change.high) == (None, None)
    assert change.value == pytest.approx(1.5)


def test_differences_are_of_the_same_draws():
    values = np.random.default_rng(2).normal(0, 100, 50)
    change = difference(scored((values + 1).tolist()), scored(values.tolist()), "a")
    assert change.value == pytest.approx(1)
    assert change.low == pytest.approx(1)
    assert change.high == pytest.approx(1)
    with pytest.raises(ValueError, match="same queries"):
        difference(scored([1.0, 2.0]), scored([1.0, 2.0], ["x", "y"]), "a")


def test_rounds_that_say_nothing():
    assert interval(np.full(3, np.nan)) == (None, None)
    silent = total_scores(scored([float("nan"), 2.0]))["a"]
    assert silent.value == 2
    assert (silent.low, silent.high) == (2, 2)
