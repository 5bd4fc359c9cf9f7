from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from lavin_dit import LavinDiTPipeline
from lavin_dit.evaluation.predictors.pipeline import PipelinePredictor
from lavin_dit.evaluation.question import Question
from lavin_dit.pipeline.changes import (
    NO_CHANGES,
    NUM_BINS,
    Changes,
    measured_changes,
    weighed_against_query,
)
from lavin_dit.pipeline.fitting import Canvas, place
from lavin_dit.pipeline.sampling import SamplingSettings
from pictures import picture
from random_networks import random_pipeline

SIZE = 32, 48
WHOLE = place(SIZE, canvas=Canvas(height=32, width=48), fit="pad")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def photo(seed: int = 0) -> torch.Tensor:
    """Grey values from 0.2 to 0.8, so that none is cut when it changes a little."""
    values = torch.rand(1, 1, *SIZE, generator=torch.Generator().manual_seed(seed))
    return (0.2 + 0.6 * values).expand(-1, 3, -1, -1)


def grey_noise(num_frames: int = 1, *, seed: int = 0) -> torch.Tensor:
    return noise(num_frames, 1, *SIZE, seed=seed).expand(-1, 3, -1, -1)


def rms(values: torch.Tensor) -> float:
    return values.square().mean().sqrt().item()


def test_changes_are_counted_by_size_and_colour() -> None:
    given = torch.full((1, 3, 4, 5), 0.5)
    wanted = given + torch.tensor([0.0, 0.25, -0.5])[:, None, None]
    counts = measured_changes(given, wanted).counts
    assert counts.shape == (1, 3, NUM_BINS)
    middle = NUM_BINS // 2
    for colour, place_of in enumerate((middle, middle + 32, middle - 64)):
        assert counts[0, colour, place_of] == 20
    assert counts.sum() == 60


def test_values_outside_are_counted_as_the_nearest_that_is_seen() -> None:
    counts = measured_changes(torch.full((1, 3, 2, 2), -0.3), torch.full((1, 3, 2, 2), 1.4)).counts
    assert torch.equal(counts[0, :, -1], torch.full((3,), 4.0))


def test_frames_are_counted_together_unless_there_is_one_input() -> None:
    clip = torch.cat([photo(0), photo(1)])
    assert measured_changes(clip, clip).counts.shape[0] == 1
    apart = measured_changes(clip[:1], clip).counts
    assert apart.shape[0] == 2
    middle = NUM_BINS // 2
    assert apart[0, :, middle].sum() == clip[0].numel()
    assert apart[1, :, middle].sum() < clip[0].numel() / 10


