"""Tables of finished cells: what the engine leaves in the store and what reports read."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cell import Cell, MetricInfo, digest
from .errors import StoreError
from .files import write_atomic
from .spec import Spec

if TYPE_CHECKING:
    import pandas as pd

    from .set_values import SetValues
    from .store import Store

_METADATA = b"restorebench"
_CONTENT = ["sample", "hq", "lq", "restored"]
"""Columns that say which pixels a row is about; scores belong to these, not to the name alone."""


@dataclass(frozen=True)
class CellTable:
    """One cell, complete.

    Attributes:
        cell: what was evaluated.
        metrics: the metrics of all commands on this cell.
        images: one row a sample, in order of `sample`, with columns
            `sample, status (ok | failed), error, height, width, hq, lq, native, restored` (sha256 of pixels, None
            where there is none), `drawn` (JSON of what the degradation drew), `seconds` (restoring), `parameters`,
            `gflops` and `memory_mib` (see `costs.Cost`), `seed`, `device`, `alignment` and `landmarks` (of the sample's
            meta; empty where it has none), `score_errors` (JSON: metric name -> why this image has no value), and one
            column of floats for each pair score, named by `score_column`.
    """

    cell: Cell
    metrics: tuple[MetricInfo, ...]
    images: pd.DataFrame


@dataclass(frozen=True)
class Results:
    """Everything reports need: the tables of an `out`, its plans (oldest first) and its store."""

    store: Store
    tables: tuple[CellTable, ...]
    plans: tuple[Mapping[str, Any], ...]

    @cached_property
    def sets(self) -> SetValues:
        """Values of set metrics: those an earlier report left, and those this one computes."""
        from .set_values import SetValues

        return SetValues(self.store)


def score_column(metric_id: str, column: str) -> str:
    """Name of the column of `CellTable.images` that holds one number of one metric."""
    return f"{column}@{digest(metric_id)[:12]}"


def feature_key(extractor_id: str, sha256: str) -> str:
    """Key of an image's features in the store."""
    return digest("features", extractor_id, sha256)


def save(out: Path, table: CellTable) -> None:
    """Write a cell's table, keeping the scores of earlier commands that are about the same pixels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = _path(out, table.cell.key)
    if path.exists():
        table = _merged(_load(path), table)
    description = {"cell": table.cell.to_json(), "metrics": [asdict(metric) for metric in table.metrics]}
    arrow = pa.Table.from_pandas(table.images, preserve_index=False)
    arrow = arrow.replace_schema_metadata({_METADATA: json.dumps(description, ensure_ascii=False).encode()})
    buffer = io.BytesIO()
    pq.write_table(arrow, buffer)
    write_atomic(path, buffer.getvalue())


def load(store: Store) -> Results:
    """Read every finished cell below the store's `out`, in a stable order.

    Raises:
        StoreError: there is nothing there.
    """
    cells = sorted((store.root / "cells").glob("*.parquet"))
    tables = [_load(path) for path in cells]
    if not tables:
        raise StoreError(f"{store.out}: no finished results; make some with: restorebench run out={store.out}")
    tables.sort(key=lambda t: (t.cell.dataset, t.cell.severity, t.cell.split, t.cell.restorer, t.cell.key))
    plans = [json.loads(path.read_bytes()) for path in sorted((store.root / "plans").glob("*.json"))]
    plans.sort(key=lambda plan: (plan["started"], plan["key"]))
    return Results(store, tuple(tables), tuple(plans))


def _path(out: Path, key: str) -> Path:
    return out / "store" / "cells" / f"{key}.parquet"


def _load(path: Path) -> CellTable:
    import pyarrow as pa

    try:
        return parse(path.read_bytes())
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: damaged ({error}); delete it and run the same command again") from None


def parse(data: bytes) -> CellTable:
    """Read a cell's table from the bytes of its file; raises nearly anything when they are something else."""
    import pyarrow.parquet as pq

    arrow = pq.read_table(io.BytesIO(data))
    description = json.loads(arrow.schema.metadata[_METADATA])
    return CellTable(Cell(**description["cell"]), _metrics(description["metrics"]), arrow.to_pandas())


def _metrics(data: Sequence[Mapping[str, Any]]) -> tuple[MetricInfo, ...]:
    return tuple(MetricInfo(**{**item, "spec": Spec(**item["spec"])}) for item in data)


def _merged(old: CellTable, new: CellTable) -> CellTable:
    known = {metric.metric_id for metric in new.metrics if not metric.skipped}
    kept = tuple(m for m in old.metrics if m.metric_id not in known and not m.skipped)
    asked = {m.metric_id for m in kept}
    metrics = kept + tuple(m for m in new.metrics if m.metric_id not in asked)
    columns = [c for c in old.images.columns if "@" in c and c not in new.images.columns]
    columns = [c for c in columns if c.rpartition("@")[2] in {digest(m.metric_id)[:12] for m in kept}]
    if not columns:
        return replace(new, metrics=metrics)
    images = new.images.merge(old.images[_CONTENT + columns], on=_CONTENT, how="left")
    return CellTable(new.cell, metrics, images)
