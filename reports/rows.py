"""Rows of the leaderboard: one number of one restorer on one split, with all that must stand beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..bench.api import Column
from ..bench.statistics import MIN_RANKING
from .fairness import Comparison
from .groups import Entrant, Group
from .measures import Measure

Names = Mapping[tuple[str, str], str]
"""(column or metric name, metric id) -> its name in the report."""


@dataclass(frozen=True)
class Row:
    """One line of `leaderboard.csv`; None is an empty field.

    Attributes:
        n: number of images behind the value.
        n_failed: images that the restorer failed on, whatever the metric.
        n_seeds: restorer seeds averaged within each image.
        rank: place by value among the ranked restorers; equal values share it.
        tier: 1 + number of restorers that are significantly better (`bench.statistics.tiers`).
        reliable: False where there are fewer images than the metric needs.
        note: why the value is empty, or what a reader must know of it.
    """

    restorer: str
    dataset: str
    split: str
    protocol: str
    metric: str
    metric_id: str
    unit: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    n_failed: int
    n_seeds: int
    higher_is_better: bool | None
    rank: int | None
    tier: int | None
    reliable: bool | None
    dataset_digest: str
    lq_digest: str
    note: str


def blank(group: Group, entrant: Entrant, measure: Measure, column: Column | None, name: str) -> Row:
    """Return a row with everything but its value.

    Args:
        group: where the restorer met the others.
        entrant: the restorer.
        measure: the metric.
        column: which of its numbers; None when the metric cannot be built here.
        name: the column's name in the report.
    """
    of_data, of_lq = group.digests(entrant)
    return Row(
        restorer=entrant.name,
        dataset=group.dataset,
        split=group.split,
        protocol=group.protocol,
        metric=name,
        metric_id=measure.info.metric_id,
        unit=column.unit if column else "",
        value=None,
        ci_low=None,
        ci_high=None,
        n=0,
        n_failed=entrant.failed,
        n_seeds=len(entrant.tables),
        higher_is_better=column.higher_is_better if column and not measure.broken else None,
        rank=None,
        tier=None,
        reliable=None,
        dataset_digest=of_data,
        lq_digest=of_lq,
        note="",
    )


def was_computed(entrant: Entrant, measure: Measure) -> bool:
    """Say whether a restorer was evaluated with this metric, with every seed."""
    asked = [any(m.metric_id == measure.info.metric_id and not m.skipped for m in t.metrics) for t in entrant.tables]
    return not entrant.skipped and all(asked)


def absent(row: Row, entrant: Entrant, measure: Measure) -> Row:
    """Say why a restorer was not evaluated with this metric."""
    infos = [m for table in entrant.tables for m in table.metrics if m.name == measure.info.name]
    reason = entrant.skipped or next((m.skipped for m in infos if m.skipped), "")
    if reason:
        return replace(row, note=f"skipped: {one_line(reason)}")
    return replace(row, note=f"not computed; run {row.restorer} again with metric=[{measure.info.name}]")


def absent_rows(group: Group, measure: Measure, names: Names) -> Iterator[Row]:
    """Yield the rows of a metric that was computed for nobody in the group."""
    for entrant in group.entrants:
        for column in measure.columns or (None,):
            name = column.name if column else measure.info.name
            shown = names.get((name, measure.info.metric_id), name)
            yield absent(blank(group, entrant, measure, column, shown), entrant, measure)


def why_empty(entrant: Entrant, measure: Measure) -> str:
    """Say why a restorer that was evaluated has no value."""
    if not entrant.delivered.any():
        return f"no restored image: all {entrant.failed} failed" if entrant.failed else "no images"
    if measure.needs_reference and not any((table.texts("hq") != "").any() for table in entrant.tables):
        return "no reference"
    errors = entrant.score_errors(measure.info.name)
    return one_line(errors[min(errors)]) if errors else "missed in every image"


def fairness_notes(comparison: Comparison, entrant: Entrant, n: int) -> Iterator[str]:
    """Yield what a reader must know about the `n` images behind a value."""
    scored, expected = comparison.coverage(entrant)
    if entrant.name in comparison.contenders:
        if n < MIN_RANKING:
            yield f"n={n}: no ranking follows"
        if scored > n:
            yield f"on the {n} images that every ranked restorer has"
    elif entrant.ranked:
        yield f"covers {scored} of {expected} images: not ranked"
    elif comparison.contenders and n < np.count_nonzero(comparison.common):
        yield f"on {n} of {np.count_nonzero(comparison.common)} images"


def ranks(values: Mapping[str, float], *, higher_is_better: bool) -> dict[str, int]:
    """Return the place of each restorer by its value; equal values share a place."""
    sign = 1 if higher_is_better else -1
    return {name: 1 + sum(sign * other > sign * value for other in values.values()) for name, value in values.items()}


def one_line(message: str) -> str:
    """Return a message without line breaks, for a table."""
    return " ".join(message.split())


def join(*notes: str) -> str:
    """Join notes, leaving out the empty ones."""
    return "; ".join(note for note in notes if note)
