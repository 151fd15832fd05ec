"""`index.html`: one self-contained page that needs no network."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import claims, robustness
from .costs import cost_facts
from .curves import FAINT, INK, curves, drawable, legend
from .failures import failures
from .gallery import Gallery, Tile, encoded, gallery, picture
from .grid import BEST, SECOND, Grid, Place, arrow, caution, shown_value
from .leaderboard import Board
from .origin import commands, data_facts, environment, restorer_facts, skipped, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_TILE = 288  # pixels of a picture's longer side in the page; shown at half of it on dense screens
_MOST_TILES = 160
_MOST_FACES = 5
_MOST_FAILURES = 200
_MOST_CLAIMS = 200


@dataclass(frozen=True)
class Cell:
    """One cell of the page's table."""

    text: str
    sort: str
    mark: str
    interval: str
    tier: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One data set on the page."""

    grid: Grid
    anchor: str
    verdict: str
    heads: tuple[dict[str, Any], ...]
    blocks: tuple[dict[str, Any], ...]
    curves: tuple[tuple[str, Markup], ...]
    robustness: tuple[dict[str, str], ...]
    legend: tuple[tuple[str, str, str], ...]
    galleries: tuple[dict[str, Any], ...]


def page(
    board: Board,
    grids: Sequence[Grid],
    spent: pd.DataFrame,
    curved: Sequence[robustness.Robustness] = (),
    in_print: Sequence[claims.Claim] = (),
) -> bytes:
    """Write the page: leaderboard, curves, numbers in print, faces, failures, and where everything comes from.

    Every text from the store is escaped; the only script is ours, admitted by its digest.

    Args:
        board: the leaderboard.
        grids: its tables, as `grid.grids` arranges them.
        spent: what restoring cost, from `costs.costs`.
        curved: the curves in numbers, from `robustness.robustness`.
        in_print: numbers in print beside measured ones, from `claims.claims`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    script = (_TEMPLATES / "page.js").read_text(encoding="utf-8")
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    loader = FileSystemLoader(_TEMPLATES)
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    plans = board.results.plans
    failed = failures(board)
    sections = [_section(board, grid, curved) for grid in grids]
    html = templates.get_template("index.html.j2").render(
        title=_title(grids),
        summary=_summary(board, grids),
        sections=sections,
        claims=claims.shown(in_print, board)[:_MOST_CLAIMS],
        more_claims=max(0, len(in_print) - _MOST_CLAIMS),
        failures=failed[:_MOST_FAILURES],
        more_failures=max(0, len(failed) - _MOST_FAILURES),
        data=data_facts(board),
        restorers=restorer_facts(board),
        metrics=_metrics(board),
        costs=cost_facts(spent),
        commands=commands(plans),
        weights=weights(plans),
        skipped=skipped(plans),
        environment=environment(plans),
        config=_config(plans[-1].get("config")) if plans else "",
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return html.encode("utf-8", "replace")


def _title(grids: Sequence[Grid]) -> str:
    names = list(dict.fromkeys(grid.dataset for grid in grids))
    return f"Restoration on {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}"


def _summary(board: Board, grids: Sequence[Grid]) -> list[str]:
    ranked = {r for grid in grids for r in grid.restorers if r not in grid.unranked}
    splits = {(grid.dataset, split) for grid in grids for split in grid.splits}
    images = {group.dataset: len(group.images) for group in board.groups}
    protocols = dict.fromkeys(grid.protocol for grid in grids)
    return [
        _count(len(ranked), "restorer"),
        _count(len(splits), "split"),
        _count(sum(images.values()), "image"),
        f"protocol {', '.join(protocols)}",
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# -- one data set -------------------------------------------------------------------------------


def _section(board: Board, grid: Grid, curved: Sequence[robustness.Robustness]) -> Section:
    own = [line for line in curved if (line.dataset, line.protocol) == (grid.dataset, grid.protocol)]
    wanted = [metric for metric in board.sort if metric in grid.columns] or drawable(grid)[:1]
    return Section(
        grid=grid,
        anchor=re.sub(r"\W+", "-", f"{grid.dataset}-{grid.protocol}"),
        verdict=caution(grid.images[0]) or _leaders(board, grid),
        heads=tuple(_head(grid, metric) for metric in grid.columns),
        blocks=tuple(_block(grid, split) for split in grid.splits),
        curves=tuple(_drawings(grid)),
        robustness=tuple(robustness.shown(own, grid, wanted)),
        legend=tuple(legend(grid)),
        galleries=tuple(_galleries(board, grid)),
    )


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


def _head(grid: Grid, metric: str) -> dict[str, Any]:
    column = grid.columns[metric]
    return {
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
        text=shown_value(grid, place),
        sort="" if row is None or row.value is None else repr(row.value),
        mark={BEST: "best", SECOND: "second"}.get(grid.marks.get(place, 0), ""),
        interval=interval,
        tier=row.tier if row and some_tier else None,
        notes=grid.notes.cells.get(place, ()),
    )


def _drawings(grid: Grid) -> list[tuple[str, Markup]]:
    from markupsafe import Markup

    found = []
    for metric in drawable(grid):
        drawing = curves(grid, [metric], outlines=False, legend=False)
        if drawing:
            label = f"{grid.columns[metric].label} against {', '.join(grid.splits)}; the numbers are in the table"
            found.append((label, Markup(_inline(drawing.decode()))))  # noqa: S704 - matplotlib escapes its texts
    return found


def _inline(svg: str) -> str:
    """Make a drawing part of the page: its ink follows the page's, its groups have no ids."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    opening, rest = svg.split(">", 1)
    opening = re.sub(r' (width|height)="[^"]*"', "", opening)
    svg = f'{opening} aria-hidden="true">{rest}'
    return svg.replace(INK, "currentColor").replace(FAINT, "var(--rule)")


# -- pictures -----------------------------------------------------------------------------------


def _galleries(board: Board, grid: Grid) -> list[dict[str, Any]]:
    groups = [g for g in board.groups if (g.dataset, g.protocol) == (grid.dataset, grid.protocol) and g.images]
    widest = max((len(group.entrants) + 2 for group in groups), default=1)
    most = max(2, min(_MOST_FACES, _MOST_TILES // max(1, widest * len(groups))))
    return [_gallery(board, gallery(group, grid.restorers, most)) for group in groups]


def _gallery(board: Board, shown: Gallery) -> dict[str, Any]:
    rows = [[_tile(board, tile, shown.split) for tile in row] for row in shown.rows]
    return {"split": shown.split, "columns": shown.columns, "rows": rows}


def _tile(board: Board, tile: Tile, split: str) -> dict[str, str]:
    found = picture(board.results.store, tile)
    facts = {"column": tile.column, "sample": tile.sample, "alt": f"{tile.sample}, {tile.column}, {split}"}
    if isinstance(found, str):
        return {**facts, "problem": found, "source": ""}
    data = base64.b64encode(encoded(found, _TILE)).decode()
    return {**facts, "problem": "", "source": f"data:image/webp;base64,{data}"}


# -- facts --------------------------------------------------------------------------------------


def _metrics(board: Board) -> list[dict[str, str]]:
    ids = {row.metric: row.metric_id for row in board.rows}
    return [
        {"name": name, "label": column.label, "arrow": arrow(column), "unit": column.unit, "identity": ids[name]}
        for name, column in board.columns.items()
        if column.unit != "images"
    ]


def _config(config: object) -> str:
    import yaml

    return yaml.safe_dump(config, sort_keys=True, allow_unicode=True, default_flow_style=False) if config else ""
