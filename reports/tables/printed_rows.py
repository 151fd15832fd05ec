"""Rows of a table that hold numbers in print: never ranked, never marked, each under the document that printed it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..claims import Printed, names, printed
from ..grid import DASH, Grid, number
from ..leaderboard import Board
from .paper_table import PRINTED, Heading, Line, Value
from .preset import Preset

Column = tuple[tuple[Grid, str] | None, Heading]
"""Where a column of numbers belongs, data set's table and split, and its heading."""


def printed_rows(board: Board, preset: Preset, columns: Sequence[Column]) -> Iterator[Line]:
    """Yield a row for every system and document with a number on the same images as one of the columns.

    Whether it was measured by the same recipe is another question, which `published.csv` answers line by line: where
    a document's recipe is known, its number stands only under a metric of that recipe.

    Args:
        board: the leaderboard.
        preset: which documents to show.
        columns: those of a block, from left to right.
    """
    cards = {
        group.dataset: str(entrant.tables[0].cell.dataset_card.get("name", ""))
        for group in board.groups
        for entrant in group.entrants
    }
    found: dict[tuple[str, str], dict[int, Printed]] = {}
    for item in printed():
        if not preset.published_by or item.reported_by in preset.published_by:
            for place in _places(item, columns, cards):
                found.setdefault((item.system, item.reported_by), {}).setdefault(place, item)
    for (system, document), items in found.items():
        values = tuple(_value(items.get(place)) for place in range(len(columns)))
        yield Line(system, f"{system} [{document}]", PRINTED, values)


def _places(item: Printed, columns: Sequence[Column], cards: Mapping[str, str]) -> Iterator[int]:
    """Yield the columns a number belongs to: one per data set and split, the first of its kind and recipe."""
    facts: Mapping[str, Any] | None = names()["metrics"].get(item.metric)
    if facts is None:
        return
    taken = set()
    recipe = facts["recipes"].get(item.reported_by, "")
    for place, (where, heading) in enumerate(columns):
        if where is None or (where[0].dataset, where[1]) in taken:
            continue
        grid, split = where
        known = names()["datasets"].get(cards.get(grid.dataset, ""), {"set": "", "splits": {}})
        same = known["set"] == item.dataset and item.split in known["splits"].get(split, ())
        identity = next((row.metric_id for p, row in grid.cells.items() if p.metric == heading.metric), "")
        kind = re.match(facts["ours"], identity) and re.match(facts.get("column", ""), heading.metric)
        if same and kind and re.match(recipe, identity):
            taken.add((grid.dataset, split))
            yield place


def _value(item: Printed | None) -> Value:
    if item is None:
        return Value(None, DASH)
    return Value(item.value, number(item.value, max(0, round(-math.log10(2 * item.step)))))
