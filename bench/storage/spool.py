"""Rows of cells that are not finished: kept in memory while they are few, on the disk from then on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..errors import StoreError
from .cell_tables import Stream

if TYPE_CHECKING:
    import pyarrow as pa

HELD = 16_384
"""Rows in memory, over all cells."""

_TEXTS = ("sample", "status", "error", "hq", "lq", "native", "restored", "drawn", "device", "note", "score_errors")
_WHOLE = ("height", "width", "parameters", "seed")
COLUMNS = (
    *("sample", "status", "error", "height", "width", "hq", "lq", "native", "restored"),
    *("drawn", "seconds", "seed", "device", "note", "score_errors"),
)
"""Columns that every table has, one without rows too."""


class Spool:
    """Collects rows by cell, in any order, and gives them back in order of `sample`.

    Args:
        held: rows in memory, over all cells.
    """

    def __init__(self, held: int = HELD) -> None:
        self._most = held
        self._held = 0
        self._saved = 0
        self._rows: dict[str, list[Mapping[str, Any]]] = {}
        self._parts: dict[str, list[tuple[str, Path, pa.Schema]]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, cell: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take in rows of a cell.

        Raises:
            StoreError: the disk is full.
        """
        self._rows.setdefault(cell, []).extend(rows)
        self._held += len(rows)
        if self._held > self._most:
            for key, several in self._rows.items():
                self._write(key, several)
            self._rows, self._held = {}, 0

    def take(self, cell: str) -> Stream:
        """Return the rows of a cell, once."""
        import pyarrow as pa

        rows = self._rows.pop(cell, [])
        self._held -= len(rows)
        last = _table(rows)
        parts = self._parts.pop(cell, [])
        if not parts:
            return Stream(last.schema, iter([last]))
        if rows:
            parts.append(self._save(last))
        schema = pa.unify_schemas([schema for *_, schema in parts], promote_options="permissive")
        return Stream(schema, _merged(sorted((first, path) for first, path, _ in parts), schema))

    def _write(self, cell: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._parts.setdefault(cell, []).append(self._save(_table(rows)))

    def _save(self, table: pa.Table) -> tuple[str, Path, pa.Schema]:
        import pyarrow as pa

        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="restorebench-rows-")
        self._saved += 1
        path = Path(self._folder.name) / f"{self._saved}.arrow"
        try:
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
        except OSError as error:
            raise StoreError(f"{path.parent}: cannot be written ({error}); set TMPDIR to a folder with room") from None
        return str(table["sample"][0]), path, table.schema


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table in order of `sample`."""
    import pyarrow as pa

    names = dict.fromkeys(COLUMNS) | {name: None for row in rows for name in row}
    columns = {name: pa.array([row.get(name) for row in rows], _kind(name)) for name in names}
    table = pa.table({name: _decided(column) for name, column in columns.items()})
    return table.sort_by("sample")


def _kind(name: str) -> pa.DataType | None:
    """Type of a column; None leaves it to the values, for facts that a later version adds."""
    import pyarrow as pa

    if name in _TEXTS:
        return pa.string()
    if name in _WHOLE:
        return pa.int64()
    return pa.float64() if "@" in name or name in ("seconds", "gflops", "memory_mib") else None


def _decided(column: pa.Array) -> pa.Array:
    import pyarrow as pa

    return column.cast(pa.string()) if pa.types.is_null(column.type) else column


def _merged(parts: Sequence[tuple[str, Path]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Merge sorted parts; memory holds those that overlap, which are few, because chunks come nearly in order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    waiting: pa.Table | None = None
    for number, (_, path) in enumerate(parts):
        with pa.OSFile(str(path), "rb") as file:
            table = _cast(pa.ipc.open_file(file).read_all(), schema)
        path.unlink()
        waiting = table if waiting is None else pa.concat_tables([waiting, table]).sort_by("sample")
        if number + 1 < len(parts):
            before = pc.less(waiting["sample"], parts[number + 1][0])
            ready = waiting.filter(before)
            waiting = waiting.filter(pc.invert(before))
            if len(ready):
                yield ready
    if waiting is not None:
        yield waiting


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    have = set(table.column_names)
    columns = [table[f.name].cast(f.type) if f.name in have else pa.nulls(len(table), f.type) for f in schema]
    return pa.table(columns, schema=schema)
