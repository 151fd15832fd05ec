"""Tables for the terminal, printed at the end of a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..grid import BEST, SECOND, Grid, Place, arrow, grids, headline, shown_value
from ..leaderboard import from_frame

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def print_table(leaderboard: pd.DataFrame, console: Console | None = None) -> None:
    """Print a leaderboard: one table per data set, one block of rows per split.

    Metrics that do not fit beside each other come below, in a further table.

    Args:
        leaderboard: long form, as `leaderboard.leaderboard` returns it.
        console: where to print; None prints to standard output.
    """
    from rich.console import Console

    console = console or Console()
    for grid in grids(*from_frame(leaderboard)):
        console.print()
        console.print(headline(grid), markup=False, highlight=False)
        for metrics in _fitting(grid, console):
            console.print(_table(grid, metrics))
        for letter, note in grid.notes.texts.items():
            console.print(f"  {letter}  {note}", markup=False, highlight=False, style="dim")


def _fitting(grid: Grid, console: Console) -> list[list[str]]:
    """Cut the metrics into as many tables as the width asks for."""
    unlimited = console.options.update(max_width=10_000)
    parts: list[list[str]] = [[]]
    for metric in grid.columns:
        longer = [*parts[-1], metric]
        if parts[-1] and console.measure(_table(grid, longer), options=unlimited).maximum > console.width:
            parts.append([metric])
        else:
            parts[-1] = longer
    return parts


def _table(grid: Grid, metrics: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("restorer", no_wrap=True)
    for metric in metrics:
        table.add_column(Text(_head(grid, metric)), justify="right", no_wrap=True)
    for split in grid.splits:
        table.add_section()
        table.add_row(Text(split, style="bold"), *[""] * len(metrics))
        for restorer in grid.restorers:
            if grid.row(split, restorer):
                style = "dim italic" if restorer in grid.unranked else ""
                values = [_value(grid, Place(split, restorer, metric)) for metric in metrics]
                table.add_row(Text(f"  {restorer}", style=style), *values)
    return table


def _head(grid: Grid, metric: str) -> str:
    column = grid.columns[metric]
    return f"{column.label} {arrow(column)}{_letters(grid.notes.headings[metric])}"


def _value(grid: Grid, place: Place) -> Text:
    from rich.text import Text

    style = {BEST: "bold green", SECOND: "underline"}.get(grid.marks.get(place, 0), "")
    if place.restorer in grid.unranked:
        style = "dim italic"
    text = Text(shown_value(grid, place), style=style)
    return text.append(_letters(grid.notes.cells.get(place, ())), style="dim")


def _letters(letters: Sequence[str]) -> str:
    return f" {','.join(letters)}" if letters else ""
