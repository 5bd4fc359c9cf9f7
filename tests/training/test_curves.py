"""Curves are where their numbers are, axes are round, and odd numbers don't break a page."""

import numpy as np
import pytest

from lavin_dit.training.curves import (
    COLOURS,
    Curve,
    Panel,
    draw_panels,
    number_text,
    round_step,
    smoothed,
)


def curve(values: list[float], *, place: int = 0, **settings) -> Curve:
    steps = np.arange(1.0, len(values) + 1)
    return Curve(
        label=f"curve {place}",
        steps=steps,
        values=np.array(values, dtype=np.float64),
        colour=COLOURS[place],
        **settings,
    )


def ink(page: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of the plot, legend left out, that have about a colour."""
    near = np.abs(page.astype(int) - colour).sum(axis=-1) < 60
    return np.argwhere(near[:290])


@pytest.mark.parametrize("rising", [True, False])
def test_a_curve_goes_where_its_values_go(rising: bool) -> None:
    values = np.linspace(1, 2, 20)[:: 1 if rising else -1]
    places = ink(draw_panels([Panel(title="x", curves=(curve(list(values)),))]), COLOURS[0])
    left, right = places[places[:, 1].argmin()], places[places[:, 1].argmax()]
    assert (left[0] > right[0]) == rising
    assert right[1] - left[1] > 400


def test_a_larger_value_is_higher_also_on_a_logarithmic_axis() -> None:
    low, high = curve([0.01] * 9), curve([5.0] * 9, place=1)
    page = draw_panels([Panel(title="x", curves=(low, high))])
    assert ink(page, COLOURS[0])[:, 0].mean() > ink(page, COLOURS[1])[:, 0].mean() + 100


@pytest.mark.parametrize(
    "values", [[1.0], [0.0, 0.0], [np.nan], [1.0, np.nan, np.inf, 2.0], [-3.0, 5e8]]
)
def test_odd_numbers_do_not_break_a_page(values: list[float]) -> None:
    page = draw_panels([Panel(title="odd", curves=(curve(values),))])
    assert page.shape[1:] == (640, 3)


def test_panels_stand_in_rows_and_legends_make_room() -> None:
    single = Panel(title="x", curves=(curve([1, 2]),))
    many = Panel(title="y", curves=tuple(curve([1, 2], place=place) for place in range(10)))
    short, tall = draw_panels([single]), draw_panels([single, many, single])
    assert tall.shape[1] == 2 * short.shape[1]
    assert tall.shape[0] > 2 * short.shape[0]
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_panels([])


def test_a_running_mean_is_the_mean_and_passes_over_gaps() -> None:
    values = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    np.testing.assert_allclose(smoothed(values, window=3), [1.5, 1.5, 3.0, 4.5, 4.5])
    np.testing.assert_allclose(smoothed(np.full(7, 2.5), window=4), 2.5)


@pytest.mark.parametrize(
    ("width", "step"), [(0.9, 1.0), (1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (70.0, 100.0), (2e-4, 2e-4)]
)
def test_steps_of_ticks_are_round(width: float, step: float) -> None:
    assert round_step(width) == pytest.approx(step)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.0, "1234"), (25e3, "25k"), (3e6, "3M"), (0.01635, "0.01635")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number_text(value) == text


def test_what_is_constant_but_for_rounding_is_level() -> None:
    values = [1e-4 + 1e-18 * place for place in range(50)]
    rows = ink(draw_panels([Panel(title="lr", curves=(curve(values),))]), COLOURS[0])[:, 0]
    assert rows.max() - rows.min() < 4
