"""Every score of every image, for people who want to look closer or do statistics of their own."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ..bench.results import CellTable, score_column
from .groups import Entrant, Group, text
from .leaderboard import Board
from .measures import stored_columns
from .rows import Names

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = ("seed", "height", "width")
_TEXTS = ("status", "error", "hq", "lq", "native", "restored", "drawn", "score_errors")
COLUMNS = ("restorer", "dataset", "split", "protocol", "seed", "sample", "height", "width", *_TEXTS)
"""Columns before the scores; `hq`, `lq`, `native` and `restored` are sha256 of pixels."""


def per_image(board: Board) -> pd.DataFrame:
    """Return one row per restorer, data set, split, seed and sample; failed rows stay, without scores."""
    import pandas as pd

    parts = [
        _part(group, entrant, table, board.names)
        for group in board.groups
        for entrant in group.entrants
        for table in entrant.tables
    ]
    scores = [name for name in board.columns if any(name in part for part in parts)]
    return pd.concat(parts, ignore_index=True)[[*COLUMNS, *scores]]


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Return the table as Parquet; equal tables give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = dict.fromkeys(COLUMNS, pa.string()) | dict.fromkeys(_NUMBERS, pa.int64())
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in frame.columns])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False).replace_schema_metadata(None), buffer)
    return buffer.getvalue()


def _part(group: Group, entrant: Entrant, table: CellTable, names: Names) -> pd.DataFrame:
    import pandas as pd

    images = table.images
    places = {"restorer": entrant.name, "dataset": group.dataset, "split": group.split, "protocol": group.protocol}
    data: dict[str, Any] = {name: [value] * len(images) for name, value in places.items()}
    data["seed"] = [table.cell.seed] * len(images)
    for name in ("sample", *_TEXTS):
        known = images[name] if name in images else [None] * len(images)
        data[name] = pd.Series([text(value) or None for value in known], dtype=object)
    for name in ("height", "width"):
        data[name] = images[name].astype("Float64").astype("Int64")
    for info in table.metrics:
        for column in stored_columns(info, [table]):
            shown = names.get((column, info.metric_id), column)
            data[shown] = images[score_column(info.metric_id, column)].astype("float64")
    return pd.DataFrame(data)