def test_halves_of_other_sizes_are_compared() -> None:
    given, wanted = torch.full((1, 3, 8, 8), 0.25), torch.full((1, 3, 4, 6), 0.75)
    assert measured_changes(given, wanted).counts[0, 0, NUM_BINS // 2 + 64] == 64


def test_those_of_several_pairs_add_up() -> None:
    given, wanted = photo(0), photo(1)
    one = measured_changes(given, wanted)
    torch.testing.assert_close((one + one).counts, 2 * one.counts)
    assert (one + one).colour_square == 2 * one.colour_square
    assert (one + one).colour_share == one.colour_share
    torch.testing.assert_close((one + NO_CHANGES).counts, one.counts)


def test_pairs_of_several_kinds_are_counted_together() -> None:
    """A first frame and a clip, and two clips: no frame counts more than another."""
    clip = torch.cat([photo(0), photo(1)])
    by_frame, pooled = measured_changes(clip[:1], clip), measured_changes(clip, clip)
    mixed = by_frame + pooled
    assert mixed.counts.shape[0] == 1
    assert mixed.counts.sum() == 2 * clip.numel()
    assert (NO_CHANGES + by_frame).counts.shape[0] == 2


@pytest.mark.parametrize("shape", [(1, 3, NUM_BINS - 1), (3, NUM_BINS), (1, 1, NUM_BINS)])
def test_counts_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises((ValueError, TypeCheckError), match="counts"):
        Changes(counts=torch.zeros(shape), colour_square=0.0)


def test_no_pairs_say_nothing() -> None:
    painted, query = photo(0), photo(1)
    found = weighed_against_query(painted, query, WHOLE, changes=NO_CHANGES)
    torch.testing.assert_close(found, painted)


def test_overshooting_paintings_are_drawn_back_as_well() -> None:
    changes = measured_changes(photo(1), photo(1))
    query = torch.full((1, 3, *SIZE), 0.97)
    found = weighed_against_query(query + 0.1, query, WHOLE, changes=changes)
    torch.testing.assert_close(found, query, atol=0.005, rtol=0)


def test_what_is_no_number_spreads_no_further() -> None:
    changes = measured_changes(photo(1), photo(1))
    painted, query = photo(0) + 0.03, photo(0)
    expected = weighed_against_query(painted, query, WHOLE, changes=changes)
    painted[0, 1, 4, 5] = torch.nan
    found = weighed_against_query(painted, query, WHOLE, changes=changes)
    whole = torch.ones(SIZE, dtype=torch.bool)
    whole[4, 5] = False
    torch.testing.assert_close(found[..., whole], expected[..., whole], atol=1e-3, rtol=0)
    assert torch.isfinite(measured_changes(painted, query).counts).all()


def test_what_never_changes_is_taken_from_the_query() -> None:
    """As colours of a grey photo, whose painting has an error of its own."""
    changes = measured_changes(photo(1), photo(1))
    query = photo(0)
    painted = query + 0.06 * grey_noise()
    found = weighed_against_query(painted, query, WHOLE, changes=changes)
    assert rms(found - query) < 0.3 * rms(painted - query)


def test_what_was_never_seen_is_taken_from_the_painting() -> None:
    """As what fills a hole of the query, if the pairs have none."""
    changes = measured_changes(photo(1), photo(1))
    query = torch.full((1, 3, *SIZE), 0.2)
    painted = query.clone()
    painted[..., :10] = 0.7
    found = weighed_against_query(painted, query, WHOLE, changes=changes)
    assert (found - painted).abs().max() < 0.15 * (painted - query).max()


def test_changes_of_all_kinds_leave_the_painting_alone() -> None:
    """As annotations, which have nothing to do with the brightness of their photo."""
    every = Changes(counts=torch.ones(1, 3, NUM_BINS), colour_square=0.0)
    painted, query = photo(0), photo(1)
    found = weighed_against_query(painted, query, WHOLE, changes=every)
    inner = (painted - query).abs() < 0.5
    torch.testing.assert_close(found[inner], painted[inner], atol=0.01, rtol=0)


def test_changes_have_a_direction() -> None:
    """Rain only brightens: a painting above its query is wrong, one below it may be right."""
    given = photo(1).clamp_min(0.45)
    changes = measured_changes(given, given - 0.5 * (photo(3) - 0.2))
    query = torch.full((1, 3, *SIZE), 0.6)
    step = torch.full((1, 3, *SIZE), -0.15)
    step[..., :4] = 0.15
    found = weighed_against_query(query + step, query, WHOLE, changes=changes) - query
    above, below = found[..., :4], found[..., 4:]
    assert below.mean().item() == pytest.approx(-0.15, abs=0.02)
    assert above.mean().item() == pytest.approx(-0.02, abs=0.03)


def test_colour_is_the_paintings_where_pairs_give_it() -> None:
    """A grey query says all of its target's brightness, and nothing of its colour."""
    grey = photo(1)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    colour = 0.15 * noise(1, 3, *SIZE)
    colour = colour - (colour * weights).sum(dim=1, keepdim=True)
    changes = measured_changes(grey, (grey + colour).clamp(0, 1))
    assert 0 < changes.colour_share < 0.15
    assert measured_changes(grey, grey).colour_share == 1
    query = torch.full((1, 3, *SIZE), 0.5)
    tint = torch.tensor([0.06, -0.02, 0.0])[:, None, None]
    tint = tint - (tint * weights).sum(dim=0)
    found = weighed_against_query(query + tint, query, WHOLE, changes=changes)
    moved = (found - query - tint).abs().max().item()
    assert moved < 0.01
    changes = measured_changes(grey, grey)
    found = weighed_against_query(query + tint, query, WHOLE, changes=changes)
    assert (found - query).abs().max() < 0.02


def test_the_mean_is_that_of_bayes_rule() -> None:
    """Against an integral over changes that are normal, by an error that is Student's."""
    size, spread, width = (208, 208), 0.1, 0.08
    draws = np.random.default_rng(0)
    change, error = spread * draws.standard_normal(size), width * draws.standard_t(3, size)
    query = torch.full((1, 3, *size), 0.5)

    def grey(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).float().expand(1, 3, -1, -1)

    changes = measured_changes(query, query + grey(spread * draws.standard_normal(size)))
    target = query + grey(change)
    painted = target + grey(error)
    placement = place(size, canvas=Canvas(height=208, width=208), fit="pad")
    found = weighed_against_query(painted, query, placement, changes=changes)
    possible = np.linspace(-1, 1, 4001)
    prior = np.exp(-((possible / spread) ** 2) / 2)
    for moved in (-0.2, -0.05, 0.03, 0.12):
        weight = prior * (1 + ((moved - possible) / width) ** 2 / 3) ** -2
        expected = (weight * possible).sum() / weight.sum()
        place_of = (painted - query - moved).abs() < 0.004
        assert (found - query)[place_of].mean().item() == pytest.approx(expected, abs=0.01)
    assert rms(found - target) < 0.85 * rms(painted - target)


def test_a_worse_painting_is_trusted_less() -> None:
    given = photo(1)
    changes = measured_changes(given, given + 0.06 * grey_noise(seed=1))
    query = photo(0)
    kept = []
    for error in (0.02, 0.25):
        painted = (query + error * grey_noise(seed=2)).clamp(0, 1)
        near = (painted - query).abs().sub(0.02).abs() < 0.003
        found = weighed_against_query(painted, query, WHOLE, changes=changes)
        kept.append(1 - rms((found - query)[near]) / rms((painted - query)[near]))
    assert kept[1] > kept[0] + 0.1


def test_each_frame_is_weighed_by_its_own_changes() -> None:
    """A first frame that is continued: it stays, and what follows may be anything."""
    first = photo(0)
    clip = torch.cat([first, photo(1)])
    changes = measured_changes(first, clip)
    query = photo(2)
    painted = torch.cat([query, query]) + 0.05 * grey_noise(2)
    found = weighed_against_query(painted, query, WHOLE, changes=changes)
    assert rms(found[0] - query[0]) < 0.2 * rms(found[1] - query[0])


def test_margins_say_nothing_of_the_paintings_error() -> None:
    """The picture fills a third of its canvas; the rest is far from the query or equals it."""
    placement = place((32, 16), canvas=Canvas(height=32, width=48), fit="pad")
    changes = measured_changes(photo(1), photo(1) + 0.05 * grey_noise())
    query = photo(0)
    painted = query + 0.05 * grey_noise(seed=4)
    inside = torch.zeros(1, 1, *SIZE, dtype=torch.bool)
    left = placement.left
    inside[..., left : left + placement.width] = True
    assert 0 < inside.float().mean() < 0.5
    found = [
        weighed_against_query(
            torch.where(inside, painted, margin), query, placement, changes=changes
        )
        for margin in (query, 1 - query)
    ]
    torch.testing.assert_close(found[0] * inside, found[1] * inside)


def restoring_pipeline() -> LavinDiTPipeline:
    pipeline = random_pipeline("causal")
    pipeline.defaults = replace(pipeline.defaults, keep_detail=True, num_steps=2)
    return pipeline


@pytest.mark.parametrize("num_frames", [1, 5])
def test_evaluation_weighs_as_the_pipeline_does(num_frames: int) -> None:
    """A photo, and a first frame that is continued."""
    pipeline = restoring_pipeline()
    clips = [np.stack([picture(32, 48, seed=seed)] * num_frames) for seed in range(4)]
    asked = Question(
        inputs=tuple(clip[:1] for clip in clips[1:]), targets=tuple(clips[1:]), query=clips[0][:1]
    )
    sampling = SamplingSettings(num_steps=2, guidance_scale=1.5, solver="euler")
    context = [(clip[:1], clip) for clip in clips[1:]]
    for keep_detail in (True, False):
        predictor = PipelinePredictor(pipeline, settings=sampling, keep_detail=keep_detail)
        answer = predictor.predict([asked])[0].astype(float)
        expected = pipeline(
            clips[0][:1], context=context, height=32, width=48, num_steps=2, guidance_scale=1.5,
            solver="euler", keep_detail=keep_detail, progress=False,
        ).clip.frames  # fmt: skip
        assert np.abs(answer - expected).max() <= 1
        near = np.abs(answer - clips[0]).mean() < 40
        assert near == keep_detail


@pytest.mark.parametrize("fit", ["pad", "tile"])
def test_a_prediction_is_weighed_if_targets_keep_anything(fit: str) -> None:
    """The random network paints anything; pairs that change nothing leave its query alone."""
    query = picture(48, 72, seed=9)
    settings = {"height": 32, "width": 48, "fit": fit, "progress": False}
    pipeline = restoring_pipeline()
    same = [(picture(48, 72, seed=seed),) * 2 for seed in range(3)]
    found = pipeline(query, context=same, **settings).clip.frames[0].astype(float)
    without = pipeline(query, context=same, keep_detail=False, **settings)
    before = without.clip.frames[0].astype(float)
    assert np.abs(found - query).mean() < 0.5 * np.abs(before - query).mean()
