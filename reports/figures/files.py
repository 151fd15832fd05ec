"""Every file that holds a figure, as SVG for pages and slides and as PDF for papers.

Their number is bounded: per data set one of robustness curves, one of trade-offs and one of costs, per split (up to
twelve) one gallery and one of critical differences; curves and diagrams are of six metrics at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...bench.cell import digest
from ..comparisons import Pair
from ..grid import Grid
from ..leaderboard import Board
from ..page.faces import faces
from ..tables.choices import FigureChoices
from . import critical_difference, curves, gallery_figure, style, tradeoff
from .curves import drawable
from .gallery import contact_sheet, gallery

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MOST_METRICS, MOST_SPLITS = 6, 12
Named = tuple[tuple[str, str, str], "Figure | None"]
"""Data set, protocol and what it shows; the figure, or None where there is nothing to draw."""


def figure_files(
    board: Board, tables: Sequence[Grid], spent: pd.DataFrame, pairs: Sequence[Pair], choices: FigureChoices
) -> Iterator[tuple[str, bytes]]:
    """Yield path below `report/` and bytes of every figure.

    Args:
        board: the leaderboard.
        tables: its tables.
        spent: what restoring cost.
        pairs: the leaderboard's comparisons.
        choices: what to show.
    """
    for table in tables if choices.enabled else ():
        metrics = chosen_metrics(board, table, choices)
        with style.settings():
            for name, figure in (*_of_table(table, spent, metrics), *_of_splits(board, table, pairs, metrics)):
                if figure is not None:
                    yield f"figures/{file_name(*name)}.svg", style.svg(figure)
                    yield f"figures/{file_name(*name)}.pdf", style.pdf(figure)
            yield from _galleries(board, table, choices)


def chosen_metrics(board: Board, table: Grid, choices: FigureChoices) -> list[str]:
    """Return the metrics that figures show: those chosen, or those that order the report and the next ones."""
    known = drawable(table)
    if choices.metrics:
        return [name for name in choices.metrics if name in known]
    return list(dict.fromkeys(name for name in (*board.sort, *known) if name in known))[:MOST_METRICS]


def _of_table(table: Grid, spent: pd.DataFrame, metrics: Sequence[str]) -> Iterator[Named]:
    place = table.dataset, table.protocol
    order = [name for name in table.columns if name in metrics]
    yield (*place, "robustness"), curves.draw(table, order)
    if metrics:
        yield (*place, "tradeoff"), tradeoff.draw_metrics(table, [metrics[0], *_partners(metrics)])
        yield (*place, "cost"), tradeoff.draw_costs(spent, table, [metrics[0], *_looks(metrics)])


def _partners(metrics: Sequence[str]) -> list[str]:
    """Put identity first: what a restorer gains in looks it may pay for in likeness."""
    return sorted(metrics[1:], key=lambda name: not name.startswith(("identity", "deg")))


def _looks(metrics: Sequence[str]) -> list[str]:
    """Put NIQE first: what a reader sees at once is what time is spent on."""
    return sorted(metrics[1:], key=lambda name: not name.startswith("niqe"))


def _of_splits(board: Board, table: Grid, pairs: Sequence[Pair], metrics: Sequence[str]) -> Iterator[Named]:
    everything = critical_difference.standings(board, pairs)
    for split in table.splits[:MOST_SPLITS]:
        place = table.dataset, table.protocol, split
        here = {s.metric: s for s in everything if (s.dataset, s.protocol, s.split) == place}
        shown = [here[name] for name in metrics if name in here]
        if shown:
            yield (*place[:2], f"{split}_critical_difference"), critical_difference.draw_several(shown)


def file_name(dataset: str, protocol: str, what: str) -> str:
    """Name a file; names that differ only in characters no file system likes get a digest."""
    name = "_".join([dataset, *([protocol] if protocol != "standard" else []), what])
    plain = re.sub(r"[^A-Za-z0-9._~-]+", "-", name)[:100]
    return plain if plain == name else f"{plain}-{digest(name)[:6]}"


def _galleries(board: Board, table: Grid, choices: FigureChoices) -> Iterator[tuple[str, bytes]]:
    groups = [g for g in board.groups if (g.dataset, g.protocol) == (table.dataset, table.protocol) and g.images]
    for group in groups[:MOST_SPLITS]:
        shown = gallery(group, table.restorers, shown=faces(board, group, choices))
        name = file_name(group.dataset, group.protocol, group.split)
        yield f"gallery/{name}.png", contact_sheet(shown, board.results.store)
        figure = gallery_figure.draw(shown, board.results.store, choices.insets)
        yield f"gallery/{name}.svg", style.svg(figure)
        yield f"gallery/{name}.pdf", style.pdf(figure)
