"""Rows of metrics that compare sets of images by their features, such as FID and KID."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..bench.api import Column, SetMetric, SetValue
from ..bench.cell import MetricInfo
from ..bench.errors import StoreError
from ..bench.set_values import SetValues, StayedBehindError, Values
from ..bench.storage.results import feature_key
from .fairness import Comparison, compare
from .groups import Entrant, Group, Mask
from .measures import Measure, own_reference
from .rows import Names, Row, absent, blank, fairness_notes, join, one_line, ranks, was_computed, why_empty

Keys = NDArray[np.object_]
"""Keys of features, as texts."""


@dataclass(frozen=True)
class _Compared:
    """A set metric on every restorer of a group: values, or what stood in their way."""

    comparison: Comparison
    values: Mapping[str, Values]
    problems: Mapping[str, str]


def set_rows(group: Group, measure: Measure, names: Names, sets: SetValues) -> Iterator[Row]:
    """Yield the rows of one set metric in one group; features are read block by block."""
    if measure.metric is None:  # it cannot be built here, and its values are not in the store
        yield from _broken_rows(group, measure, names)
        return
    compared = _compare_all(group, measure, measure.metric, sets)
    for column in measure.columns:
        name = names.get((column.name, measure.info.metric_id), column.name)
        known = {e: v[column.name].value for e, v in compared.values.items() if not math.isnan(v[column.name].value)}
        contending = {e: value for e, value in known.items() if e in compared.comparison.contenders}
        rank = ranks(contending, higher_is_better=column.higher_is_better)
        for entrant in group.entrants:
            row = blank(group, entrant, measure, column, name)
            if was_computed(entrant, measure):
                yield _row(replace(row, rank=rank.get(entrant.name)), entrant, column, measure, compared)
            else:
                yield absent(row, entrant, measure)


def _row(row: Row, entrant: Entrant, column: Column, measure: Measure, compared: _Compared) -> Row:
    if entrant.name in compared.problems:
        return replace(row, note=compared.problems[entrant.name])
    n = int(np.count_nonzero(compared.comparison.shown(entrant)))
    if not n:
        return replace(row, note=why_empty(entrant, measure))
    value, low, high, said = compared.values[entrant.name][column.name]
    if math.isnan(value):
        return replace(row, n=n, note=f"not defined for {n} {'image' if n == 1 else 'images'}")
    reliable = n >= measure.reliable_from
    return replace(
        row,
        value=float(value),
        ci_low=_finite(low),
        ci_high=_finite(high),
        n=n,
        reliable=reliable,
        note=join(
            f"{n} restored against {_other_side(measure, n, row.dataset)}",
            "" if reliable else f"unreliable below {measure.reliable_from} images",
            said,
            *fairness_notes(compared.comparison, entrant, n),
        ),
    )


def _other_side(measure: Measure, n: int, dataset: str) -> str:
    own = own_reference(measure.metric) if measure.metric else ""
    return own or f"the {n} references of {dataset}"


def _compare_all(group: Group, measure: Measure, metric: SetMetric, sets: SetValues) -> _Compared:
    reference = _keys(measure.info, group.images.texts("hq") if measure.needs_reference else [])
    comparison = compare(group, {e.name: _with_features(group, e, measure, sets, reference) for e in group.entrants})
    values: dict[str, Values] = {}
    problems: dict[str, str] = {}
    for entrant in group.entrants:
        images = comparison.shown(entrant)
        if images.any():
            try:
                values[entrant.name] = _compare(entrant, measure.info, metric, sets, images, reference)
            except (StoreError, ValueError, ArithmeticError) as error:
                problems[entrant.name] = _reason(error)
    return _Compared(comparison, values, problems)


def _compare(
    entrant: Entrant, info: MetricInfo, metric: SetMetric, sets: SetValues, images: Mask, reference: Keys
) -> Values:
    """Compare the restored images with their references, seed by seed; several seeds are averaged."""
    others = reference[images].tolist() if len(reference) else []
    by_seed = []
    for table, rows in zip(entrant.tables, entrant.rows, strict=True):
        restored = _keys(info, table.texts("restored")[rows[images]]).tolist()
        by_seed.append(sets.value(info.metric_id, metric, restored, others))
    if len(by_seed) == 1:
        return by_seed[0]
    # an interval over images of a mean over seeds is not known: none is given
    return {name: SetValue(float(np.mean([v[name].value for v in by_seed]))) for name in by_seed[0]}


def _with_features(group: Group, entrant: Entrant, measure: Measure, sets: SetValues, reference: Keys) -> Mask:
    """Images whose features, and those of the reference if it counts, are in the store, for every seed."""
    found = np.zeros(len(group.images), dtype=bool)
    if not was_computed(entrant, measure):
        return found
    asked = np.flatnonzero(entrant.delivered)
    found[asked] = True
    for table, rows in zip(entrant.tables, entrant.rows, strict=True):
        found[asked] &= sets.have(_keys(measure.info, table.texts("restored")[rows[asked]]).tolist())
    if len(reference):
        found[asked] &= sets.have(reference[asked].tolist())
    return found


def _keys(info: MetricInfo, pictures: Iterable[str]) -> Keys:
    """Return the key of the features of every picture, empty where there is no picture."""
    return np.array([feature_key(info.extractor_id, sha256) if sha256 else "" for sha256 in pictures], dtype=object)


def _broken_rows(group: Group, measure: Measure, names: Names) -> Iterator[Row]:
    name = names.get((measure.info.name, measure.info.metric_id), measure.info.name)
    for entrant in group.entrants:
        row = blank(group, entrant, measure, None, name)
        yield replace(row, note=measure.broken) if was_computed(entrant, measure) else absent(row, entrant, measure)


def _reason(error: Exception) -> str:
    """Say what went wrong, without the machine's paths: equal stores give equal tables wherever they lie."""
    if isinstance(error, StayedBehindError):
        return "not known of this selection: the features stayed where the run was tracked"
    if isinstance(error, StoreError):
        return "features damaged in the store; run the same command again"
    return f"cannot be computed: {one_line(str(error))}"


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
