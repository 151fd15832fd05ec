"""Robustness curves: each metric against the splits in order of severity, one line per restorer."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .grid import Grid, Place, arrow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .rows import Row

INK, FAINT = "#1a1b1e", "#c9cbd1"
"""Colours that the page replaces by its own, so that one drawing serves light and dark."""
# Okabe and Ito's palette for all kinds of colour vision, without its yellow and black; Color Universal Design (2008)
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚", "X": "✖", "*": "★"}
_DASHES = ("-", "--", ":", "-.")
_UNRANKED = "#8a8d94"
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
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    panels = [m for m in (drawable(grid) if metrics is None else metrics) if _finite(grid, m)]
    if len(grid.splits) < 2 or not panels:
        return None
    columns = min(_PER_ROW, len(panels))
    rows = math.ceil(len(panels) / columns)
    settings: Any = {
        "svg.hashsalt": "restorebench",
        "svg.fonttype": "path" if outlines else "none",
        "text.parse_math": False,
        "font.family": "DejaVu Sans",
        "font.size": 8,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows + 0.3), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_alpha(0)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis, metric in zip(axes, panels, strict=False):
            _panel(axis, grid, metric)
        for axis in axes[len(panels) :]:
            axis.axis("off")
        if legend:
            _legend(figure, grid, panels, columns)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+\n", "\n", buffer.getvalue()).encode()


def legend(grid: Grid) -> list[tuple[str, str, str]]:
    """Return name, colour and marker of each restorer, as the curves draw it."""
    styles = [(name, _style(grid, name, place)) for place, name in enumerate(grid.restorers)]
    return [(name, style["color"], _MARKERS.get(style["marker"], "┄")) for name, style in styles]


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
    axis.set_title(f"{column.label}{unit} {arrow(column)}", loc="left", fontsize=9, color=INK)
    for place, restorer in enumerate(grid.restorers):
        rows = [grid.cells.get(Place(split, restorer, metric)) for split in grid.splits]
        if any(_value(row) is not None for row in rows):
            _line(axis, rows, _style(grid, restorer, place))
    axis.set_ylim(*_limits(grid, metric))
    what, ticks = _ticks(grid.splits)
    axis.set_xticks(range(len(grid.splits)), ticks)
    axis.set_xlabel(what, fontsize=8, color=INK)
    axis.set_xlim(-0.25, len(grid.splits) - 0.75)
    axis.grid(axis="y", color=FAINT, linewidth=0.6)
    axis.tick_params(colors=INK, length=0, labelsize=8)
    axis.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(FAINT)


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


def _line(axis: Axes, rows: Sequence[Row | None], style: dict[str, Any]) -> None:
    points = [(x, value) for x, row in enumerate(rows) if (value := _value(row)) is not None]
    axis.plot(*zip(*points, strict=True), **style, zorder=3)
    band = [
        (x, row.ci_low, row.ci_high)
        for x, row in enumerate(rows)
        if row is not None and row.ci_low is not None and row.ci_high is not None
    ]
    if len(band) > 1:
        x, low, high = zip(*band, strict=True)
        axis.fill_between(x, low, high, color=style["color"], alpha=0.14, linewidth=0, zorder=2)


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


def _style(grid: Grid, restorer: str, place: int) -> dict[str, Any]:
    if restorer in grid.unranked:
        return {"color": _UNRANKED, "linestyle": ":", "linewidth": 1.2, "marker": "", "markersize": 0}
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "linestyle": _DASHES[place // len(_COLOURS) % len(_DASHES)],
        "linewidth": 1.6,
        "marker": list(_MARKERS)[place % len(_MARKERS)],
        "markersize": 4.5,
    }


def _legend(figure: Any, grid: Grid, panels: Sequence[str], columns: int) -> None:
    from matplotlib.lines import Line2D

    drawn = {
        r
        for r in grid.restorers
        for m in panels
        if any(_value(grid.cells.get(Place(s, r, m))) is not None for s in grid.splits)
    }
    names = [(place, name) for place, name in enumerate(grid.restorers) if name in drawn]
    handles = [Line2D([], [], **_style(grid, name, place)) for place, name in names]
    labels = [f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name for _, name in names]  # _ would hide it
    figure.legend(
        handles, labels, loc="outside lower left", ncols=max(1, 2 * columns), frameon=False, fontsize=8, labelcolor=INK
    )
