"""Tables of one cell from several stores, brought together row by row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ..cell import MetricInfo, digest
from ..storage.cell_tables import Stream, write
from ..storage.results import CellTable

Row = dict[str, Any]

_PIXELS = ("hq", "lq", "native", "restored")
_AT_ONCE = 20_000
"""Samples that are in memory together."""

_ABSENT = "not computed where this image was restored; run the command again"


@dataclass(frozen=True)
class Conflict:
    """One key that two stores say different things about.

    Attributes:
        what: the key, for people: a cell, sample and column, or a kind of record and its key.
        first: what the store that was named first says.
        second: what the other one says.
        where: both stores.
    """

    what: str
    first: str
    second: str
    where: tuple[Path, Path]

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.first} in {self.where[0]}, {self.second} in {self.where[1]}"
            f"{difference(self.first, self.second)}"
        )


def difference(first: str, second: str) -> str:
    """Say by how much two numbers differ, or nothing where they are none."""
    try:
        one, other = float(first), float(second)
    except ValueError:
        return ""
    if not (math.isfinite(one) and math.isfinite(other)):
        return ""
    relative = abs(one - other) / max(abs(one), abs(other), 1e-300)
    rounding = ", as float rounding on another device or library does" if relative < 1e-4 else ""
    return f" (relative difference {relative:.1e}{rounding})"


@dataclass(frozen=True)
class Placed:
    """A cell's table and the store it is from."""

    out: Path
    table: CellTable


def conflicts(tables: Sequence[Placed]) -> Iterator[Conflict]:
    """Yield what tables of one cell disagree about: pixels, success, and scores both have; not seconds or machines."""
    for block in _blocks(tables):
        for (one, mine), (other, theirs) in combinations(zip(tables, block, strict=True), 2):
            for sample in sorted(mine.keys() & theirs.keys()):
                yield from _compared(one, other, mine[sample], theirs[sample])


def _compared(one: Placed, other: Placed, mine: Row, theirs: Row) -> Iterator[Conflict]:
    cell = one.table.cell
    for column in mine:
        if column not in theirs or (column not in (*_PIXELS, "status") and "@" not in column):
            continue
        first, second = _said(mine[column]), _said(theirs[column])
        if first != second:
            what = f"{cell.restorer} · {cell.dataset} · {cell.split} · {mine['sample']}: {column.partition('@')[0]}"
            yield Conflict(what, first, second, (one.out, other.out))


def _said(value: Any) -> str:
    return "none" if value is None or value != value else str(value)  # noqa: PLR0124 - NaN


def join(tables: Sequence[Placed], path: Path) -> None:
    """Write the union of tables of one cell; where they differ, the earlier one counts.

    Args:
        tables: the most trusted one first; none is empty.
        path: a local file.

    Raises:
        StoreError: the file cannot be written.
    """
    import pyarrow as pa

    metrics = _metrics(tables)
    about = {"cell": tables[0].table.cell.to_json(), "metrics": [asdict(metric) for metric in metrics]}
    schemas = [next(placed.table.rows.blocks()).schema for placed in tables]
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    computed = [_endings(placed.table.columns) for placed in tables]
    blocks = (pa.Table.from_pylist(_union(block, computed, metrics), schema) for block in _blocks(tables))
    write(path, about, Stream(schema, blocks))


def _metrics(tables: Sequence[Placed]) -> list[MetricInfo]:
    """The metrics of all tables; one that was computed anywhere wins over its own skipped record."""
    found: dict[str, MetricInfo] = {}
    for metric in (metric for placed in tables for metric in placed.table.metrics):
        if metric.metric_id not in found or (found[metric.metric_id].skipped and not metric.skipped):
            found[metric.metric_id] = metric
    return list(found.values())


def _blocks(tables: Sequence[Placed]) -> Iterator[list[dict[str, Row]]]:
    """Yield the rows of every table by sample, some thousand samples at a time."""
    every = np.unique(np.concatenate([placed.table.texts("sample") for placed in tables]))
    for start in range(0, len(every), _AT_ONCE):
        first, last = every[start], every[min(start + _AT_ONCE, len(every)) - 1]
        yield [_between(placed.table, first, last) for placed in tables]


def _between(table: CellTable, first: str, last: str) -> dict[str, Row]:
    rows = table.rows.between(first, last, table.columns).to_pylist()
    return {row["sample"]: row for row in rows if first <= row["sample"] <= last}


def _union(
    block: Sequence[Mapping[str, Row]], computed: Sequence[frozenset[str]], metrics: Sequence[MetricInfo]
) -> list[Row]:
    """Every sample once, from the first table that has it, with the scores that others have of the same pixels."""
    found: dict[str, Row] = {}
    known: dict[str, frozenset[str]] = {}
    for rows, endings in zip(block, computed, strict=True):
        for sample, row in rows.items():
            if sample not in found:
                found[sample], known[sample] = dict(row), endings
            elif all(row[name] == found[sample][name] for name in _PIXELS):
                gained = endings - known[sample]
                found[sample] |= {column: value for column, value in row.items() if _ending(column) in gained}
                _explain(found[sample], _reasons(row), gained, metrics)
                known[sample] |= gained
    every = frozenset().union(*computed)
    absent = {metric.name: _ABSENT for metric in metrics}
    for sample, row in found.items():
        if row["status"] == "ok":
            _explain(row, absent, every - known[sample], metrics)
    return [found[sample] for sample in sorted(found)]


def _endings(columns: Sequence[str]) -> frozenset[str]:
    """The metrics a table has scores of, by how their columns end; see `results.score_column`."""
    return frozenset(filter(None, map(_ending, columns)))


def _ending(column: str) -> str:
    return column.rpartition("@")[2] if "@" in column else ""


def _reasons(row: Row) -> dict[str, str]:
    found: dict[str, str] = json.loads(row["score_errors"] or "{}")
    return found


def _explain(row: Row, reasons: Mapping[str, str], endings: frozenset[str], metrics: Sequence[MetricInfo]) -> None:
    """Say why a row has no score by some metrics: without a reason it would count as a miss."""
    names = [metric.name for metric in metrics if digest(metric.metric_id)[:12] in endings]
    told = {name: reasons[name] for name in names if name in reasons}
    if told:
        row["score_errors"] = json.dumps(_reasons(row) | told, sort_keys=True)
