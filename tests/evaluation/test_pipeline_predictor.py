from dataclasses import replace

import numpy as np
import pytest

from lavin_dit.evaluation.predictors.pipeline import PipelinePredictor
from lavin_dit.evaluation.question import Question
from lavin_dit.pipeline.sampling import SamplingSettings
from pictures import picture
from random_networks import random_pipeline

SETTINGS = SamplingSettings(num_steps=2, guidance_scale=1.5, solver="euler")
PAIRS = 2


def clip(frames, seed):
    return np.stack([picture(32, 48, seed=seed + index) for index in range(frames)])


def questions(num, *, given=1, wanted=1):
    return [
        Question(
            inputs=tuple(clip(given, 100 * number + place) for place in range(PAIRS)),
            targets=tuple(clip(wanted, 100 * number + 10 + place) for place in range(PAIRS)),
            query=clip(given, 100 * number + 50),
        )
        for number in range(num)
    ]


@pytest.mark.parametrize("attention", ["joint", "causal"])
@pytest.mark.parametrize(("given", "wanted"), [(1, 1), (5, 5), (1, 5)])
def test_answers_of_a_batch_are_those_of_the_pipeline_one_by_one(attention, given, wanted):
    pipeline = random_pipeline(attention)
    asked = questions(2, given=given, wanted=wanted)
    answers = PipelinePredictor(pipeline, settings=SETTINGS, seed=5).predict(asked)
    for question, answer in zip(asked, answers, strict=True):
        expected = (
            pipeline(
                question.query,
                context=list(zip(question.inputs, question.targets, strict=True)),
                num_steps=2,
                guidance_scale=1.5,
                solver="euler",
                seed=5,
                progress=False,
            ).clip.frames
            if given > 1
            else _image_call(pipeline, question)
        )
        assert answer.shape == expected.shape == question.targets[0].shape
        # Batched sums round differently, which moves a level here and there.
        assert np.abs(answer.astype(int) - expected).max() <= 1


def test_questions_of_several_tasks_are_answered_as_each_alone():
    pipeline = random_pipeline("causal")
    pipeline.defaults = replace(pipeline.defaults, num_samples=2)
    tasks = "depth_estimation", "panoptic_segmentation", "deraining"
    asked = [replace(one, task=task) for one, task in zip(questions(3), tasks, strict=True)]
    predictor = PipelinePredictor(pipeline, settings=SETTINGS)
    together = predictor.predict(asked)
    for question, answer in zip(asked, together, strict=True):
        (alone,) = predictor.predict([question])
        assert np.abs(answer.astype(int) - alone).max() <= 1


def test_answers_are_averaged_as_the_task_says():
    pipeline = random_pipeline("causal")
    pipeline.defaults = replace(pipeline.defaults, num_samples=2)
    asked = replace(questions(1)[0], task="depth_estimation")
    averaged, single = (
        PipelinePredictor(pipeline, settings=SETTINGS, num_samples=given).predict([asked])[0]
        for given in (None, 1)
    )
    assert np.any(averaged != single)
    told = PipelinePredictor(pipeline, settings=SETTINGS, num_samples=2)
    for task, expected in (
        ("panoptic_segmentation", single),
        (None, averaged),
        ("deraining", averaged),
    ):
        own = PipelinePredictor(pipeline, settings=SETTINGS).with_settings(SETTINGS)
        np.testing.assert_array_equal(own.predict([replace(asked, task=task)])[0], expected)
        np.testing.assert_array_equal(told.predict([replace(asked, task=task)])[0], averaged)


def test_restorations_are_guided_as_they_should_be():
    pipeline = random_pipeline("causal")
    asked = questions(1)[0]

    def answer(task, **settings):
        predictor = PipelinePredictor(pipeline, num_samples=1, **settings)
        return predictor.predict([replace(asked, task=task)])[0]

    strong = replace(SETTINGS, guidance_scale=6.0)
    weak_answer, strong_answer = (answer(None, settings=one) for one in (SETTINGS, strong))
    assert np.any(weak_answer != strong_answer)
    own = {"settings": strong, "restoration_guidance_scale": 1.5}
    np.testing.assert_array_equal(answer("deraining", **own), weak_answer)
    np.testing.assert_array_equal(answer("edge_detection", **own), strong_answer)
    np.testing.assert_array_equal(answer("deraining", settings=strong), strong_answer)
    swept = PipelinePredictor(pipeline, num_samples=1, **own).with_settings(strong)
    found = swept.predict([replace(asked, task="deraining")])[0]
    np.testing.assert_array_equal(found, strong_answer)


def _image_call(pipeline, question):
    pairs = [
        (one[0], other[0] if len(other) == 1 else other)
        for one, other in zip(question.inputs, question.targets, strict=True)
    ]
    settings = {"num_steps": 2, "guidance_scale": 1.5, "solver": "euler", "seed": 5}
    return pipeline(question.query[0], context=pairs, progress=False, **settings).clip.frames


def test_clips_that_come_again_are_encoded_once(monkeypatch):
    pipeline = random_pipeline("causal")
    predictor = PipelinePredictor(pipeline, settings=SETTINGS)
    asked = questions(2)
    first = predictor.predict(asked)
    monkeypatch.setattr(pipeline.networks, "encode", None)
    np.testing.assert_array_equal(predictor.predict(asked)[1], first[1])


def test_reconstruction_is_encoding_and_decoding():
    pipeline = random_pipeline("joint")
    predictor = PipelinePredictor(pipeline, settings=SETTINGS)
    clips = [clip(5, 1), clip(5, 7)]
    again = predictor.reconstruct(clips)
    assert [one.shape for one in again] == [(5, 32, 48, 3)] * 2
    np.testing.assert_array_equal(predictor.reconstruct(clips[1:])[0], again[1])


def test_a_pipeline_that_samples_its_posterior_is_refused():
    pipeline = random_pipeline("joint")
    pipeline.networks.posterior = "sample"
    with pytest.raises(ValueError, match="samples it"):
        PipelinePredictor(pipeline, settings=SETTINGS)


def test_nothing_asked_nothing_answered():
    assert PipelinePredictor(random_pipeline("joint"), settings=SETTINGS).predict([]) == []
