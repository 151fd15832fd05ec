"""Tables of records as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, fields
from typing import Any


def to_csv(kind: type[Any], records: Iterable[Any]) -> bytes:
    """Return records of one dataclass, `kind`, as CSV, a column per field.

    UTF-8, line feeds, floats in full, empty for None, `inf`, `true` and `false`.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([field.name for field in fields(kind)])
    writer.writerows([_field(value) for value in astuple(record)] for record in records)
    return buffer.getvalue().encode("utf-8", "surrogateescape")


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
