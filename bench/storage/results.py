"""Tables of finished cells: what the engine leaves in the store and what reports read."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cell import Cell, MetricInfo, digest
from ..errors import StoreError
from ..files import as_object, entries, is_remote
from ..runlog import tell
from ..spec import Spec
from . import cell_tables as tables
from .cell_tables import FileRows, Stream
from .plan_records import read_record

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from ..set_values import SetValues
    from .store import Store

_CONTENT = ["sample", "hq", "lq", "restored"]
"""Columns that say which pixels a row is about; scores belong to these, not to the name alone."""


@dataclass(frozen=True)
class CellTable:
    """One cell, complete.

    Attributes:
        cell: what was evaluated.
        metrics: the metrics of all commands on this cell.
        rows: one row a sample, in order of `sample`, with columns
            `sample, status (ok | failed), error, height, width, hq, lq, native, restored` (sha256 of pixels, None
            where there is none), `drawn` (JSON of what the degradation drew), `seconds` (restoring), `parameters`,
            `gflops` and `memory_mib` (see `costs.Cost`), `seed`, `device`, `score_errors` (JSON: metric name -> why this image has no value), and one
            column of floats for each pair score, named by `score_column`.
    """

    cell: Cell
    metrics: tuple[MetricInfo, ...]
    rows: FileRows

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.rows.columns

    def __len__(self) -> int:
        return len(self.rows)

    def texts(self, column: str) -> NDArray[np.object_]:
        """Return a column as `(n,)` texts; missing ones are empty."""
        return tables.texts(self.rows, column)

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column as `(n,)` numbers; missing ones are NaN, and so is a column that is not there."""
        return tables.numbers(self.rows, column)

    def frame(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return some columns, or all, as a data frame."""
        return tables.frame(self.rows, columns)

    @cached_property
    def images(self) -> pd.DataFrame:
        """All rows and columns as a data frame that is kept: for looking around in small tables."""
        return self.frame()


@dataclass(frozen=True)
class Results:
    """Everything reports need: the tables of an `out`, its plans (oldest first) and its store."""

    store: Store
    tables: tuple[CellTable, ...]
    plans: tuple[Mapping[str, Any], ...]

    @cached_property
    def sets(self) -> SetValues:
        """Values of set metrics: those an earlier report left, and those this one computes."""
        from ..set_values import SetValues

        return SetValues(self.store)


def score_column(metric_id: str, column: str) -> str:
    """Name of the column of `CellTable.rows` that holds one number of one metric."""
    return f"{column}@{digest(metric_id)[:12]}"


def feature_key(extractor_id: str, sha256: str) -> str:
    """Key of an image's features in the store."""
    return digest("features", extractor_id, sha256)


def save(out: Path, cell: Cell, metrics: Sequence[MetricInfo], stream: Stream) -> None:
    """Write a cell's table, keeping the scores of earlier commands that are about the same pixels.

    Args:
        out: the output folder.
        cell: what was evaluated.
        metrics: by which metrics.
        stream: the rows, in order of `sample`.

    Raises:
        StoreError: the table cannot be written, or the earlier one is damaged.
    """
    path = out / "store" / "cells" / f"{cell.key}.parquet"
    with _local(path) as file:
        old = None if file is None else _earlier(file, path)
        if old is not None:
            metrics, columns = _kept(old, metrics, stream.schema.names)
            if columns:
                stream = _with_scores(stream, old.rows, columns)
        about = {"cell": cell.to_json(), "metrics": [asdict(metric) for metric in metrics]}
        tables.write(path, about, stream)


def load(store: Store) -> Results:
    """Read every finished cell below the store's `out`, in a stable order.

    Raises:
        StoreError: there is nothing there.
    """
    names = sorted(name for name, _ in entries(store.root / "cells") if name.endswith(".parquet"))
    found = [_stored(store, name) for name in names]
    if not found:
        raise StoreError(f"{store.out}: no finished results; make some with: restorebench run out={store.out}")
    found.sort(key=lambda t: (t.cell.dataset, t.cell.severity, t.cell.split, t.cell.restorer, t.cell.key))
    paths = [store.root / "plans" / name for name, _ in entries(store.root / "plans") if name.endswith(".json")]
    plans = [record for path in sorted(paths) if (record := read_record(path))]
    plans.sort(key=lambda plan: (plan["started"], plan["key"]))
    return Results(store, tuple(found), tuple(plans))


def verify(store: Store) -> Iterator[str]:
    """Read every table and every record of a command; yield one line for each that is damaged."""
    for name in sorted(name for name, _ in entries(store.root / "cells") if name.endswith(".parquet")):
        try:
            for _ in _stored(store, name).rows.blocks():
                pass
        except StoreError as error:
            yield str(error)
    for name in sorted(name for name, _ in entries(store.root / "plans") if name.endswith(".json")):
        if read_record(store.root / "plans" / name) is None:
            yield f"{store.root / 'plans' / name}: no record of a command; run the same command again"


def parse(data: bytes) -> CellTable:
    """Read a cell's table from the bytes of its file; raises nearly anything when they are something else."""
    return _table(data, "a table")


def _stored(store: Store, name: str) -> CellTable:
    """Return a table of the store, to be read from its file; one on object storage is fetched first."""
    path = store.root / "cells" / name
    if not is_remote(path):
        return _table(path, str(path))
    local = store.scratch() / name
    try:
        as_object(path).download(str(local))
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror or error})") from None
    return _table(local, str(path))


