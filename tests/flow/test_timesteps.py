from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lavin_dit.flow.timesteps import (
    linear_quadratic_grid,
    logit_normal_timesteps,
    uniform_grid,
)

PARITY = Path(__file__).parents[1] / "parity" / "sampler.safetensors"
GRIDS = (linear_quadratic_grid, uniform_grid)


@pytest.mark.parametrize("num_points", [20, 30, 40])
def test_the_released_tables_bit_for_bit(num_points):
    table = load_file(PARITY)[f"t_grid_{num_points}"]
    assert torch.equal(linear_quadratic_grid(num_points - 1), table)


@pytest.mark.parametrize("grid", GRIDS)
def test_every_grid_rises_from_exactly_0_to_exactly_1(grid):
    for num_steps in range(1, 501):
        points = grid(num_steps)
        assert points.dtype == torch.float32
        assert points.shape == (num_steps + 1,)
        assert points[0] == 0.0
        assert points[-1] == 1.0
        assert bool((points.diff() > 0.0).all()), num_steps


@pytest.mark.parametrize(
    ("num_steps", "expected"),
    [
        (1, [0.0, 1.0]),
        (2, [0.0, 0.1556, 1.0]),
        (3, [0.0, 0.05, 0.1094, 1.0]),
        (4, [0.0, 0.05, 0.088, 0.392, 1.0]),
        (5, [0.0, 0.025, 0.05, 0.0764, 0.3733, 1.0]),
    ],
)
def test_short_linear_quadratic_grids(num_steps, expected):
    assert torch.equal(linear_quadratic_grid(num_steps), torch.tensor(expected))


def test_half_of_the_points_lie_in_the_first_twentieth():
    for num_steps in range(3, 501):
        in_front = int((linear_quadratic_grid(num_steps) <= 0.05).sum())
        assert in_front == (num_steps + 1) // 2


def test_rounding_stops_where_it_would_merge_points():
    def is_rounded(num_steps):
        points = linear_quadratic_grid(num_steps).tolist()
        return torch.equal(
            torch.tensor(points), torch.tensor([round(point, 4) for point in points])
        )

    assert [steps for steps in range(1, 301) if not is_rounded(steps)] == list(range(137, 301))


def test_uniform_grid_has_equal_steps():
    torch.testing.assert_close(
        uniform_grid(7).double(), torch.arange(8.0).double() / 7, rtol=0, atol=3e-8
    )


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("num_steps", [0, -3])
def test_a_grid_needs_a_step(grid, num_steps):
    with pytest.raises(ValueError, match=rf"^num_steps must be at least 1, got {num_steps}$"):
        grid(num_steps)


def test_logit_normal_timesteps_have_the_distribution_they_are_named_after():
    for mean, std in ((0.0, 1.0), (-0.5, 0.7)):
        generator = torch.Generator().manual_seed(5)
        timesteps = logit_normal_timesteps(20_000, generator=generator, mean=mean, std=std)
        assert bool(((timesteps > 0.0) & (timesteps < 1.0)).all())
        logits = torch.logit(timesteps.double())
        assert float(logits.mean()) == pytest.approx(mean, abs=0.03)
        assert float(logits.std()) == pytest.approx(std, abs=0.03)
        share_in_front = float((logits < mean - std).double().mean())
        assert share_in_front == pytest.approx(0.1587, abs=0.01)


def test_logit_normal_timesteps_come_from_the_generator_alone():
    first, second = (
        logit_normal_timesteps(11, generator=torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert first.dtype == torch.float32
    generator = torch.Generator().manual_seed(7)
    before = torch.get_rng_state()
    logit_normal_timesteps(11, generator=generator)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(logit_normal_timesteps(11, generator=generator), first)


@pytest.mark.parametrize(
    ("batch", "std", "message"),
    [
        (0, 1.0, "batch must be at least 1, got 0"),
        (2, 0.0, "std must be positive, got 0.0"),
        (2, float("nan"), "std must be positive, got nan"),
    ],
)
def test_logit_normal_refuses(batch, std, message):
    with pytest.raises(ValueError, match=message):
        logit_normal_timesteps(batch, generator=torch.Generator(), std=std)
