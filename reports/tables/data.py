"""Tables as data: CSV with one row per row, JSON with everything.  Numbers are whole; rounding is for people."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from .paper_table import Block, Line, Table, Value

SCHEMA = "restorebench.table/1"
"""Named in every JSON; its keys are described in docs/tables.md."""


def to_csv(tables: Sequence[Table]) -> bytes:
    """Return the tables below one another, one row per row; a header above each.

    Columns: `table`, `block`, `restorer`, `name`, `kind`, `n`, `failed`, then one per number column, named
    `group/metric`.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for table in tables:
        columns = [
            f"{group.title}/{h.metric}" if group.title else h.metric for group in table.groups for h in group.headings
        ]
        writer.writerow(["table", "block", "restorer", "name", "kind", "n", "failed", *columns])
        for block in table.blocks:
            for line in block.lines:
                numbers = ["" if value.value is None else repr(value.value) for value in line.values]
                writer.writerow(
                    [table.label, block.title, line.restorer, line.name, line.kind, line.n, line.failed, *numbers]
                )
    return buffer.getvalue().encode("utf-8", "replace")


def to_json(tables: Sequence[Table], preset: str) -> bytes:
    """Return the tables with intervals, ranks, marks and notes; see docs/tables.md for the keys."""
    data = {"schema": SCHEMA, "preset": preset, "tables": [_table(table) for table in tables]}
    return (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")


def _table(table: Table) -> dict[str, Any]:
    return {
        "label": table.label,
        "title": table.preset.title,
        "source": table.preset.source,
        "about": list(table.about),
        "columns": [
            {
                "group": group.title,
                "metric": heading.metric,
                "label": heading.label,
                "unit": heading.unit,
                "higher_is_better": heading.higher_is_better,
                "digits": heading.digits,
                "notes": list(heading.notes),
            }
            for group in table.groups
            for heading in group.headings
        ],
        "rows": [_line(block, line) for block in table.blocks for line in block.lines],
        "notes": dict(table.notes),
    }


def _line(block: Block, line: Line) -> dict[str, Any]:
    return {
        "block": block.title,
        "restorer": line.restorer,
        "name": line.name,
        "kind": line.kind,
        "n": line.n,
        "failed": line.failed,
        "values": [_value(value) for value in line.values],
    }


def _value(value: Value) -> dict[str, Any]:
    return {
        "value": _number(value.value),
        "text": value.text,
        "ci_low": _number(value.ci_low),
        "ci_high": _number(value.ci_high),
        "n": value.n,
        "rank": value.rank,
        "tier": value.tier,
        "mark": ("", "best", "second")[value.mark],
        "daggers": list(value.daggers),
        "notes": list(value.notes),
    }


def _number(value: float | None) -> float | str | None:
    """JSON has no infinity: it is written as the text `inf` or `-inf`."""
    return value if value is None or math.isfinite(value) else str(value)