def _table(file: Path | bytes, name: str) -> CellTable:
    rows = FileRows(file, name)
    try:
        cell, metrics = Cell(**rows.about["cell"]), _metrics(rows.about["metrics"])
        _refuse_other_kinds(cell)
        for metric in metrics:
            _refuse_other_kinds(metric)
            _refuse_other_kinds(metric.spec)
        return CellTable(cell, metrics, rows)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{name}: damaged ({error}); delete it and run the same command again") from None


def _refuse_other_kinds(record: Cell | MetricInfo | Spec) -> None:
    """Raise TypeError where a field holds another kind than its name promises: somebody else may have written it."""
    kinds: dict[str, type[Any]] = {"str": str, "int": int, "bool": bool, "Mapping[str, Any]": Mapping}
    for field in fields(record):
        kind = kinds.get(str(field.type))
        value: Any = getattr(record, field.name)
        if kind and (not isinstance(value, kind) or (kind is int and not -(2**63) <= value < 2**63)):
            raise TypeError(f"{field.name} is {str(value)[:60]!r}")


def _earlier(file: Path, path: Path) -> CellTable | None:
    """Return an earlier table, or None where it is damaged: its cell is being written anew."""
    try:
        old = _table(file, str(path))
        for _ in old.rows.blocks():
            pass
    except StoreError as error:
        tell("damaged", f"{error}; it is written anew", level=logging.WARNING, file=str(path))
        return None
    return old


@contextmanager
def _local(path: Path) -> Iterator[Path | None]:
    """Give an earlier table as a local file, or None where there is none."""
    if not is_remote(path):
        yield path if path.exists() else None
        return
    with tempfile.TemporaryDirectory(prefix="restorebench-") as folder:
        file = Path(folder) / path.name
        try:
            as_object(path).download(str(file))
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror or error})") from None
        yield file


def _metrics(data: Sequence[Mapping[str, Any]]) -> tuple[MetricInfo, ...]:
    return tuple(MetricInfo(**{**item, "spec": Spec(**item["spec"])}) for item in data)


def _kept(
    old: CellTable, new: Sequence[MetricInfo], names: Sequence[str]
) -> tuple[tuple[MetricInfo, ...], tuple[str, ...]]:
    """Return the metrics of an old and a new table together, and the columns of scores that only the old one has."""
    known = {metric.metric_id for metric in new if not metric.skipped}
    kept = tuple(m for m in old.metrics if m.metric_id not in known and not m.skipped)
    asked = {m.metric_id for m in kept}
    endings = {digest(m.metric_id)[:12] for m in kept}
    columns = tuple(c for c in old.columns if "@" in c and c not in names and c.rpartition("@")[2] in endings)
    return kept + tuple(m for m in new if m.metric_id not in asked), columns


def _with_scores(stream: Stream, old: FileRows, columns: Sequence[str]) -> Stream:
    import pyarrow as pa

    schema = stream.schema
    for column in columns:
        schema = schema.append(pa.field(column, pa.float64()))
    return Stream(schema, (_joined(block, old, columns) for block in stream.blocks))


def _joined(block: pa.Table, old: FileRows, columns: Sequence[str]) -> pa.Table:
    """Add the scores of an old table to the rows that are about the same pixels."""
    import pyarrow as pa

    if not len(block):
        return block
    first, last = block["sample"][0].as_py(), block["sample"][-1].as_py()
    known = old.between(first, last, [*_CONTENT, *columns]).to_pandas()
    found = (
        block.select(_CONTENT)
        .to_pandas()
        .astype(object)
        .merge(known.astype(dict.fromkeys(_CONTENT, object)), on=_CONTENT, how="left")
    )
    for column in columns:
        block = block.append_column(column, pa.array(found[column], pa.float64(), from_pandas=True))
    return block
