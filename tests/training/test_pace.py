"""A run's clock, without a run."""

from dataclasses import replace

import pytest

from lavin_dit.training.pace import Pace
from tiny_training import LOOP


def pace(*, spent_s, **changes):
    return Pace(config=replace(LOOP, num_steps=100, **changes), elapsed_s=spent_s)


def test_without_a_budget_steps_are_all_that_counts():
    clock = pace(spent_s=1000.0)
    assert clock.progress(25) == 0.25
    assert clock.remaining_s(25, step_time_s=2.0) == 150.0
    assert not clock.is_budget_spent(validates=True)


def test_of_steps_and_budget_the_one_that_ends_first_counts():
    clock = pace(spent_s=500.0, budget="1000s")
    assert clock.progress(25) == pytest.approx(0.5, abs=1e-3)
    assert clock.progress(75) == 0.75
    assert clock.remaining_s(25, step_time_s=2.0) == 150.0
    assert clock.remaining_s(25, step_time_s=20.0) == pytest.approx(500.0, abs=1.0)
    assert pace(spent_s=2000.0, budget="1000s").remaining_s(25, step_time_s=20.0) == 0.0


@pytest.mark.parametrize(
    ("spent_s", "measured", "over"),
    [
        (930.0, {}, False),  # 60 seconds are kept until the end was measured
        (950.0, {}, True),
        (950.0, {"save_s": 8.0, "validation_s": 8.0}, False),
        (950.0, {"save_s": 30.0, "validation_s": 30.0}, True),
        (950.0, {"save_s": 8.0}, True),
    ],
)
def test_the_end_is_begun_while_there_is_time_for_it(spent_s, measured, over):
    clock = pace(spent_s=spent_s, budget="1000s")
    for name, seconds in measured.items():
        setattr(clock, name, seconds)
    assert clock.is_budget_spent(validates=True) == over
