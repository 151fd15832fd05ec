"""Robustness curves: each metric against the splits in order of severity, one line per restorer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..grid import Grid, Place, arrow
from . import style
from .style import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..rows import Row

__all__ = ["FAINT", "INK", "curves", "draw", "drawable", "legend", "look"]

_PER_ROW = 3
_WIDTH, _HEIGHT = 3.1, 2.25  # inches of one panel


def curves(
    grid: Grid, metrics: Sequence[str] | None = None, *, outlines: bool = True, legend: bool = True
) -> bytes | None:
    """Draw the curves of a data set as SVG, one panel per metric, with 95 % bands where they are known.

    Args:
        grid: the data set's table.
        metrics: which ones; None takes all but counts of misses.
        outlines: draw letters as outlines, which look the same everywhere; else as text in the reader's font.
        legend: name the restorers below the panels.

    Returns:
        Bytes that are equal for equal tables, or None where there is nothing to draw: fewer than two splits,
        or no finite value.
    """
    with style.settings(outlines=outlines):
        figure = draw(grid, metrics, legend=legend)
        return style.svg(figure) if figure else None


def draw(grid: Grid, metrics: Sequence[str] | None = None, *, legend: bool = True) -> Figure | None:
    """Return the figure, or None where there is nothing to draw; call it within `style.settings`."""
    from matplotlib.figure import Figure

    panels = [m for m in (drawable(grid) if metrics is None else metrics) if _finite(grid, m)]
    if len(grid.splits) < 2 or not panels:
        return None
    columns = min(_PER_ROW, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, metric in zip(axes, panels, strict=False):
        _panel(axis, grid, metric)
    for axis in axes[len(panels) :]:
        axis.axis("off")
    if legend:
        _legend(figure, grid, panels, columns)
    return figure


def legend(grid: Grid) -> list[tuple[str, str, str]]:
    """Return name, colour and marker of each restorer, as the curves draw it."""
    looks = [(name, look(grid, name)) for name in grid.restorers]
    return [(name, found["color"], style.MARKERS.get(found["marker"], "┄")) for name, found in looks]


def look(grid: Grid, restorer: str) -> dict[str, Any]:
    """Return colour, marker and line of a restorer, the same in every figure of a table."""
    if restorer in grid.unranked:
        return {"color": style.UNRANKED, "linestyle": ":", "linewidth": 1.2, "marker": "", "markersize": 0}
    return {**style.mark(grid.restorers.index(restorer)), "linewidth": 1.6, "markersize": 4.5}


def drawable(grid: Grid) -> list[str]:
    """Return the metrics that make a panel: those with a unit other than a count of images."""
    return [name for name, column in grid.columns.items() if column.unit != "images"]


def _finite(grid: Grid, metric: str) -> bool:
    return any(_value(grid.cells.get(Place(s, r, metric))) is not None for s in grid.splits for r in grid.restorers)


def _value(row: Row | None) -> float | None:
    return row.value if row is not None and row.value is not None and math.isfinite(row.value) else None


def _panel(axis: Axes, grid: Grid, metric: str) -> None:
    column = grid.columns[metric]
    unit = "" if column.unit in ("1", "") else f" ({column.unit})"
    axis.set_title(style.printable(f"{column.label}{unit} {arrow(column)}"), loc="left", fontsize=9, color=INK)
    for restorer in grid.restorers:
        rows = [grid.cells.get(Place(split, restorer, metric)) for split in grid.splits]
        if any(_value(row) is not None for row in rows):
            _line(axis, rows, look(grid, restorer))
    axis.set_ylim(*_limits(grid, metric))
    what, ticks = _ticks(grid.splits)
    axis.set_xticks(range(len(grid.splits)), [style.printable(tick) for tick in ticks])
    axis.set_xlabel(style.printable(what), fontsize=8, color=INK)
    axis.set_xlim(-0.25, len(grid.splits) - 0.75)
    style.plain(axis)
    axis.grid(visible=False, axis="x")


def _ticks(splits: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split the names of a sweep, `sigma_1 sigma_2 ...`, into what it is over and its levels.

    >>> _ticks(["sigma_1", "sigma_10"])
    ('sigma', ['1', '10'])
    >>> _ticks(["mild", "severe"])
    ('', ['mild', 'severe'])
    """
    parts = [split.rpartition("_") for split in splits]
    levels = [level for _, _, level in parts]
    if len({what for what, _, _ in parts}) > 1 or not all(re.fullmatch(r"-?[\d.]+", level) for level in levels):
        return "", splits
    return parts[0][0], levels


def _line(axis: Axes, rows: Sequence[Row | None], drawn: dict[str, Any]) -> None:
    points = [(x, value) for x, row in enumerate(rows) if (value := _value(row)) is not None]
    axis.plot(*zip(*points, strict=True), **drawn, zorder=3)
    band = [
        (x, row.ci_low, row.ci_high)
        for x, row in enumerate(rows)
        if row is not None and row.ci_low is not None and row.ci_high is not None
    ]
    if len(band) > 1:
        x, low, high = zip(*band, strict=True)
        axis.fill_between(x, low, high, color=drawn["color"], alpha=0.14, linewidth=0, zorder=2)


def _limits(grid: Grid, metric: str) -> tuple[float, float]:
    """Let the competitors fill the panel; a perfect result may lie far outside."""
    names = [name for name in grid.restorers if name not in grid.unranked] or list(grid.restorers)
    rows = [grid.cells.get(Place(split, name, metric)) for split in grid.splits for name in names]
    drawn = [value for row in rows if row for value in (row.value, row.ci_low, row.ci_high) if value is not None]
    finite = [value for value in drawn if math.isfinite(value)]
    if not finite:
        return 0, 1
    low, high = min(finite), max(finite)
    room = 0.12 * (high - low) or 0.1 * abs(high) or 1
    return low - room, high + room


def _legend(figure: Figure, grid: Grid, panels: Sequence[str], columns: int) -> None:
    drawn = {
        r
        for r in grid.restorers
        for m in panels
        if any(_value(grid.cells.get(Place(s, r, m))) is not None for s in grid.splits)
    }
    style.legend(figure, {name: look(grid, name) for name in grid.restorers if name in drawn}, 2 * columns)
