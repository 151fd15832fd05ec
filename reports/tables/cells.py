"""The cells of a table: values, marks among the rows that are shown, daggers, and notes with their letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from ...bench.statistics import ALPHA, smallest_p
from ..grid import BEST, DASH, SECOND, Grid, Place, letters, number
from ..leaderboard import Board
from ..rows import Row
from .paper_table import LEADS, LIKE_BEST, RANKED, UNRANKED, Heading, Line, Value
from .preset import DATASET, NONE, SPLIT, Preset
from .printed_rows import printed_rows

Item = TypeVar("Item")


class Unit(NamedTuple):
    """One data set and split under one protocol."""

    grid: Grid
    split: str

    def key(self, dimension: str) -> str:
        """Return its name in one dimension; empty for `none`."""
        return {SPLIT: self.split, DATASET: self.grid.dataset, NONE: ""}[dimension]

    def row(self, restorer: str, metric: str) -> Row | None:
        """Return a cell of the leaderboard."""
        return self.grid.cells.get(Place(self.split, restorer, metric))


@dataclass(frozen=True)
class Desk:
    """What every table of a preset is made from.

    Attributes:
        better: (data set, split, protocol, metric, pair) -> who is significantly better, or empty.
        names: restorer -> its name in the table, where it has another one.
    """

    board: Board
    preset: Preset
    better: Mapping[tuple[str, str, str, str, frozenset[str]], str]
    names: Mapping[str, str]


def plain(metric: str) -> str:
    """Leave out the digest that tells metrics of one name and several identities apart."""
    return metric.partition("~")[0]


class Register:
    """Notes of a table in order of appearance, and their letters."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._letters: dict[str, str] = {}

    def letters(self, notes: Sequence[str]) -> tuple[str, ...]:
        """Return the letters of some notes; new ones get the next."""
        for note in notes:
            if note not in self._letters:
                self._letters[note] = letters(len(self._letters))
                self.texts[self._letters[note]] = note
        return tuple(self._letters[note] for note in notes)


def make_heading(
    desk: Desk, units: Sequence[Unit], metric: str, restorers: Sequence[str], register: Register
) -> Heading:
    """Return a column with the notes that hold for all its values."""
    column = desk.board.columns[metric]
    rows = [(unit, name, row) for unit in units for name in restorers if (row := unit.row(name, metric))]
    deciding = [place for place in rows if place[2].rank is not None] or rows
    shared = _shared([list(_notes(unit, name, metric)) for unit, name, _ in deciding])
    return Heading(
        metric=metric,
        label=_named(desk.preset.labels, metric, column.label),
        unit=column.unit,
        higher_is_better=column.higher_is_better,
        digits=_named(desk.preset.digits, metric, column.digits),
        notes=register.letters(shared),
    )


def _named(chosen: Mapping[str, Item], metric: str, otherwise: Item) -> Item:
    return chosen.get(metric, chosen.get(plain(metric), otherwise))


def _notes(unit: Unit, restorer: str, metric: str) -> Iterator[str]:
    """Yield the notes of a cell, those of its column included."""
    known = unit.grid.notes
    place = Place(unit.split, restorer, metric)
    row = unit.grid.cells.get(place)
    shared = known.headings[metric] if row and (row.rank is not None or not _ranked(unit, metric)) else ()
    for letter in dict.fromkeys((*shared, *known.cells.get(place, ()))):
        yield known.texts[letter]


def _ranked(unit: Unit, metric: str) -> bool:
    return any((row := unit.row(name, metric)) is not None and row.rank is not None for name in unit.grid.restorers)


def _shared(several: Sequence[Sequence[str]]) -> list[str]:
    return [note for note in several[0] if all(note in notes for notes in several)] if several else []


def make_lines(
    desk: Desk,
    title: str,
    groups: Mapping[str, list[Unit]],
    headings: Mapping[str, tuple[Heading, ...]],
    restorers: Sequence[str],
    register: Register,
) -> Iterator[Line]:
    """Yield the rows of one block, those in print last.

    Args:
        desk: what the table is made from.
        title: the block's key.
        groups: units of each group of columns.
        headings: columns of each group.
        restorers: in order of the rows.
        register: the table's notes.
    """
    here = {key: next((u for u in units if u.key(desk.preset.blocks) == title), None) for key, units in groups.items()}
    present = [unit for unit in here.values() if unit is not None]
    columns = [
        (unit, heading, _contest(unit, heading.metric, restorers))
        for key, unit in here.items()
        for heading in headings[key]
    ]
    for name in restorers:
        rows = [row for unit, heading, _ in columns if unit and (row := unit.row(name, heading.metric))]
        if rows:
            yield Line(
                restorer=name,
                name=desk.names.get(name, name),
                kind=UNRANKED if all(name in unit.grid.unranked for unit in present) else RANKED,
                values=tuple(_value(desk, *column, name, register) for column in columns),
                n=max(row.n for row in rows),
                failed=max(row.n_failed for row in rows),
            )
    if desk.preset.published:
        yield from printed_rows(
            desk.board, desk.preset, [(unit and (unit.grid, unit.split), heading) for unit, heading, _ in columns]
        )


def _contest(unit: Unit | None, metric: str, restorers: Sequence[str]) -> dict[str, int]:
    """Return the mark of the best and second best of the rows that are shown."""
    ranks = {name: row.rank for name in restorers if unit and (row := unit.row(name, metric)) and row.rank is not None}
    best = sorted(set(ranks.values()))[:2]
    return {
        name: (BEST, SECOND)[best.index(rank)] if rank in best and len(ranks) > 1 else 0 for name, rank in ranks.items()
    }


def _value(
    desk: Desk, unit: Unit | None, heading: Heading, marks: Mapping[str, int], restorer: str, register: Register
) -> Value:
    row = unit.row(restorer, heading.metric) if unit else None
    if unit is None or row is None:
        return Value(None, DASH)
    own = [
        letter
        for letter in register.letters(list(_notes(unit, restorer, heading.metric)))
        if letter not in heading.notes
    ]
    if row.value is None:
        return Value(None, DASH, n=row.n, notes=tuple(own))
    return Value(
        value=row.value,
        text=number(row.value, heading.digits),
        ci_low=row.ci_low,
        ci_high=row.ci_high,
        n=row.n,
        rank=row.rank,
        tier=row.tier,
        mark=marks.get(restorer, 0),
        daggers=_daggers(desk, row, marks),
        notes=tuple(own),
    )


def _daggers(desk: Desk, row: Row, marks: Mapping[str, int]) -> tuple[str, ...]:
    """Say whether a value cannot be told from the best, or leads all others; sets of images have no test."""
    best = [name for name, mark in marks.items() if mark == BEST]
    if not desk.preset.daggers or row.tier is None or row.restorer not in marks or smallest_p(row.n) > ALPHA:
        return ()

    def better(one: str, other: str) -> str:
        return desk.better.get((row.dataset, row.split, row.protocol, row.metric, frozenset((one, other))), "")

    if row.restorer in best:
        others = [name for name in marks if name != row.restorer]
        return (LEADS,) if others and all(better(row.restorer, name) == row.restorer for name in others) else ()
    return (LIKE_BEST,) if any(not better(name, row.restorer) for name in best) else ()
