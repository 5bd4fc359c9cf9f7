"""Curves of numbers over steps, drawn with Pillow: axes, round ticks, a legend, nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

Colour: TypeAlias = tuple[int, int, int]
Font: TypeAlias = ImageFont.ImageFont | ImageFont.FreeTypeFont

COLOURS: tuple[Colour, ...] = (
    (31, 119, 180),
    (214, 39, 40),
    (44, 160, 44),
    (148, 103, 189),
    (255, 127, 14),
    (23, 162, 184),
    (227, 119, 194),
    (140, 86, 75),
    (120, 130, 20),
    (90, 90, 90),
    (125, 180, 225),
    (245, 140, 135),
    (140, 205, 130),
    (190, 165, 220),
    (250, 185, 115),
    (10, 85, 100),
    (150, 30, 110),
    (205, 165, 150),
    (195, 200, 80),
    (20, 20, 20),
)
"""Colours of curves, told apart on white; they come again after the last."""

_SCALE = 2  # pages are drawn larger and shrunk, for smooth lines
_PANEL_PX = (640, 330)
_LEFT_PX, _TOP_PX, _BOTTOM_PX, _RIGHT_PX = 62, 30, 38, 14
_LEGEND_ROW_PX, _LEGEND_GAP_PX = 15, 10
_TITLE_PX, _TEXT_PX = 15, 11
_WHITE, _INK, _GREY, _GRID = (255, 255, 255), (30, 30, 30), (110, 110, 110), (228, 228, 228)
_LOG_FROM = 30.0  # ratio of largest to smallest value from which an axis is logarithmic
_TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line.

    Attributes:
        label: What the legend says; none if empty.
        steps: Where its points are, rising.
        values: What they are; those that are not finite are left out.
        colour: Of the line.
        marked: Whether points are marked, for few of them.
        faint: Whether it is drawn pale and thin, under the others.
    """

    label: str
    steps: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]
    colour: Colour
    marked: bool = False
    faint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Curves that share axes.

    Attributes:
        title: What they show, with the unit.
        curves: At least one.
    """

    title: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """From numbers to places between two ends of a line."""

    low: float
    high: float
    start: float
    stop: float
    logarithmic: bool

    def at(self, value: Float[np.ndarray, " n"] | float) -> Float[np.ndarray, " n"]:
        """Places, kept between the ends."""
        low, high, values = self.low, self.high, np.asarray(value, dtype=np.float64).reshape(-1)
        if self.logarithmic:
            low, high = math.log(low), math.log(high)
            values = np.log(np.maximum(values, 1e-300))
        share = np.clip((values - low) / (high - low), 0.0, 1.0)
        return self.start + share * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Round numbers between the ends."""
        if self.logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
            ticks = [tick for tick in ticks if self.low <= tick <= self.high]
            return ticks if len(ticks) <= 2 * _TICKS else ticks[:: -(-len(ticks) // _TICKS)]
        step = round_step((self.high - self.low) / _TICKS)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def round_step(width: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is no smaller than a width."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= width * (1 - 1e-9))


def smoothed(values: Float[np.ndarray, " n"], *, window: int) -> Float[np.ndarray, " n"]:
    """Running mean over a window around each value; at the ends over what there is of it."""
    known = np.isfinite(values)
    sums = np.cumsum(np.concatenate([[0.0], np.where(known, values, 0.0)]))
    counts = np.cumsum(np.concatenate([[0], known]))
    places = np.arange(len(values))
    low = np.maximum(places - window // 2, 0)
    high = np.minimum(places + window // 2 + 1, len(values))
    return (sums[high] - sums[low]) / np.maximum(counts[high] - counts[low], 1)


def number_text(value: float) -> str:
    """A number for an axis or a table: 1.5k, 20k, 0.013, 2e-05."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.4g}M"
    if size >= 1e4:
        return f"{value / 1e3:.4g}k"
    if size and size < 1e-3:
        return f"{value:.3g}"
    return f"{value:.4g}"


def draw_panels(panels: Sequence[Panel], *, columns: int = 2) -> UInt8[np.ndarray, "h w 3"]:
    """Draw panels on one page, in reading order.

    Args:
        panels: What to draw.
        columns: Panels side by side.

    Raises:
        ValueError: If there is nothing to draw.
    """
    if not panels:
        raise ValueError("there is nothing to draw")
    columns = min(columns, len(panels))
    width, least = _PANEL_PX
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    heights = [max(least + _legend_height(panel) for panel in row) for row in rows]
    page = Image.new("RGB", (width * columns * _SCALE, sum(heights) * _SCALE), _WHITE)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, panel in enumerate(row):
            _draw(panel, page, left=column * width, top=top)
        top += height
    small = page.resize((page.width // _SCALE, page.height // _SCALE), Image.Resampling.BOX)
    return np.asarray(small)


def _draw(panel: Panel, page: Image.Image, *, left: int, top: int) -> None:
    """Draw a panel at a place of the page."""
    draw = ImageDraw.Draw(page)
    x, y = _axes(panel, left=left, top=top)
    draw.text((x.start, (top + 6) * _SCALE), panel.title, _INK, _font(_TITLE_PX))
    small = _font(_TEXT_PX)
    for tick in y.ticks():
        place = float(y.at(tick)[0])
        draw.line([(x.start, place), (x.stop, place)], _GRID, _SCALE)
        draw.text((x.start - 6 * _SCALE, place), number_text(tick), _GREY, small, anchor="rm")
    for tick in x.ticks():
        place = float(x.at(tick)[0])
        draw.line([(place, y.start), (place, y.start + 4 * _SCALE)], _GREY, _SCALE)
        draw.text((place, y.start + 6 * _SCALE), number_text(tick), _GREY, small, anchor="mt")
    draw.line([(x.start, y.stop), (x.start, y.start), (x.stop, y.start)], _GREY, _SCALE)
    draw.text((x.stop, y.start + 20 * _SCALE), "step", _GREY, small, anchor="rt")
    for curve in sorted(panel.curves, key=lambda one: not one.faint):
        _draw_curve(curve, draw, x, y)
    _draw_legend(panel, draw, x, y)


def _axes(panel: Panel, *, left: int, top: int) -> tuple[_Axis, _Axis]:
    """Horizontal and vertical axis of a panel."""
    steps = np.concatenate([curve.steps for curve in panel.curves])
    values = np.concatenate([curve.values for curve in panel.curves])
    finite = values[np.isfinite(values)]
    finite = finite if len(finite) else np.zeros(1)
    # A few values far above the others, as at the start, would press the rest flat.
    low, middle, high = (float(value) for value in np.quantile(finite, [0.005, 0.5, 0.99]))
    low, high = min(low, middle), max(high, middle)
    logarithmic = low > 0 and high / low > _LOG_FROM
    if logarithmic:
        low, high = low / 1.1, high * 1.1
    else:
        # What is constant but for rounding is drawn as a level line.
        margin = max(0.06 * (high - low), 0.5 * abs(high) if high - low < 1e-6 * abs(high) else 0)
        margin = margin or 1.0
        low, high = (0.0 if 0 <= low < 0.3 * high else low - margin), high + margin
    width, height = _PANEL_PX
    x = _Axis(
        low=0.0,
        high=float(max(steps.max(initial=0), 1)),
        start=float((left + _LEFT_PX) * _SCALE),
        stop=float((left + width - _RIGHT_PX) * _SCALE),
        logarithmic=False,
    )
    y = _Axis(
        low=low,
        high=high,
        start=float((top + height - _BOTTOM_PX) * _SCALE),
        stop=float((top + _TOP_PX) * _SCALE),
        logarithmic=logarithmic,
    )
    return x, y


def _draw_curve(curve: Curve, draw: ImageDraw.ImageDraw, x: _Axis, y: _Axis) -> None:
    known = np.isfinite(curve.values)
    if not known.any():
        return
    across, up = x.at(curve.steps[known]), y.at(curve.values[known])
    points = list(zip(across.tolist(), up.tolist(), strict=True))
    colour = _pale(curve.colour) if curve.faint else curve.colour
    if len(points) > 1:
        draw.line(points, colour, _SCALE if curve.faint else 2 * _SCALE)
    if curve.marked or len(points) == 1:
        size = 3 * _SCALE
        for px, py in points:
            draw.ellipse([px - size, py - size, px + size, py + size], colour)


def _entries(panel: Panel) -> list[tuple[str, Colour, bool]]:
    return [(curve.label, curve.colour, curve.marked) for curve in panel.curves if curve.label]


def _legend_rows(panel: Panel) -> list[list[tuple[str, Colour, bool]]]:
    """Entries of the legend, as many in a row as fit."""
    room = _PANEL_PX[0] - _LEFT_PX - _RIGHT_PX
    rows: list[list[tuple[str, Colour, bool]]] = []
    used = room + 1
    for entry in _entries(panel):
        width = _entry_width(entry[0])
        if used + width > room:
            rows.append([])
            used = 0
        rows[-1].append(entry)
        used += width
    return rows


def _entry_width(label: str) -> int:
    return round(_font(_TEXT_PX).getlength(label) / _SCALE) + 22 + _LEGEND_GAP_PX


def _legend_height(panel: Panel) -> int:
    return _LEGEND_ROW_PX * len(_legend_rows(panel)) + 6


def _draw_legend(panel: Panel, draw: ImageDraw.ImageDraw, x: _Axis, y: _Axis) -> None:
    """Labels below the axis."""
    font = _font(_TEXT_PX)
    line = y.start + _BOTTOM_PX * _SCALE
    for row in _legend_rows(panel):
        place = x.start
        for label, colour, marked in row:
            draw.line([(place, line), (place + 16 * _SCALE, line)], colour, 3 * _SCALE)
            if marked:
                centre, size = place + 8 * _SCALE, 4 * _SCALE
                draw.ellipse([centre - size, line - size, centre + size, line + size], colour)
            draw.text((place + 20 * _SCALE, line), label, _INK, font, anchor="lm")
            place += _entry_width(label) * _SCALE
        line += _LEGEND_ROW_PX * _SCALE


def _pale(colour: Colour) -> Colour:
    red, green, blue = (round(255 - 0.3 * (255 - level)) for level in colour)
    return red, green, blue


def _font(size_px: int) -> Font:
    return ImageFont.load_default(size_px * _SCALE)
