"""`leaderboard.md`: tables for GitHub, one per data set."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .grid import BEST, DASH, SECOND, Grid, Place, arrow, headline, shown_value

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$!])")


def markdown(grids: Sequence[Grid]) -> str:
    """Write tables in GitHub's Markdown: best in bold, second underlined, unranked rows in italics.

    A row is one restorer on one split, because Markdown cannot group columns.
    """
    return "\n".join(_table(grid) for grid in grids)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _table(grid: Grid) -> str:
    heads = [
        f"{escape(column.label)} {arrow(column)}{_letters(grid.notes.headings[metric])}"
        for metric, column in grid.columns.items()
    ]
    lines = [
        f"### {escape(grid.dataset)}",
        "",
        f"{escape(headline(grid))}",
        "",
        _line(["Split", "Restorer", *heads, "n", "Failed"]),
        _line([":--", ":--", *["--:"] * (len(heads) + 2)]),
    ]
    for split in grid.splits:
        for i, restorer in enumerate(r for r in grid.restorers if grid.row(split, r)):
            lines.append(_restorer(grid, split, restorer, first=i == 0))
    lines.append("")
    lines += [f"<sup>{letter}</sup> {escape(note)}  " for letter, note in grid.notes.texts.items()]
    return "\n".join([*lines, ""])


def _restorer(grid: Grid, split: str, restorer: str, *, first: bool) -> str:
    name = escape(restorer)
    cells = [_value(grid, Place(split, restorer, metric)) for metric in grid.columns]
    n, failed = grid.counts(split, restorer)
    shown = f"*{name}*" if restorer in grid.unranked else name
    return _line([escape(split) if first else "", shown, *cells, str(n), str(failed)])


def _value(grid: Grid, place: Place) -> str:
    value = shown_value(grid, place)
    letters = _letters(grid.notes.cells.get(place, ()))
    mark = grid.marks.get(place)
    if mark == BEST:
        value = f"**{value}**"
    elif mark == SECOND:
        value = f"<ins>{value}</ins>"
    elif place.restorer in grid.unranked and value != DASH:
        value = f"*{value}*"
    return value + letters


def _letters(letters: Sequence[str]) -> str:
    return f"<sup>{','.join(letters)}</sup>" if letters else ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
