"""Which faces of a set to show: spread over it, at random, or by how well they were restored."""

from __future__ import annotations

import warnings

import numpy as np

from ...bench.seeds import numpy_generator
from ...bench.storage.results import score_column
from ..figures.gallery import spread
from ..groups import Group, Scores
from ..leaderboard import Board
from ..tables.choices import BEST, MEDIAN, RANDOM, SPREAD, WORST, FigureChoices


def faces(board: Board, group: Group, choices: FigureChoices) -> list[int]:
    """Return the numbers of the images to show.

    `worst`, `median` and `best` go by the mean score of the ranked restorers in the first metric of the order that
    scores image by image; images without a score are not chosen.  Without such a metric the choice is `spread`.

    Args:
        board: the leaderboard.
        group: one data set and split.
        choices: how many, and which.
    """
    count = len(group.images)
    if choices.choose == RANDOM:
        drawn = numpy_generator(choices.seed, "gallery", group.dataset).permutation(count)
        return [int(i) for i in drawn[: choices.faces]]
    scores = None if choices.choose == SPREAD else _scores(board, group)
    if scores is None:
        return spread(count, choices.faces)
    order = [int(i) for i in np.argsort(scores, kind="stable") if np.isfinite(scores[i])]  # worst first
    first = {WORST: 0, BEST: len(order) - choices.faces, MEDIAN: (len(order) - choices.faces) // 2}[choices.choose]
    chosen = order[max(0, first) : max(0, first) + choices.faces]
    return chosen[::-1] if choices.choose == BEST else chosen


def _scores(board: Board, group: Group) -> Scores | None:
    """Mean score of each image, larger is better; None where no metric of the order scores images."""
    columns = {(shown, metric_id): column for (column, metric_id), shown in board.names.items()}
    for metric in board.sort:
        for row in board.rows:
            here = (row.dataset, row.split, row.protocol) == (group.dataset, group.split, group.protocol)
            if here and row.metric == metric and row.tier is not None:
                stored = score_column(row.metric_id, columns[metric, row.metric_id])
                with warnings.catch_warnings(), np.errstate(invalid="ignore"):
                    warnings.simplefilter("ignore", RuntimeWarning)  # an image that nobody has a score of: NaN
                    means = np.nanmean([entrant.scores(stored) for entrant in group.competitors], axis=0)
                return np.asarray(means if row.higher_is_better else -means)
    return None
