import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lavin_dit.jdit.config import default_rope_axes_dim
from lavin_dit.jdit.rope import RotaryTable, rotary_table, rotate

AXES = (4, 6, 8)
CPU = torch.device("cpu")


def table_at(frame: int, row: int, col: int) -> RotaryTable:
    """The rotation of the single token at a place."""
    table = rotary_table(
        frames=[range(frame, frame + 1)],
        rows=row + 1,
        cols=col + 1,
        axes_dim=AXES,
        patch_step=1.0,
        device=CPU,
    )
    return RotaryTable(table.cos[-1:], table.sin[-1:])


def score(query: Tensor, key: Tensor, at: tuple[int, int, int], to: tuple[int, int, int]) -> float:
    rotated = [
        rotate(vector, table_at(*place), axes_dim=AXES)
        for vector, place in ((query, at), (key, to))
    ]
    return float((rotated[0] * rotated[1]).sum())


place = st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(0, 4))


@settings(deadline=None, max_examples=25)
@given(at=place, to=place, shift=place, seed=st.integers(0, 99))
def test_scores_depend_on_differences_of_position_only(
    at: tuple[int, int, int], to: tuple[int, int, int], shift: tuple[int, int, int], seed: int
) -> None:
    query, key = torch.randn(2, 1, 1, 1, 18, generator=torch.Generator().manual_seed(seed))
    moved = [tuple(a + b for a, b in zip(p, shift, strict=True)) for p in (at, to)]
    assert score(query, key, at, to) == pytest.approx(
        score(query, key, moved[0], moved[1]), abs=2e-5
    )


def test_every_axis_changes_the_score() -> None:
    query, key = torch.randn(2, 1, 1, 1, 18, generator=torch.Generator().manual_seed(0))
    at_home = score(query, key, (0, 0, 0), (0, 0, 0))
    for step in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        assert abs(score(query, key, (0, 0, 0), step) - at_home) > 1e-2


def test_rotation_keeps_the_norm_of_every_axis() -> None:
    heads = torch.randn(2, 30, 3, 18, generator=torch.Generator().manual_seed(1))
    table = rotary_table(
        frames=[range(3, 5)], rows=3, cols=5, axes_dim=AXES, patch_step=1.0, device=CPU
    )
    before, after = heads.split(AXES, -1), rotate(heads, table, axes_dim=AXES).split(AXES, -1)
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new.norm(dim=-1), old.norm(dim=-1))


def test_rotation_against_complex_numbers() -> None:
    """An independent oracle: a pair of dimensions is a complex number turned by an angle."""
    heads = torch.randn(1, 30, 1, 18, generator=torch.Generator().manual_seed(2))
    table = rotary_table(
        frames=[range(4, 6)], rows=3, cols=5, axes_dim=AXES, patch_step=0.5, device=CPU
    )
    found = rotate(heads, table, axes_dim=AXES)
    for token in range(30):
        places = (4 + token // 15, 0.5 * (token // 5 % 3), 0.5 * (token % 5))
        start = 0
        for position, dim in zip(places, AXES, strict=True):
            part = heads[0, token, 0, start : start + dim].double()
            half = dim // 2
            numbers = torch.complex(part[:half], part[half:])
            speed = 10000.0 ** (-2 * torch.arange(half, dtype=torch.float64) / dim)
            turned = numbers * torch.exp(1j * position * speed)
            expected = torch.cat([turned.real, turned.imag]).float()
            torch.testing.assert_close(
                found[0, token, 0, start : start + dim], expected, atol=1e-5, rtol=0
            )
            start += dim


@pytest.mark.parametrize(
    ("head_dim", "axes"),
    [(64, (20, 22, 22)), (72, (24, 24, 24)), (24, (8, 8, 8)), (12, (4, 4, 4)), (32, (10, 12, 10))],
)
def test_default_split_of_the_head(head_dim: int, axes: tuple[int, int, int]) -> None:
    assert default_rope_axes_dim(head_dim) == axes


@pytest.mark.parametrize("head_dim", [4, 7, 63])
def test_heads_that_cannot_be_split(head_dim: int) -> None:
    with pytest.raises(ValueError, match=f"head_dim {head_dim} must be even"):
        default_rope_axes_dim(head_dim)
