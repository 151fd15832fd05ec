"""Trade-offs: one point per restorer, two numbers each, and the Pareto front through those that nobody beats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..grid import Grid, Place, arrow
from . import style
from .curves import look
from .pareto import front
from .style import FAINT, INK

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_ROWS = 3
_WIDTH, _HEIGHT = 2.3, 2.1  # inches of one panel
_COSTS = {"seconds_per_image": "seconds per image", "gflops": "GFLOPs per image", "parameters": "million parameters"}


@dataclass(frozen=True)
class Axis:
    """One axis of a trade-off.

    Attributes:
        label: with its direction.
        higher_is_better: its direction.
        scores: restorer -> value.
        metric: its name, if it is one.
        logarithmic: whether it spans decades; zero stays on it.
    """

    label: str
    higher_is_better: bool
    scores: Mapping[str, float]
    metric: str = ""
    logarithmic: bool = False


def of_metric(grid: Grid, split: str, metric: str) -> Axis:
    """Return a metric on a split as an axis."""
    rows = {name: grid.cells.get(Place(split, name, metric)) for name in grid.restorers}
    values = {
        name: row.value for name, row in rows.items() if row and row.value is not None and math.isfinite(row.value)
    }
    column = grid.columns[metric]
    return Axis(f"{column.label} {arrow(column)}", column.higher_is_better, values, metric)


def of_cost(spent: pd.DataFrame, grid: Grid, cost: str) -> Axis:
    """Return a cost as an axis: over all splits of a data set, on the device with most images."""
    here = spent[(spent["dataset"] == grid.dataset) & spent["split"].isin(grid.splits) & spent[cost].notna()]
    values = {}
    for name in grid.restorers:
        rows = here[here["restorer"] == name]
        if len(rows):
            device = rows.groupby("device", sort=True)["images"].sum().idxmax()
            rows = rows[rows["device"] == device]
            total = (
                rows["seconds_total"].sum() / rows["images"].sum() if cost == "seconds_per_image" else rows[cost].max()
            )
            values[name] = float(total) / (1e6 if cost == "parameters" else 1)
    return Axis(f"{_COSTS[cost]} ↓", False, values, logarithmic=True)


def draw_metrics(grid: Grid, metrics: Sequence[str]) -> Figure | None:
    """Draw the first metric against each of the others, a row per split (three at most, evenly spread).

    None where there are fewer than two metrics or no two ranked restorers; call it within `style.settings`.
    """
    splits = _spread(grid.splits)
    panels = [
        [(split, of_metric(grid, split, metrics[0]), of_metric(grid, split, other)) for other in metrics[1:4]]
        for split in splits
    ]
    return _draw(grid, panels)


def draw_costs(spent: pd.DataFrame, grid: Grid, metrics: Sequence[str]) -> Figure | None:
    """Draw costs against metrics (two at most, on the split in the middle); see `draw_metrics`."""
    split = grid.splits[len(grid.splits) // 2]
    axes = [of_cost(spent, grid, cost) for cost in _COSTS]
    known = [axis for axis in axes if len(set(axis.scores) - grid.unranked) > 1]
    return _draw(grid, [[(split, axis, of_metric(grid, split, metric)) for axis in known] for metric in metrics[:2]])


def _spread(splits: Sequence[str]) -> list[str]:
    most = min(len(splits), _MOST_ROWS)
    return [splits[round(i * (len(splits) - 1) / max(1, most - 1))] for i in range(most)]


def _draw(grid: Grid, panels: Sequence[Sequence[tuple[str, Axis, Axis]]]) -> Figure | None:
    from matplotlib.figure import Figure

    ranked = [name for name in grid.restorers if name not in grid.unranked]
    full = [[panel for panel in row if len(_both(panel, ranked)) > 1] for row in panels]
    full = [row for row in full if row]
    if not full:
        return None
    columns = max(map(len, full))
    figure = Figure(figsize=(max(style.ONE_COLUMN, _WIDTH * columns), _HEIGHT * len(full) + 0.4), layout="constrained")
    axes = figure.subplots(len(full), columns, squeeze=False)
    for row, own in zip(full, axes, strict=True):
        for panel, axis in zip(row, own, strict=False):
            _panel(axis, grid, panel, ranked)
        for axis in own[len(row) :]:
            axis.axis("off")
    shown = {name for row in full for panel in row for name in _both(panel, ranked)}
    looks = {name: {**look(grid, name), "linestyle": ""} for name in ranked if name in shown}
    looks["Pareto front (filled)"] = {"color": FAINT, "linewidth": 1.4}
    style.legend(figure, looks, max(2, round(1.5 * columns)))
    return figure


def _both(panel: tuple[str, Axis, Axis], names: Sequence[str]) -> list[str]:
    return [name for name in names if name in panel[1].scores and name in panel[2].scores]


def _panel(axis: Axes, grid: Grid, panel: tuple[str, Axis, Axis], ranked: Sequence[str]) -> None:
    split, x, y = panel
    names = _both(panel, ranked)
    points = [(x.scores[name], y.scores[name]) for name in names]
    best = front(points, (x.higher_is_better, y.higher_is_better))
    line = sorted(point for point, on in zip(points, best, strict=True) if on)
    axis.plot(*zip(*line, strict=True), color=FAINT, linewidth=1.4, zorder=1)
    for name, point, on in zip(names, points, best, strict=True):
        drawn = {**look(grid, name), "linestyle": "", "markersize": 6}
        axis.plot(*point, **drawn, markerfacecolor=drawn["color"] if on else "none", zorder=3)
    if x.logarithmic:
        positive = [value for value, _ in points if value > 0]
        if positive:
            axis.set_xscale("symlog", linthresh=min(positive), linscale=0.3)
            axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    style.plain(axis)
    axis.margins(0.12)
    axis.set_xlabel(style.printable(x.label), fontsize=8, color=INK)
    axis.set_ylabel(style.printable(y.label), fontsize=8, color=INK)
    counts = [row.n for name in names if (row := grid.cells.get(Place(split, name, y.metric)))]
    axis.set_title(style.printable(f"{split}, n = {min(counts)}"), loc="left", fontsize=8, color=INK)
