"""The leaderboard arranged into tables by a preset; how they are written is the business of each format."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ..comparisons import Pair
from ..grid import caution, grids
from ..leaderboard import Board
from .cells import Desk, Register, Unit, make_heading, make_lines, plain
from .paper_table import Block, Group, Table
from .preset import DATASET, SPLIT, Preset

Item = TypeVar("Item")


def arrange(board: Board, preset: Preset, pairs: Sequence[Pair]) -> list[Table]:
    """Return the tables of a preset; none where nothing that it asks for is there.

    Args:
        board: the leaderboard.
        preset: the layout.
        pairs: its comparisons, for the daggers.
    """
    better = {(p.dataset, p.split, p.protocol, p.metric, frozenset((p.first, p.second))): p.better for p in pairs}
    desk = Desk(board, preset, better, _names(board, preset))
    tables = [table for units in _sections(board, preset) for table in _tables(desk, units)]
    twins = [table.label for table in tables]
    return [
        table
        if twins.count(table.label) == 1
        else replace(table, label=f"{table.label}-{twins[: i + 1].count(table.label)}")
        for i, table in enumerate(tables)
    ]


def _names(board: Board, preset: Preset) -> dict[str, str]:
    """Return what the rows are called."""
    cards = {
        entrant.name: str(entrant.tables[0].cell.card.get("name") or entrant.name)
        for group in board.groups
        for entrant in group.entrants
    }
    shared = Counter(cards.values())
    own = {name: card for name, card in cards.items() if preset.card_names and shared[card] == 1}
    return {**own, **preset.names}


def left_out(board: Board, preset: Preset) -> list[str]:
    """Return what a preset asks for by name and the results do not have."""
    asked = {
        "restorer": (preset.rows, {row.restorer for row in board.rows}),
        "metric": (
            (*preset.columns, *(name for own in preset.columns_of.values() for name in own)),
            {plain(name) for name in board.columns} | set(board.columns),
        ),
        "split": (preset.splits, {row.split for row in board.rows}),
        "data set": (preset.datasets, {row.dataset for row in board.rows}),
    }
    return [
        f"{kind} {name.replace('|', ' or ')}"
        for kind, (names, known) in asked.items()
        for name in dict.fromkeys(names)
        if not known & set(name.split("|"))
    ]


def _sections(board: Board, preset: Preset) -> Iterator[list[Unit]]:
    """Yield the units of each table: those that share whatever is neither across nor a block."""
    free = [dimension for dimension in (DATASET, SPLIT) if dimension not in (preset.across, preset.blocks)]
    together: dict[tuple[str, ...], list[Unit]] = {}
    for grid in _chosen(grids(board.rows, board.columns), preset.datasets, lambda grid: grid.dataset):
        for split in _chosen(grid.splits, preset.splits, str):
            unit = Unit(grid, split)
            together.setdefault((grid.protocol, *map(unit.key, free)), []).append(unit)
    yield from together.values()


def _chosen(items: Iterable[Item], wanted: Sequence[str], name: Callable[[Item], str]) -> list[Item]:
    """Return some items in the order of the wish, or all where there is none."""
    known = list(items)
    return [item for want in wanted for item in known if name(item) == want] if wanted else known


def _tables(desk: Desk, units: list[Unit]) -> Iterator[Table]:
    """Cut what would be too wide for a page between its groups."""
    preset = desk.preset
    groups = {
        key: [u for u in units if u.key(preset.across) == key]
        for key in dict.fromkeys(u.key(preset.across) for u in units)
    }
    metrics = {key: _metrics(desk, own, several=len(groups) > 1) for key, own in groups.items()}
    for part in _parts({key: names for key, names in metrics.items() if names}, preset.most_columns):
        table = _table(desk, {key: groups[key] for key in part}, part)
        if table.blocks:
            yield table


def _parts(metrics: Mapping[str, list[str]], most: int) -> Iterator[dict[str, list[str]]]:
    """Yield the columns of each table: as many groups as fit, equally many in each; a group that does not is cut."""
    each = max(1, math.ceil(len(metrics) / max(1, math.ceil(sum(map(len, metrics.values())) / most))))
    keys = list(metrics)
    for start in range(0, len(keys), each):
        own = keys[start : start + each]
        pieces = math.ceil(max(len(metrics[key]) for key in own) / most)
        for piece in range(pieces):
            step = {key: math.ceil(len(metrics[key]) / pieces) for key in own}
            part = {key: metrics[key][piece * step[key] : (piece + 1) * step[key]] for key in own}
            yield {key: names for key, names in part.items() if names}


def _metrics(desk: Desk, units: Sequence[Unit], *, several: bool) -> list[str]:
    """Choose the columns of a group; beside other groups, one without any number is left out."""
    known = dict.fromkeys(metric for unit in units for metric in unit.grid.columns)
    wanted = next(
        (desk.preset.columns_of[u.grid.dataset] for u in units if u.grid.dataset in desk.preset.columns_of), ()
    )
    wanted = wanted or desk.preset.columns
    if wanted:
        known = dict.fromkeys(m for want in wanted for m in _first(want, known))
    else:
        known = dict.fromkeys(m for m in known if desk.board.columns[m].unit != "images")
    return [m for m in known if not several or any(_has(unit, m) for unit in units)]


def _first(wanted: str, known: Iterable[str]) -> list[str]:
    """Return the metrics of the first alternative of `a|b` that is there."""
    found = ([m for m in known if name in (m, plain(m))] for name in wanted.split("|"))
    return next((metrics for metrics in found if metrics), [])


def _has(unit: Unit, metric: str) -> bool:
    return any((row := unit.row(name, metric)) is not None and row.value is not None for name in unit.grid.restorers)


def _table(desk: Desk, groups: Mapping[str, list[Unit]], metrics: Mapping[str, list[str]]) -> Table:
    preset, units = desk.preset, [unit for several in groups.values() for unit in several]
    restorers = _restorers(desk, units)
    register = Register()
    headings = {
        key: tuple(make_heading(desk, groups[key], metric, restorers, register) for metric in metrics[key])
        for key in groups
    }
    titles = dict.fromkeys(unit.key(preset.blocks) for unit in units)
    blocks = [
        Block(
            preset.titles.get(title, title) if len(titles) > 1 else "",
            tuple(make_lines(desk, title, groups, headings, restorers, register)),
        )
        for title in titles
    ]
    return Table(
        preset=preset,
        label="-".join(dict.fromkeys((preset.name, *(unit.grid.dataset for unit in units), units[0].grid.protocol))),
        sheet=_sheet(units),
        about=tuple(_about(desk, units, restorers)),
        groups=tuple(Group(preset.titles.get(key, key) if len(groups) > 1 else "", headings[key]) for key in groups),
        blocks=tuple(block for block in blocks if block.lines),
        notes=register.texts,
    )


def _restorers(desk: Desk, units: Sequence[Unit]) -> list[str]:
    """Order the rows: as the preset says, or by mean rank in each metric of the order; the unranked last."""
    ranked = {name for unit in units for name in unit.grid.restorers if name not in unit.grid.unranked}
    everybody = dict.fromkeys(name for unit in units for name in unit.grid.restorers)
    shown = [name for name in everybody if desk.preset.unranked or name in ranked]
    if desk.preset.rows:
        return _chosen(shown, desk.preset.rows, str)
    order = desk.preset.order or desk.board.sort

    def place(name: str) -> tuple[bool, list[float], str]:
        return name not in ranked, [_mean_rank(units, name, metric) for metric in order], name

    return sorted(shown, key=place)


def _mean_rank(units: Sequence[Unit], restorer: str, metric: str) -> float:
    ranks = [row.rank for unit in units if (row := unit.row(restorer, metric)) and row.rank is not None]
    return sum(ranks) / len(ranks) if ranks else math.inf


def _sheet(units: Sequence[Unit]) -> str:
    datasets = list(dict.fromkeys(unit.grid.dataset for unit in units))
    splits = list(dict.fromkeys(unit.split for unit in units))
    parts = ["+".join(datasets[:2]) + ("+" if len(datasets) > 2 else "")]
    parts += [units[0].grid.protocol] if units[0].grid.protocol != "standard" else []
    parts += splits if len(splits) == 1 else []
    return " ".join(parts)


def _about(desk: Desk, units: Sequence[Unit], restorers: Sequence[str]) -> Iterator[str]:
    """Yield the sentences of a caption: layout, data, protocol, number of images, and what may be read from it."""
    if desk.preset.title:
        yield f"{desk.preset.title}."
    counts: dict[str, tuple[float, float]] = {}
    for unit in units:
        rows = [r for name in restorers for m in unit.grid.columns if (r := unit.row(name, m)) and r.value is not None]
        ranked = [row.n for row in rows if row.rank is not None] or [row.n for row in rows] or [0]
        low, high = counts.get(unit.grid.dataset, (math.inf, 0))
        counts[unit.grid.dataset] = min(low, *ranked), max(high, *ranked)
    data = ", ".join(f"{name} (n = {_range(*count)})" for name, count in counts.items())
    splits = list(dict.fromkeys(unit.split for unit in units))
    split = f", split {splits[0]}" if len(splits) == 1 else ""
    yield f"{data}{split}, protocol {units[0].grid.protocol}."
    fewest = int(min(low for low, _ in counts.values()))
    if caution(fewest):
        yield caution(fewest)
    missing = left_out(desk.board, desk.preset)
    if missing:
        yield f"Not in these results: {', '.join(missing)}."


def _range(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
