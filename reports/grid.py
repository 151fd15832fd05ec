"""A section of the leaderboard arranged for a table: order, marks, footnotes and how numbers are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..bench.api import Column
from ..bench.statistics import ALPHA, MIN_RANKING, smallest_p
from .rows import Row

BEST, SECOND = 1, 2
DASH = "\N{EN DASH}"
_HEADLINE = ": no ranking follows"  # said once above a table, not in each of its cells


class Place(NamedTuple):
    """A cell of a table."""

    split: str
    restorer: str
    metric: str


@dataclass(frozen=True)
class Notes:
    """Footnotes of a table.

    Attributes:
        headings: metric -> letters of the notes that hold for all its ranked values.
        cells: place -> letters of the others.
        texts: letter -> note, in order.
    """

    headings: Mapping[str, tuple[str, ...]]
    cells: Mapping[Place, tuple[str, ...]]
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Grid:
    """One data set under one protocol.

    Attributes:
        splits: in order of severity.
        restorers: in order of place, those without any rank last.
        unranked: restorers without any rank.
        columns: metric -> its facts, in order of display.
        cells: the rows of the leaderboard by place.
        marks: place -> `BEST` or `SECOND` of its split and metric; equal ranks share a mark.
    """

    dataset: str
    protocol: str
    splits: tuple[str, ...]
    restorers: tuple[str, ...]
    unranked: frozenset[str]
    columns: Mapping[str, Column]
    cells: Mapping[Place, Row]
    marks: Mapping[Place, int]
    notes: Notes

    @property
    def images(self) -> tuple[int, int]:
        """Smallest and largest number of images behind a ranked value (any value where none is ranked)."""
        ranked = {row.n for row in self.cells.values() if row.rank is not None}
        counts = ranked or {row.n for row in self.cells.values() if row.value is not None} or {0}
        return min(counts), max(counts)

    def row(self, split: str, restorer: str) -> list[Row]:
        """Return what there is of a restorer on a split, in order of metric."""
        places = (Place(split, restorer, metric) for metric in self.columns)
        return [self.cells[place] for place in places if place in self.cells]

    def counts(self, split: str, restorer: str) -> tuple[int, int]:
        """Return the largest number of images behind a value of a restorer on a split, and its failures."""
        rows = self.row(split, restorer)
        return max(row.n for row in rows), max(row.n_failed for row in rows)


def headline(grid: Grid) -> str:
    """Say in one or two sentences what a table is about and what may be read from it."""
    low, high = grid.images
    count = f"{low}" if low == high else f"{low} to {high}"
    about = f"{grid.dataset}, protocol {grid.protocol}, {count} {'image' if high == 1 else 'images'}."
    return f"{about} {caution(low)}".strip()


def caution(n: int) -> str:
    """Say what follows from a comparison on `n` images, where it is less than a ranking."""
    if n >= MIN_RANKING:
        return ""
    if not n:
        return "No image has a score: no ranking follows."
    if smallest_p(n) > ALPHA:
        images = "1 image" if n == 1 else f"{n} images"
        return (
            f"No ranking follows from {images}: being better on every one of them gives only p = {smallest_p(n):.3g}."
        )
    return f"No ranking follows from {n} images, fewer than {MIN_RANKING}."


def grids(rows: Sequence[Row], columns: Mapping[str, Column]) -> list[Grid]:
    """Arrange the rows of a leaderboard: one grid per data set and protocol."""
    sections = dict.fromkeys((row.dataset, row.protocol) for row in rows)
    return [_grid(section, [r for r in rows if (r.dataset, r.protocol) == section], columns) for section in sections]


def _grid(section: tuple[str, str], rows: Sequence[Row], columns: Mapping[str, Column]) -> Grid:
    ranked = {row.restorer for row in rows if row.rank is not None}
    restorers = sorted(dict.fromkeys(row.restorer for row in rows), key=lambda name: name not in ranked)
    cells: dict[Place, Row] = {}
    for row in rows:
        place = Place(row.split, row.restorer, row.metric)
        if place not in cells or cells[place].value is None:
            cells[place] = row
    return Grid(
        dataset=section[0],
        protocol=section[1],
        splits=tuple(dict.fromkeys(row.split for row in rows)),
        restorers=tuple(restorers),
        unranked=frozenset(set(restorers) - ranked),
        columns={name: column for name, column in columns.items() if any(row.metric == name for row in rows)},
        cells=cells,
        marks=_marks(cells),
        notes=_notes(cells),
    )


def _marks(cells: Mapping[Place, Row]) -> dict[Place, int]:
    contests: dict[tuple[str, str], dict[Place, int]] = {}
    for place, row in cells.items():
        if row.rank is not None:
            contests.setdefault((place.split, place.metric), {})[place] = row.rank
    marks = {}
    for contest in contests.values():
        best = sorted(set(contest.values()))[:2]
        for place, rank in contest.items():
            if len(contest) > 1 and rank in best:
                marks[place] = best.index(rank) + 1
    return marks


def _notes(cells: Mapping[Place, Row]) -> Notes:
    parts = {place: _parts(row) for place, row in cells.items()}
    shared: dict[str, list[str]] = {}
    for metric in dict.fromkeys(place.metric for place in cells):
        here = [place for place in cells if place.metric == metric]
        ranked = [place for place in here if cells[place].rank is not None] or here
        shared[metric] = [part for part in parts[ranked[0]] if all(part in parts[place] for place in ranked)]
    letter: dict[str, str] = {}
    for note in (*_flat(shared.values()), *_flat(parts.values())):
        letter.setdefault(note, letters(len(letter)))
    return Notes(
        headings={metric: tuple(letter[part] for part in several) for metric, several in shared.items()},
        cells={
            place: tuple(letter[p] for p in several if p not in shared[place.metric] or cells[place].value is None)
            for place, several in parts.items()
        },
        texts={label: note for note, label in letter.items()},
    )


def _parts(row: Row) -> list[str]:
    """Take a note apart; the reason of an empty value is one piece, whatever it says."""
    if row.value is None:
        return [row.note] if row.note else []
    return [part for part in row.note.split("; ") if part and _HEADLINE not in part]


def _flat(lists: Iterable[Iterable[str]]) -> list[str]:
    return [item for several in lists for item in several]


def letters(index: int) -> str:
    """Return the label of a footnote: 0 -> `a`, 25 -> `z`, 26 -> `aa`."""
    label = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        label = chr(ord("a") + rest) + label
    return label


def number(value: float, digits: int, infinity: str = "∞") -> str:
    """Write a value with so many decimals."""
    if math.isinf(value):
        return infinity if value > 0 else f"-{infinity}"
    return f"{value:.{digits}f}"


def arrow(column: Column) -> str:
    """Return the direction of a metric: `↑` higher is better, `↓` lower."""
    return "↑" if column.higher_is_better else "↓"


def shown_value(grid: Grid, place: Place) -> str:
    """Write a cell's value, or a dash."""
    row = grid.cells.get(place)
    if row is None or row.value is None:
        return DASH
    return number(row.value, grid.columns[place.metric].digits)
