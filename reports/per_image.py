"""Every score of every image, for people who want to look closer or do statistics of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..bench.files import replacing
from ..bench.storage.cell_tables import ROW_GROUP
from ..bench.storage.results import CellTable, score_column
from .groups import Entrant, Group
from .leaderboard import Board
from .measures import stored_columns
from .rows import Names

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = ("seed", "height", "width")
_TEXTS = ("status", "error", "hq", "lq", "native", "restored", "drawn", "score_errors")
COLUMNS = ("restorer", "dataset", "split", "protocol", "seed", "sample", "height", "width", *_TEXTS)
"""Columns before the scores; `hq`, `lq`, `native` and `restored` are sha256 of pixels."""


def write_per_image(board: Board, path: Path) -> None:
    """Write a Parquet file with one row per restorer, data set, split, seed and sample; failed rows stay, without scores.

    Tables go through memory in row groups; equal boards give equal bytes.

    Raises:
        StoreError: a table is damaged, or the file cannot be written.
    """
    import pyarrow.parquet as pq

    schema = _schema(board)
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for group in board.groups:
            for entrant in group.entrants:
                for table in entrant.tables:
                    for part in _parts(group, entrant, table, board.names, schema):
                        writer.write_table(part, row_group_size=ROW_GROUP)


def _schema(board: Board) -> pa.Schema:
    import pyarrow as pa

    tables = [table for group in board.groups for entrant in group.entrants for table in entrant.tables]
    shown = {name for table in tables for name in _scores(table, board.names)}
    kinds = dict.fromkeys(COLUMNS, pa.string()) | dict.fromkeys(_NUMBERS, pa.int64())
    return pa.schema([*kinds.items(), *((name, pa.float64()) for name in board.columns if name in shown)])


def _scores(table: CellTable, names: Names) -> dict[str, str]:
    """Return name in the report -> stored name of every column of scores."""
    return {
        names.get((column, info.metric_id), column): score_column(info.metric_id, column)
        for info in table.metrics
        for column in stored_columns(info, [table])
    }


def _parts(group: Group, entrant: Entrant, table: CellTable, names: Names, schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.compute as pc

    places = {"restorer": entrant.name, "dataset": group.dataset, "split": group.split, "protocol": group.protocol}
    fixed = {**places, "seed": table.cell.seed}
    stored = {name: name for name in COLUMNS if name not in fixed} | _scores(table, names)
    for block in table.rows.blocks([name for name in stored.values() if name in table.columns]):
        columns = []
        for field in schema:
            name = stored.get(field.name)
            if field.name in fixed:
                column = pa.array([fixed[field.name]] * len(block), field.type)
            elif name is None or name not in block.column_names:
                column = pa.nulls(len(block), field.type)
            else:
                column = block[name].cast(field.type)
                if pa.types.is_string(field.type):  # an empty text says nothing either
                    column = pc.if_else(pc.equal(column, ""), None, column)
            columns.append(column)
        yield pa.table(columns, schema=schema)
