"""Robustness in numbers: what a restorer's curve over the splits says, one line per metric.

The splits of a sweep lie at the values of its parameter; others count as equally spaced steps in the order of the
command.  Only values that are comparable enter: those with a rank on every split.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..bench.statistics import interval
from ..bench.storage.results import score_column
from .grid import Grid, Place
from .groups import Group, Scores
from .leaderboard import Board
from .page.image_list import Images
from .rows import Row
from .severity import levels


@dataclass(frozen=True)
class Robustness:
    """One line of `robustness.csv`; what the columns mean is in docs/statistics.md."""

    restorer: str
    dataset: str
    protocol: str
    metric: str
    splits: str
    over: str
    slope: float
    slope_low: float | None
    slope_high: float | None
    n: int
    area: float
    relative_loss: float | None
    worst_sample: str
    worst_split: str
    worst: float | None
    rank_first: int
    rank_last: int
    tau_first_last: float | None
    tau_lowest: float | None


def robustness(board: Board, grid: Grid) -> list[Robustness]:
    """Sum up the curves of one data set; empty with fewer than two splits.

    Args:
        board: the leaderboard, for the scores of single images.
        grid: the data set's table.
    """
    if len(grid.splits) < 2:
        return []
    groups = [g for g in board.groups if (g.dataset, g.protocol) == (grid.dataset, grid.protocol)]
    ordered = [group for split in grid.splits for group in groups if group.split == split]
    over, levels_of = levels(ordered)
    found = []
    for metric in grid.columns:
        curves = {name: curve for name in grid.restorers if (curve := _curve(grid, name, metric))}
        taus = _taus(list(curves.values()))
        found += [_line(board, grid, ordered, curve, taus, over, levels_of) for curve in curves.values()]
    return found


def slope(values: Scores, at: Scores) -> Scores:
    """Return the least-squares change per unit of `at` along the last axis, two values or more."""
    x = at - at.mean()
    return np.asarray(values @ x / (x @ x))


def area(values: Scores, at: Scores) -> float:
    """Return the area under a curve, by trapezoids, over its width: the mean level along it."""
    order = np.argsort(at)
    return float(np.trapezoid(values[order], at[order]) / np.ptp(at))


def relative_loss(first: float, last: float, *, higher_is_better: bool) -> float | None:
    """Return what is lost from the first value to the last, as a share of the first; None where that is zero."""
    if first == 0:
        return None
    return (first - last if higher_is_better else last - first) / abs(first)


def _curve(grid: Grid, restorer: str, metric: str) -> list[Row] | None:
    rows = [grid.cells.get(Place(split, restorer, metric)) for split in grid.splits]
    full = [row for row in rows if row and row.rank is not None and row.value is not None and math.isfinite(row.value)]
    return full if len(full) == len(rows) else None


def _line(
    board: Board,
    grid: Grid,
    groups: Sequence[Group],
    curve: list[Row],
    taus: tuple[float | None, float | None],
    over: str,
    at: Scores,
) -> Robustness:
    first, last = curve[0], curve[-1]
    means = np.array([row.value for row in curve], dtype=np.float64)
    higher = bool(first.higher_is_better)
    kept, scores = _scores(board, groups, first)
    slopes = slope(scores, at) if len(scores) else np.zeros(0)
    low, high = interval(slopes, grid.dataset, "slope") or (None, None)
    sample, split, worst = _worst(groups[0].images, kept, scores, grid.splits, higher_is_better=higher)
    return Robustness(
        restorer=first.restorer,
        dataset=grid.dataset,
        protocol=grid.protocol,
        metric=first.metric,
        splits=" ".join(grid.splits),
        over=over,
        slope=float(slope(means, at)),
        slope_low=low,
        slope_high=high,
        n=len(scores) or min(row.n for row in curve),
        area=area(means, at),
        relative_loss=relative_loss(float(means[0]), float(means[-1]), higher_is_better=higher),
        worst_sample=sample,
        worst_split=split,
        worst=worst,
        rank_first=first.rank or 0,
        rank_last=last.rank or 0,
        tau_first_last=taus[0],
        tau_lowest=taus[1],
    )


def _scores(board: Board, groups: Sequence[Group], row: Row) -> tuple[NDArray[np.int64], Scores]:
    """Images of the first split with a finite score on every split, and those scores `(n, splits)`.

    There are none for a set-level metric.
    """
    columns = {(shown, metric_id): column for (column, metric_id), shown in board.names.items()}
    column = columns.get((row.metric, row.metric_id))
    if row.tier is None or column is None:
        return np.zeros(0, dtype=np.int64), np.zeros((0, len(groups)))
    stored = score_column(row.metric_id, column)
    values = np.stack([_aligned(groups[0].images, group, row.restorer, stored) for group in groups], axis=1)
    kept = np.flatnonzero(np.isfinite(values).all(axis=1))
    return kept, values[kept]


def _aligned(images: Images, group: Group, restorer: str, column: str) -> Scores:
    """Scores in the order of another split's images; the LQ differs from split to split and does not count."""
    entrant = next(e for e in group.entrants if e.name == restorer)
    places = images.places(group.images)
    return np.append(entrant.scores(column), np.nan)[places]


def _worst(
    images: Images, kept: NDArray[np.int64], scores: Scores, splits: Sequence[str], *, higher_is_better: bool
) -> tuple[str, str, float | None]:
    if not len(scores):
        return "", "", None
    place = int(scores.argmin() if higher_is_better else scores.argmax())
    row, split = divmod(place, scores.shape[1])
    return images[int(kept[row])].sample, splits[split], float(scores[row, split])


def _taus(curves: Sequence[list[Row]]) -> tuple[float | None, float | None]:
    """Kendall's tau-b of the restorers' order: first against last split, and the lowest of all pairs of splits."""
    if len(curves) < 2:
        return None, None
    values = np.array([[row.value for row in curve] for curve in curves], dtype=np.float64)
    found = {pair: _tau(values[:, pair[0]], values[:, pair[1]]) for pair in combinations(range(values.shape[1]), 2)}
    known = [tau for tau in found.values() if tau is not None]
    return found[0, values.shape[1] - 1], min(known, default=None)


def _tau(first: Scores, second: Scores) -> float | None:
    """Kendall's tau-b; None where all values of a split are equal.

    Source:
        Kendall, The treatment of ties in ranking problems, Biometrika 33 (1945).
    """
    signs = [np.sign(np.subtract.outer(values, values)) for values in (first, second)]
    size = math.sqrt(float(np.sum(signs[0] ** 2)) * float(np.sum(signs[1] ** 2)))
    return float(np.sum(signs[0] * signs[1])) / size if size else None


def shown(lines: Sequence[Robustness], grid: Grid, metrics: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the lines of some metrics as the page shows them."""
    for line in lines:
        if line.metric in metrics:
            column = grid.columns[line.metric]
            between = "" if line.slope_low is None else f"{_signed(line.slope_low)} to {_signed(line.slope_high)}"
            yield {
                "metric": column.label,
                "restorer": line.restorer,
                "slope": f"{_signed(line.slope)}{f' per {line.over}' if line.over else ''}",
                "interval": between,
                "area": f"{line.area:.{column.digits}f}",
                "loss": "" if line.relative_loss is None else f"{100 * line.relative_loss:.1f} %",
                "worst": "" if line.worst is None else f"{line.worst:.{column.digits}f}",
                "where": f"{line.worst_sample}, {line.worst_split}" if line.worst_sample else "",
                "ranks": f"{line.rank_first} → {line.rank_last}",
                "tau": "" if line.tau_first_last is None else f"{line.tau_first_last:.2f}",
            }


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3g}"
