"""The tables and drawings of one data set, as the page's template reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import robustness
from ..figures.critical_difference import Standings, critical_difference
from ..figures.curves import FAINT, INK, curves, drawable, legend
from ..grid import BEST, SECOND, Grid, Place, arrow, caution, shown_value
from ..leaderboard import Board

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class Cell:
    """One cell of the page's table."""

    metric: str
    text: str
    sort: str
    mark: str
    interval: str
    tier: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Drawing:
    """A picture made of lines, part of the page; `split` and `metric` say when the script shows it, if not always."""

    label: str
    svg: Markup
    split: str = ""
    metric: str = ""


@dataclass(frozen=True)
class Section:
    """One data set under one protocol."""

    grid: Grid
    number: int
    verdict: str
    heads: tuple[dict[str, Any], ...]
    blocks: tuple[dict[str, Any], ...]
    curves: tuple[Drawing, ...]
    ranks: tuple[Drawing, ...]
    robustness: tuple[dict[str, str], ...]
    legend: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Amount:
    """How many drawings the page has room for, over all its tables."""

    curves: int
    ranks: int


def sections(
    board: Board,
    grids: Sequence[Grid],
    curved: Sequence[robustness.Robustness],
    standings: Sequence[Standings],
    most: Amount,
) -> list[Section]:
    """Prepare every table of a leaderboard.

    Args:
        board: the leaderboard.
        grids: its tables.
        curved: the curves in numbers.
        standings: what the critical-difference diagrams show.
        most: how many drawings there may be.
    """
    found = []
    for number, grid in enumerate(grids):
        own = [line for line in curved if (line.dataset, line.protocol) == (grid.dataset, grid.protocol)]
        stands = [one for one in standings if (one.dataset, one.protocol) == (grid.dataset, grid.protocol)]
        wanted = [metric for metric in board.sort if metric in grid.columns] or drawable(grid)[:1]
        order = [*wanted, *grid.columns]
        stands.sort(key=lambda one: order.index(one.metric))
        found.append(
            Section(
                grid=grid,
                number=number,
                verdict=caution(grid.images[0]) or _leaders(board, grid),
                heads=tuple(_head(grid, metric) for metric in grid.columns),
                blocks=tuple(_block(grid, split) for split in grid.splits),
                curves=tuple(_curves(grid, most.curves // len(grids))),
                ranks=tuple(_ranks(stands[: most.ranks // len(grids)])),
                robustness=tuple(robustness.shown(own, grid, wanted)),
                legend=tuple(legend(grid)),
            )
        )
    return found


def _leaders(board: Board, grid: Grid) -> str:
    """Say who leads in the first metric of the order, and who cannot be told apart from the leader."""
    metric = next((name for name in board.sort if name in grid.columns), None)
    if metric is None:
        return ""
    parts = []
    for split in grid.splits:
        rows = [grid.cells[p] for r in grid.restorers if (p := Place(split, r, metric)) in grid.cells]
        leaders = [row.restorer for row in rows if row.tier == 1]
        if leaders:
            parts.append(f"{split}: {', '.join(leaders)}")
    if not parts:
        return ""
    return f"First tier in {grid.columns[metric].label}, not separable from one another: {'; '.join(parts)}."


# -- the table ----------------------------------------------------------------------------------


def _head(grid: Grid, metric: str) -> dict[str, Any]:
    column = grid.columns[metric]
    return {
        "metric": metric,
        "label": column.label,
        "unit": "" if column.unit in ("1", "images") else column.unit,
        "arrow": arrow(column),
        "direction": "higher is better" if column.higher_is_better else "lower is better",
        "first": "descending" if column.higher_is_better else "ascending",
        "notes": grid.notes.headings[metric],
    }


def _block(grid: Grid, split: str) -> dict[str, Any]:
    rows = []
    for restorer in grid.restorers:
        if grid.row(split, restorer):
            n, failed = grid.counts(split, restorer)
            cells = [_cell(grid, Place(split, restorer, metric)) for metric in grid.columns]
            unranked = restorer in grid.unranked
            rows.append({"name": restorer, "unranked": unranked, "cells": cells, "n": n, "failed": failed})
    return {"split": split, "rows": rows}


def _cell(grid: Grid, place: Place) -> Cell:
    row = grid.cells.get(place)
    interval = ""
    if row and row.ci_low is not None and row.ci_high is not None:
        digits = grid.columns[place.metric].digits
        interval = f"{row.ci_low:.{digits}f} to {row.ci_high:.{digits}f}"
    some_tier = any(r.tier is not None and r.tier > 1 for r in grid.cells.values())
    return Cell(
        metric=place.metric,
        text=shown_value(grid, place),
        sort="" if row is None or row.value is None else repr(row.value),
        mark={BEST: "best", SECOND: "second"}.get(grid.marks.get(place, 0), ""),
        interval=interval,
        tier=row.tier if row and some_tier else None,
        notes=grid.notes.cells.get(place, ()),
    )


# -- drawings -----------------------------------------------------------------------------------


def _curves(grid: Grid, most: int) -> Iterator[Drawing]:
    for metric in drawable(grid)[:most]:
        drawing = curves(grid, [metric], outlines=False, legend=False)
        if drawing:
            label = f"{grid.columns[metric].label} against {', '.join(grid.splits)}; the numbers are in the table"
            yield Drawing(label, inline(drawing))


def _ranks(standings: Sequence[Standings]) -> Iterator[Drawing]:
    for one in standings:
        places = ", ".join(f"{name} {rank:.2f}" for name, rank in zip(one.names, one.ranks, strict=True))
        joined = "; ".join(" and ".join(one.names[i] for i in bar) for bar in one.bars) or "none"
        label = f"Mean ranks by {one.label} on {one.split}, {one.n} images: {places}. Not separable: {joined}."
        yield Drawing(label, inline(critical_difference(one, width=5.2, outlines=False)), one.split, one.metric)


def inline(drawing: bytes) -> Markup:
    """Make an SVG of matplotlib's part of the page: its ink follows the page's, its groups have no ids."""
    from markupsafe import Markup

    svg = drawing.decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    opening, rest = svg.split(">", 1)
    opening = re.sub(r' (width|height)="[^"]*"', "", opening)
    svg = f'{opening} aria-hidden="true">{rest}'
    return Markup(svg.replace(INK, "currentColor").replace(FAINT, "var(--rule)"))  # noqa: S704 - matplotlib escapes its texts
