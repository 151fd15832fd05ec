"""RestoreFormer's means, which divide by the number of references even where results are missing.

Its scripts skip a reference without a result and still divide the sum by the number of references
(`scripts/metrics` of wzhouxiff/RestoreFormer @ 294cf95).  Whoever fails gains by it in every metric where lower is
better, so these rows stand beside the plain means, are never ranked, and exist only where something is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ..bench.api import Column
from .groups import Entrant, Group, Scores
from .measures import Measure
from .rows import Row, blank, was_computed

PROTOCOL = "restoreformer"
DIVIDED = "_by_references"
"""Suffix of these rows."""


def divided_rows(
    group: Group, measure: Measure, column: Column, name: str, scores: Mapping[str, Scores]
) -> Iterator[Row]:
    """Yield the script's own mean of every restorer, if any result is missing.

    Args:
        group: where the restorers met.
        measure: the metric.
        column: one of its numbers.
        name: the column's name in the report.
        scores: restorer -> one score per image of the group, NaN where there is none.
    """
    if group.protocol != PROTOCOL:
        return
    asked = {entrant.name: _references(group, entrant) for entrant in group.entrants}
    missing = [e for e in group.entrants if was_computed(e, measure) and _scored(scores[e.name]) < asked[e.name]]
    if not missing:
        return
    for entrant in group.entrants:
        n, references = _scored(scores[entrant.name]), asked[entrant.name]
        row = blank(group, entrant, measure, column, f"{name}{DIVIDED}")
        if was_computed(entrant, measure) and references:
            yield replace(
                row,
                metric_id=f"{row.metric_id}/mean=sum over results by number of references",
                value=float(np.nansum(scores[entrant.name])) / references,
                n=n,
                reliable=n == references,
                note=f"as RestoreFormer's scripts divide: sum over {n} results / {references} references; never ranked",
            )


def divided_column(column: Column, name: str) -> Column:
    """Return the facts of such a row; `name` is that of the plain one."""
    return replace(column, name=f"{name}{DIVIDED}", label=f"{column.label} / references", low=min(column.low, 0.0))


def _references(group: Group, entrant: Entrant) -> int:
    """Number of references whose results were asked for."""
    return int(np.count_nonzero(entrant.present & (group.images.texts("hq") != "")))


def _scored(scores: Scores) -> int:
    return int(np.count_nonzero(~np.isnan(scores)))
