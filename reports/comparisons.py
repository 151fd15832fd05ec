"""Every pair of ranked restorers on the same images: how far apart, how surely, and how many images it would take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..bench.effects import effect
from ..bench.statistics import ALPHA, holm, interval
from ..bench.storage.results import score_column
from .groups import Group, Scores
from .leaderboard import Board
from .rows import Row


@dataclass(frozen=True)
class Pair:
    """One line of `comparisons.csv`; what the columns mean is in docs/statistics.md."""

    dataset: str
    split: str
    protocol: str
    metric: str
    first: str
    second: str
    n: int
    mean_difference: float
    ci_low: float | None
    ci_high: float | None
    p: float
    p_holm: float
    better: str
    rank_biserial: float
    dz: float | None
    images_needed: int | None


def comparisons(board: Board) -> list[Pair]:
    """Compare the ranked restorers of every table by every metric that scores image by image."""
    return [line for contest, group in contests(board) for line in _pairs(board, contest, group)]


def contests(board: Board) -> Iterator[tuple[list[Row], Group]]:
    """Yield the rows with a tier, which only means over images have, metric by metric."""
    groups = {(g.dataset, g.split, g.protocol): g for g in board.groups}
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in board.rows:
        if row.tier is not None:
            found.setdefault((row.dataset, row.split, row.protocol, row.metric, row.metric_id), []).append(row)
    for key, rows in found.items():
        yield rows, groups[key[0], key[1], key[2]]


def ranked_scores(board: Board, group: Group, rows: Sequence[Row]) -> dict[str, Scores]:
    """Return the scores of restorers on the images that all of them have.

    Args:
        board: the leaderboard.
        group: where they met.
        rows: theirs, of one metric; its values are means over images.
    """
    columns = {(shown, metric_id): column for (column, metric_id), shown in board.names.items()}
    stored = score_column(rows[0].metric_id, columns[rows[0].metric, rows[0].metric_id])
    entrants = {entrant.name: entrant for entrant in group.entrants}
    scores = {row.restorer: entrants[row.restorer].scores(stored) for row in rows}
    common = np.logical_and.reduce([~np.isnan(values) for values in scores.values()])
    return {name: values[common] for name, values in scores.items()}


def _pairs(board: Board, rows: list[Row], group: Group) -> Iterator[Pair]:
    scores = ranked_scores(board, group, rows)
    pairs = list(combinations(scores, 2))
    differences = {pair: _difference(scores, pair) for pair in pairs}
    effects = {pair: effect(differences[pair]) for pair in pairs}
    adjusted = dict(zip(pairs, holm([effects[pair].p for pair in pairs]), strict=True))
    for pair in pairs:
        one, higher = effects[pair], effects[pair].rank_biserial > 0
        low, high = interval(differences[pair], group.dataset, group.split) or (None, None)
        yield Pair(
            dataset=group.dataset,
            split=group.split,
            protocol=group.protocol,
            metric=rows[0].metric,
            first=pair[0],
            second=pair[1],
            n=len(differences[pair]),
            mean_difference=one.mean,
            ci_low=low,
            ci_high=high,
            p=one.p,
            p_holm=adjusted[pair],
            better=pair[0 if higher == bool(rows[0].higher_is_better) else 1] if adjusted[pair] < ALPHA else "",
            rank_biserial=one.rank_biserial,
            dz=one.dz,
            images_needed=one.images_needed,
        )


def _difference(scores: Mapping[str, Scores], pair: tuple[str, str]) -> Scores:
    with np.errstate(invalid="ignore"):  # inf - inf: two perfect results, no difference
        return np.where(scores[pair[0]] == scores[pair[1]], 0.0, scores[pair[0]] - scores[pair[1]])
