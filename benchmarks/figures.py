"""Figures of what benchmarks measured: lines over a number, one panel for each score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # before pyplot is imported: no window is needed

from matplotlib import pyplot as plt

FIGURES = Path(__file__).parents[1] / "docs" / "pictures"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A quantity over a number, with its uncertainty where it is known."""

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


def draw_panels(
    name: str,
    panels: Mapping[str, Mapping[str, Line]],
    *,
    x_label: str,
    logarithmic: tuple[bool, bool] = (False, False),
    columns: int = 4,
) -> Path:
    """Draw a figure and write it to ``docs/pictures/<name>.png``.

    Args:
        name: File name without its ending.
        panels: Lines by name, by the title of their panel.
        x_label: What is varied.
        logarithmic: Whether the axes are, across and up.
        columns: Panels side by side.

    Returns:
        The file.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    size = (3.4 * columns, 2.7 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for place, (title, lines) in enumerate(panels.items()):
        axis = axes[place // columns][place % columns]
        for label, line in lines.items():
            (drawn,) = axis.plot(line.x, line.y, marker="o", markersize=3, label=label)
            if line.low is not None and line.high is not None:
                axis.fill_between(line.x, line.low, line.high, alpha=0.15, color=drawn.get_color())
        axis.set_title(title, fontsize=8)
        axis.set_xlabel(x_label, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.3)
        if logarithmic[0]:
            axis.set_xscale("log", base=2)
            axis.set_xticks(sorted({x for line in lines.values() for x in line.x}))
            axis.xaxis.set_major_formatter("{x:.3g}")
            axis.minorticks_off()
        if logarithmic[1]:
            axis.set_yscale("log")
    # One legend for all panels, outside: within a panel it hides lines.
    named = {
        label: line
        for axis in axes.flat
        for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    if len(named) > 1:
        figure.legend(
            named.values(), named.keys(), loc="outside lower center", ncols=columns + 1, fontsize=7
        )
    for place in range(len(panels), rows * columns):
        axes[place // columns][place % columns].axis("off")
    FIGURES.mkdir(parents=True, exist_ok=True)
    path = FIGURES / f"{name}.png"
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
    print(f"drawn to docs/pictures/{path.name}")
    return path
