"""From data to report on small scenes: resuming, scoring again, every offline protocol's scorer."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lavin_dit.data.episodes import NoEpisodeError
from lavin_dit.evaluation.contestants import Contestant
from lavin_dit.evaluation.evaluate import Run, Settings, stored_size
from lavin_dit.evaluation.library import Library, MissingDataError
from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.evaluation.predictions import DamagedPredictionError, MissingPredictionError
from lavin_dit.evaluation.predictors.baselines import BASELINES
from lavin_dit.evaluation.protocol import discover_protocols, find_protocol
from lavin_dit.evaluation.report import write_report, write_sheet
from lavin_dit.vision.geometry import Size
from protocol_scenes import on_scenes

SIZE = Size(height=48, width=64)


class Model:
    """Gives the first example's target; counts what it is asked, and breaks off when told."""

    name = "model"

    def __init__(self, *, break_after=None):
        self.asked = 0
        self.break_after = break_after

    def predict(self, questions):
        if self.break_after is not None and self.asked >= self.break_after:
            raise KeyboardInterrupt
        self.asked += len(questions)
        return [question.targets[0] for question in questions]


def run(tmp_path, predictor, *, num_queries=3, **settings):
    return Run(
        library=Library(folder=None, split="test", size=SIZE),
        output=tmp_path,
        settings=Settings(num_queries=num_queries, num_pairs=2, num_frames=5, batch_size=2),
        predictor=predictor,
        model={"fingerprint": "one"},
        **settings,
    )


@pytest.mark.parametrize(
    "name", sorted({p.name for p in discover_protocols().values() if p.is_offline})
)
def test_every_offline_protocol_scores_truth_above_copies(name, tmp_path):
    protocol = on_scenes(find_protocol(name))
    outcome = run(tmp_path, Model(), num_queries=2).evaluate(protocol)
    assert list(outcome.totals) == ["model", *protocol.baselines, "painted truth"]
    assert {len(own) for own in outcome.scored.values()} == {2}
    measure = MEASURES[protocol.primary]
    truth, model = (
        outcome.totals[who][protocol.primary].value for who in ("painted truth", "model")
    )
    assert truth > model if measure.higher_is_better else truth < model
    for own in outcome.totals.values():
        assert own.keys() <= MEASURES.keys()


def test_a_run_that_was_stopped_goes_on_and_gives_the_same(tmp_path):
    protocol = on_scenes(find_protocol("world-depth_estimation"), unusable=frozenset({11, 14}))
    whole = run(tmp_path / "whole", Model()).evaluate(protocol)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", Model(break_after=2)).evaluate(protocol)
    rest = Model()
    resumed = run(tmp_path / "parts", rest).evaluate(protocol)
    assert rest.asked == 1
    assert resumed.totals == whole.totals
    lines = [
        (tmp_path / part / protocol.name / "scores/model.jsonl").read_text()
        for part in ("whole", "parts")
    ]
    assert lines[0] == lines[1]
    queries = [json.loads(line)["query"] for line in lines[0].splitlines()]
    assert queries == ["scene 10", "scene 12", "scene 13"]  # what cannot be used is passed over


def test_scoring_again_needs_no_model_and_all_predictions(tmp_path):
    protocol = on_scenes(find_protocol("world-video_depth"))
    first = run(tmp_path, Model()).evaluate(protocol)
    again = run(tmp_path, None, score_only=True).evaluate(protocol)
    assert again.totals == first.totals
    (tmp_path / protocol.name / "predictions/model/00001.npz").unlink()
    with pytest.raises(MissingPredictionError, match="00001"):
        run(tmp_path, None, score_only=True).evaluate(protocol)
    with pytest.raises(MissingPredictionError, match="no predictions here"):
        run(tmp_path / "elsewhere", None, score_only=True).evaluate(protocol)
    # What the model was, and at what size it worked, is known from its predictions.
    assert again.models == first.models == {"model": {"fingerprint": "one"}}
    assert stored_size(tmp_path, [find_protocol("world-depth_estimation"), protocol]) == SIZE
    assert stored_size(tmp_path / "elsewhere", [protocol]) is None


