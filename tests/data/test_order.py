from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lavin_dit.data.order import Order, Schedule, derived_seed, permuted


@given(length=st.integers(1, 300), seed=st.integers(0, 2**64 - 1))
def test_permutation_is_a_bijection(length, seed):
    images = [permuted(position, length=length, seed=seed) for position in range(length)]
    assert sorted(images) == list(range(length))


def test_permutations_mix_and_differ_by_seed():
    length = 5003
    first, second = (
        np.array([permuted(position, length=length, seed=seed) for position in range(length)])
        for seed in (1, 2)
    )
    assert (first == second).sum() < 10
    # Neighbours land anywhere: the mean distance of two random places is a third of the length.
    assert np.abs(np.diff(first)).mean() == pytest.approx(length / 3, rel=0.05)
    assert abs(np.corrcoef(first, np.arange(length))[0, 1]) < 0.05


@given(
    length=st.integers(1, 200),
    block_size=st.none() | st.integers(1, 250),
    seed=st.integers(0, 2**32),
)
def test_every_epoch_visits_each_sample_once(length, block_size, seed):
    order = Order(length, seed=seed, block_size=block_size)
    for epoch in range(2):
        visits = [order.at(epoch * length + place) for place in range(length)]
        assert sorted(index for index, _ in visits) == list(range(length))
        assert all(index in block for index, block in visits)


def test_epochs_differ_and_need_no_history():
    order = Order(50, seed=3)
    walk = [order.at(position)[0] for position in range(150)]
    assert walk[:50] != walk[50:100] != walk[100:]
    assert [Order(50, seed=3).at(position)[0] for position in (149, 20, 99)] == [
        walk[149],
        walk[20],
        walk[99],
    ]


def test_blocks_are_left_only_when_they_are_used_up():
    order = Order(103, seed=0, block_size=20)
    blocks = [order.at(position)[1] for position in range(103)]
    changes = sum(before != after for before, after in pairwise(blocks))
    assert changes == 4
    assert {len(block) for block in blocks} <= {20, 21}


@given(
    weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=6),
    seed=st.integers(0, 2**32),
    position=st.integers(0, 3000),
)
def test_schedule_counts_what_came_before(weights, seed, position):
    counts = [0] * len(weights)
    schedule = Schedule(weights, seed=seed)
    for place in range(position % 500):
        choice, before = schedule.at(place)
        assert before == counts[choice]
        counts[choice] += 1
    assert Schedule(weights, seed=seed).at(position) == schedule.at(position)


def test_schedule_keeps_the_weights():
    weights = [5.0, 0.03, 1.0, 2.5]
    schedule = Schedule(weights, seed=1)
    np.testing.assert_allclose(schedule.shares, np.array(weights) / sum(weights), rtol=0.011)
    choices = [schedule.at(position)[0] for position in range(20_000)]
    shares = np.bincount(choices) / len(choices)
    np.testing.assert_allclose(shares, np.array(weights) / sum(weights), rtol=0.05)


@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [1.0, -1.0], [float("nan")], [float("inf")]])
def test_weights_must_be_positive(weights):
    with pytest.raises(ValueError, match="weights must be finite and above 0"):
        Schedule(weights, seed=0)


def test_a_weight_that_would_never_come_is_refused():
    with pytest.raises(ValueError, match="too small to be scheduled"):
        Schedule([1.0, 1e-9], seed=0)


def test_empty_orders_are_refused():
    with pytest.raises(ValueError, match="got 0 and None"):
        Order(0, seed=0)


def test_derived_seeds_differ():
    assert len({derived_seed(a, b) for a in range(20) for b in range(20)}) == 400
