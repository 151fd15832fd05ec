"""Rows of metrics that score image by image: means, intervals, tiers and misses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ..bench.api import Column
from ..bench.statistics import interval, tiers
from ..bench.storage.results import score_column
from .fairness import compare
from .groups import Entrant, Group, Scores
from .measures import Measure, stored_columns
from .restoreformer import divided_rows
from .rows import Names, Row, absent, blank, fairness_notes, join, ranks, was_computed, why_empty

MISSED = "_missed"
"""Suffix of the row that counts the images in which a metric found nothing to measure."""


def pair_rows(group: Group, measure: Measure, names: Names) -> Iterator[Row]:
    """Yield the rows of one metric in one group: each column, then the misses."""
    columns = measure.columns or _stored(group, measure)
    scores = {column.name: _scores(group, measure, column) for column in columns}
    for column in columns:
        name = names.get((column.name, measure.info.metric_id), column.name)
        yield from _column_rows(group, measure, column, name, scores[column.name])
        yield from divided_rows(group, measure, column, name, scores[column.name])
    name = names.get((measure.info.name, measure.info.metric_id), measure.info.name)
    yield from _missed_rows(group, measure, f"{name}{MISSED}", scores)


def missed_column(name: str) -> Column:
    """Return the facts of a row of misses."""
    return Column(name, "missed", "images", higher_is_better=False, low=0, high=np.inf, digits=0)


def _stored(group: Group, measure: Measure) -> tuple[Column, ...]:
    """Columns of a metric that cannot be built here: numbers whose direction nobody knows."""
    names = stored_columns(measure.info, [table for entrant in group.entrants for table in entrant.tables])
    return tuple(Column(n, n, "", higher_is_better=True, low=-np.inf, high=np.inf, digits=4) for n in names)


def _scores(group: Group, measure: Measure, column: Column) -> dict[str, Scores]:
    stored = score_column(measure.info.metric_id, column.name)
    return {entrant.name: entrant.scores(stored) for entrant in group.entrants}


def _column_rows(
    group: Group, measure: Measure, column: Column, name: str, scores: Mapping[str, Scores]
) -> Iterator[Row]:
    comparison = compare(group, {entrant: ~np.isnan(values) for entrant, values in scores.items()})
    higher = column.higher_is_better
    contenders = [] if measure.broken else sorted(comparison.contenders)
    common = [scores[entrant][comparison.common] for entrant in contenders]
    comparable = bool(common) and comparison.common.any()
    rank = ranks(dict(zip(contenders, map(_mean, common), strict=True)), higher_is_better=higher) if comparable else {}
    tier = dict(zip(contenders, tiers(np.stack(common, 1), higher_is_better=higher), strict=True)) if comparable else {}
    for entrant in group.entrants:
        row = blank(group, entrant, measure, column, name)
        values = scores[entrant.name][comparison.shown(entrant)]
        if not was_computed(entrant, measure):
            yield absent(row, entrant, measure)
        elif not len(values):
            yield replace(row, note=why_empty(entrant, measure))
        else:
            low, high = interval(values, group.dataset, group.split) or (None, None)
            yield replace(
                row,
                value=_mean(values),
                ci_low=low,
                ci_high=high,
                n=len(values),
                rank=rank.get(entrant.name),
                tier=tier.get(entrant.name),
                reliable=True,
                note=join(measure.broken, *fairness_notes(comparison, entrant, len(values)), _perfect(entrant, values)),
            )


def _mean(values: Scores) -> float:
    return float(np.mean(values))


def _perfect(entrant: Entrant, values: Scores) -> str:
    count = int(np.count_nonzero(np.isinf(values)))
    if not count or entrant.is_reference:
        return ""
    return f"infinite in {count} of {len(values)} images, which equal the reference"


def _missed_rows(
    group: Group, measure: Measure, name: str, scores: Mapping[str, Mapping[str, Scores]]
) -> Iterator[Row]:
    """Yield the number of misses of every restorer: if anybody has one, and always for identity."""
    missed = {entrant.name: _misses(entrant, measure, scores) for entrant in group.entrants}
    if not measure.info.name.startswith("identity") and not any(count for count, _ in missed.values()):
        return
    for entrant in group.entrants:
        row = blank(group, entrant, measure, missed_column(name), name)
        count, looked_at = missed[entrant.name]
        if not was_computed(entrant, measure):
            yield absent(row, entrant, measure)
        elif not looked_at:
            yield replace(row, note=why_empty(entrant, measure))
        else:
            yield replace(row, value=float(count), n=looked_at, reliable=True)


def _misses(entrant: Entrant, measure: Measure, scores: Mapping[str, Mapping[str, Scores]]) -> tuple[int, int]:
    """Return the number of misses, and of images that were looked at without an error."""
    if not was_computed(entrant, measure) or not scores:
        return 0, 0
    looked_at = entrant.delivered.copy()
    looked_at[list(entrant.score_errors(measure.info.name))] = False
    unscored = np.logical_or.reduce([np.isnan(values[entrant.name]) for values in scores.values()])
    return int(np.count_nonzero(unscored & looked_at)), int(np.count_nonzero(looked_at))