class Neighbourly(Model):
    """Adds how many questions it was asked together, as a network's last bits may."""

    def predict(self, questions):
        self.asked += len(questions)
        return [question.targets[0] // 2 + np.uint8(len(questions)) for question in questions]


def test_what_was_stopped_within_a_batch_is_predicted_as_it_would_have_been(tmp_path):
    protocol = on_scenes(find_protocol("world-depth_estimation"))
    whole = run(tmp_path, Neighbourly()).evaluate(protocol)
    (tmp_path / protocol.name / "predictions/model/00001.png").unlink()
    rest = Neighbourly()
    assert run(tmp_path, rest).evaluate(protocol).totals == whole.totals
    assert rest.asked == 2


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def say(path):
    path.write_text("xx")


def empty(path):
    path.write_bytes(b"")


def shrink(path):
    Image.new("RGB", (8, 4)).save(path)


def unname(path):
    with path.open("wb") as file:
        np.savez(file, clip=np.zeros(3))


def confuse(path):
    with path.open("wb") as file:
        np.savez(file, frames=np.full((5, 48, 64, 3), np.nan))


@pytest.mark.parametrize(
    ("name", "file", "damage"),
    [
        *(("depth_estimation", "00001.png", damage) for damage in (cut, say, empty, shrink)),
        *(("video_depth", "00001.npz", damage) for damage in (cut, say, empty, unname, confuse)),
        *(("depth_estimation", "setup.json", damage) for damage in (cut, say, empty)),
    ],
)
def test_a_damaged_file_is_named(name, file, damage, tmp_path):
    protocol = on_scenes(find_protocol(f"world-{name}"))
    run(tmp_path, Model(), num_queries=2).evaluate(protocol)
    damage(tmp_path / protocol.name / "predictions/model" / file)
    with pytest.raises(DamagedPredictionError, match=rf"{file} is damaged \(.+\): delete"):
        run(tmp_path, None, num_queries=2, score_only=True).evaluate(protocol)


@pytest.mark.parametrize("name", ["world-depth_estimation", "world-video_depth"])
def test_predictions_of_other_data_are_not_scored(name, tmp_path):
    """A scene that can't be read any more shifts the numbers of all that come after it."""
    protocol = on_scenes(find_protocol(name))
    run(tmp_path, Model()).evaluate(protocol)
    other = on_scenes(find_protocol(name), unusable=frozenset({0, 1, 2, 3}))
    for model in (Model(), None):
        with pytest.raises(ValueError, match="answers another question than that of scene"):
            run(tmp_path, model, score_only=model is None).evaluate(other)


def test_a_folder_without_its_data_is_missing_data(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(MissingDataError, match=r"manifest\.jsonl does not exist"):
        Library(folder=tmp_path, split="test", size=SIZE).photos()


class MeanModel(Model):
    """Gives the mean of the examples' targets; leaves half of the levels of what it encodes."""

    def predict(self, questions):
        self.asked += len(questions)
        return [np.mean(question.targets, axis=0).astype(np.uint8) for question in questions]

    def reconstruct(self, clips):
        return [clip // 2 for clip in clips]


def test_rivals_are_asked_the_same_and_compared_query_by_query(tmp_path):
    protocol = on_scenes(find_protocol("world-depth_estimation"))
    rivals = {
        "mean": Contestant(predictor=MeanModel(), about={"fingerprint": "two"}),
        "copy": Contestant(predictor=Model(), about={"fingerprint": "three"}),
    }
    beside = replace(run(tmp_path, Model()), rivals=rivals)
    outcome = beside.evaluate(protocol)
    assert list(outcome.totals) == [
        "model", "mean", "copy", *protocol.baselines, "autoencoder of mean", "painted truth",
    ]  # fmt: skip
    alone = run(tmp_path / "alone", MeanModel()).evaluate(protocol)
    assert outcome.totals["mean"] == alone.totals["model"]
    assert outcome.totals["autoencoder of mean"] == alone.totals["autoencoder"]
    assert all(seconds is not None for seconds in outcome.seconds_per_query.values())
    write_report(tmp_path, [outcome], not_run={}, about={})
    report = json.loads((tmp_path / "report.json").read_text())["protocols"][protocol.name]
    equal = report["against"]["copy"]
    assert (equal["change"], equal["verdict"]) == (0.0, "equal")
    scores = report["scores"]
    change = scores["model"]["abs_rel_lstsq"]["value"] - scores["mean"]["abs_rel_lstsq"]["value"]
    assert report["against"]["mean"]["change"] == pytest.approx(change)
    assert "model minus mean" in (tmp_path / "report.md").read_text()
    again = replace(beside, predictor=None, score_only=True).evaluate(protocol)
    assert again.totals["mean"] == outcome.totals["mean"]
    other = replace(beside, rivals={"mean": rivals["copy"]})
    with pytest.raises(ValueError, match="fingerprint was 'two' and is 'three'"):
        other.evaluate(protocol)


def test_predictions_of_another_setup_are_not_mixed_in(tmp_path):
    protocol = on_scenes(find_protocol("world-depth_estimation"))
    run(tmp_path, Model()).evaluate(protocol)
    other = replace(run(tmp_path, Model()), model={"fingerprint": "two"})
    with pytest.raises(ValueError, match="fingerprint was 'one' and is 'two'"):
        other.evaluate(protocol)
    more = replace(
        run(tmp_path, Model()), settings=Settings(num_queries=4, num_pairs=2, num_frames=5)
    )
    assert len(more.evaluate(protocol).scored["model"]) == 4


@pytest.mark.parametrize("name", ["photos-deraining", "photos-inpainting"])
def test_queries_do_not_hang_on_the_number_of_pairs(tmp_path, name):
    protocol = on_scenes(find_protocol(name))
    targets = []
    for num_pairs in (1, 3):
        settings = Settings(num_queries=8, num_pairs=num_pairs)
        cases, _ = replace(run(tmp_path, None), settings=settings).cases(protocol)
        targets.append([case.episode.query.input for case in cases])
    np.testing.assert_array_equal(*targets)


def test_a_protocol_without_any_usable_sample_says_so(tmp_path):
    protocol = on_scenes(find_protocol("world-depth_estimation"), unusable=frozenset(range(40)))
    with pytest.raises(NoEpisodeError, match="photo is torn"):
        run(tmp_path, Model()).evaluate(protocol)


def test_answers_of_another_shape_are_refused(tmp_path):
    class Small(Model):
        def predict(self, questions):
            return [question.targets[0][:, ::2] for question in questions]

    with pytest.raises(ValueError, match="was asked for"):
        run(tmp_path, Small()).evaluate(on_scenes(find_protocol("world-depth_estimation")))


def test_report(tmp_path):
    names = ("world-depth_estimation", "world-video_depth", "photos-deraining")
    outcomes = [run(tmp_path, Model()).evaluate(on_scenes(find_protocol(name))) for name in names]
    sheets = [
        path for outcome in outcomes[:2] if (path := write_sheet(tmp_path, outcome)) is not None
    ]
    assert len(sheets) == 2
    written = write_report(
        tmp_path, outcomes, not_run={"clips-x": "no clips"}, about={"model": "m"}
    )
    assert all(path.stat().st_size for path in (*written, *sheets))
    report = json.loads((tmp_path / "report.json").read_text())
    depth = report["protocols"]["world-depth_estimation"]
    score = depth["scores"]["model"]["abs_rel_lstsq"]
    assert score["low"] <= score["value"] <= score["high"]
    limits = {
        bar["score"]: bar["limit"] for bar in report["protocols"]["world-video_depth"]["bars"]
    }
    assert limits["abs_rel_lstsq"] == pytest.approx(1.25 * score["value"])
    (rain,) = report["protocols"]["photos-deraining"]["bars"]
    spoilt = report["protocols"]["photos-deraining"]["scores"]["input"]["psnr_db"]["value"]
    assert rain["limit"] == pytest.approx(spoilt + 3)
    text = (tmp_path / "report.md").read_text()
    assert "| copy-context |" in text
    assert "clips-x: no clips" in text
    assert "](world-video_depth/sheet.png)" in text
    assert "photos-deraining/sheet.png" not in text  # which has not been drawn
    alone = run(tmp_path, None).evaluate(on_scenes(find_protocol(names[0])))
    assert write_sheet(tmp_path, alone) is None
    assert not sheets[0].exists()


def test_baselines_of_their_own_kind():
    from lavin_dit.evaluation.question import Question

    rng = np.random.default_rng(0)
    inputs = tuple(rng.integers(0, 256, (1, 4, 5, 3), dtype=np.uint8) for _ in range(3))
    targets = tuple(rng.integers(0, 256, (5, 4, 5, 3), dtype=np.uint8) for _ in range(3))
    near = np.clip(inputs[1].astype(int) + 3, 0, 255).astype(np.uint8)
    question = Question(inputs=inputs, targets=targets, query=near)
    answers = {name: one.predict([question])[0] for name, one in BASELINES.items()}
    np.testing.assert_array_equal(answers["copy-context"], targets[1])
    np.testing.assert_array_equal(answers["mean-context"], np.rint(np.mean(targets, axis=0)))
    np.testing.assert_array_equal(answers["input"], np.repeat(near, 5, axis=0))
    assert answers["zero-flow"].min() == 255
    assert set(answers["grey"].ravel()) == {128}
    with pytest.raises(ValueError, match="3 inputs and 2 targets"):
        Question(inputs=inputs, targets=targets[:2], query=near)
