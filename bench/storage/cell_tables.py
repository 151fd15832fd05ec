"""Tables of rows in Parquet files, read column by column so that nobody has to hold all of one.

A file is a sequence of row groups in order of `sample`; its metadata says what the rows are about.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import StoreError
from ..files import replacing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_GROUP = 65_536
"""Rows of a table that are in memory together."""

_METADATA = b"restorebench"


class Stream(NamedTuple):
    """Rows on their way into a file: their schema and the blocks they come in, in order of `sample`."""

    schema: pa.Schema
    blocks: Iterable[pa.Table]


class FileRows:
    """Rows of a Parquet file; only what is asked for is read.

    Args:
        file: the file, or its bytes.
        name: what messages call it.
    """

    def __init__(self, file: Path | bytes, name: str) -> None:
        self._file = file
        self._name = name
        with self._opened() as parquet:
            self._columns = tuple(parquet.schema_arrow.names)
            self._length = int(parquet.metadata.num_rows)
            try:
                self.about: dict[str, Any] = json.loads(parquet.schema_arrow.metadata[_METADATA])
            except (KeyError, TypeError, ValueError) as error:
                raise self._damaged(error) from None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self._columns

    def __len__(self) -> int:
        return self._length

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows in order, one row group after the other; `columns` chooses, None takes all.

        Raises:
            StoreError: the file is damaged.
        """
        import pyarrow as pa

        with self._opened() as parquet:
            for group in range(parquet.num_row_groups):
                try:
                    table = parquet.read_row_group(group, None if columns is None else list(columns))
                except (pa.ArrowException, OSError) as error:
                    raise self._damaged(error) from None
                yield table.replace_schema_metadata(None)

    def between(self, first: str, last: str, columns: Sequence[str]) -> pa.Table:
        """Return the rows of the samples from `first` to `last`; row groups of other samples are not read."""
        import pyarrow as pa

        with self._opened() as parquet:
            place = parquet.schema_arrow.names.index("sample")
            wanted = [g for g in range(parquet.num_row_groups) if _meets(parquet, g, place, first, last)]
            try:
                return parquet.read_row_groups(wanted, list(columns)).replace_schema_metadata(None)
            except (pa.ArrowException, OSError) as error:
                raise self._damaged(error) from None

    def _opened(self) -> pq.ParquetFile:
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = io.BytesIO(self._file) if isinstance(self._file, bytes) else self._file
        try:
            return pq.ParquetFile(source, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> StoreError:
        said = " ".join(str(error).split())
        return StoreError(f"{self._name}: damaged ({said}); delete it and run the same command again")


def _meets(parquet: pq.ParquetFile, group: int, place: int, first: str, last: str) -> bool:
    known = parquet.metadata.row_group(group).column(place).statistics
    return known is None or not known.has_min_max or not (known.max < first or known.min > last)


def texts(rows: FileRows, column: str) -> NDArray[np.object_]:
    """Return a column as `(n,)` texts; missing ones are empty."""
    import pyarrow.compute as pc

    if column not in rows.columns:
        return np.full(len(rows), "", dtype=object)
    parts = [pc.fill_null(block[column].cast("string"), "").to_numpy() for block in rows.blocks([column])]
    return np.concatenate([*parts, np.empty(0, dtype=object)])


def numbers(rows: FileRows, column: str) -> NDArray[np.float64]:
    """Return a column as `(n,)` numbers; missing ones are NaN, and so is a column that is not there."""
    if column not in rows.columns:
        return np.full(len(rows), np.nan)
    parts = [block[column].cast("float64").to_numpy() for block in rows.blocks([column])]
    return np.concatenate([*parts, np.empty(0)])


def frame(rows: FileRows, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return rows as a data frame, all of them in memory."""
    import pyarrow as pa

    found: pd.DataFrame = pa.concat_tables(list(rows.blocks(columns)), promote_options="permissive").to_pandas()
    return found


def write(path: Path, about: Mapping[str, Any], stream: Stream) -> None:
    """Write a Parquet file, row group by row group; it is there whole or not at all.

    Args:
        path: the file.
        about: JSON-able facts for its metadata.
        stream: the rows.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = stream.schema.with_metadata({_METADATA: json.dumps(about, ensure_ascii=False).encode()})
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, write_page_checksum=True) as writer:
        held: list[pa.Table] = []
        for block in stream.blocks:
            held.append(_fitted(block, schema))
            if sum(len(part) for part in held) >= ROW_GROUP:
                writer.write_table(pa.concat_tables(held), row_group_size=ROW_GROUP)
                held = []
        if held:
            writer.write_table(pa.concat_tables(held), row_group_size=ROW_GROUP)


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Bring a block to the schema of its file; columns it lacks are empty."""
    import pyarrow as pa

    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
