"""Tables as an Excel workbook: a sheet per table, and every number in long form on the last one."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..grid import BEST, SECOND
from .paper_table import PRINTED, RANKED, Line, Table, Value
from .preset import SPLIT

if TYPE_CHECKING:
    from xlsxwriter.format import Format  # type: ignore[import-untyped]
    from xlsxwriter.workbook import Workbook  # type: ignore[import-untyped]
    from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

LONG = "long form"
_LONG_COLUMNS = (
    *("table", "block", "group", "restorer", "name", "kind", "metric", "unit", "value"),
    *("ci_low", "ci_high", "n", "rank", "tier", "mark", "notes"),
)
_FIXED = datetime(2000, 1, 1)  # a file's date would differ from build to build  # noqa: DTZ001


def workbook(tables: Sequence[Table]) -> bytes:
    """Return a workbook, the same bytes each time.

    Numbers are numbers, whole, and shown with the digits of their metric; best in bold, second underlined.  Texts are
    texts: one that starts with `=` is no formula, and an address no link.
    """
    import xlsxwriter  # type: ignore[import-untyped]

    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(buffer, options)
    book.set_properties({"title": "restorebench", "created": _FIXED})
    formats = _Formats(book)
    taken: set[str] = {LONG}
    for table in tables:
        _sheet(book.add_worksheet(_unique(table.sheet, taken)), table, formats)
    _long(book.add_worksheet(LONG), tables, formats)
    book.close()
    return buffer.getvalue()


class _Formats:
    """Formats by what they say, made once each."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Format] = {}

    def __call__(self, **properties: Any) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(properties)
        return self._made[key]


def _unique(wanted: str, taken: set[str]) -> str:
    r"""Return a name that Excel takes: 31 letters, none of `[]:*?/\`, no apostrophe at an end, no two alike."""
    plain = "".join("-" if c in "[]:*?/\\" or not c.isprintable() else c for c in wanted)
    plain = plain[:31].strip("' ") or "table"
    name, number = plain, 1
    while name.casefold() in taken or name.casefold() == "history":  # Excel keeps that one for itself
        number += 1
        name = f"{plain[: 28 - len(str(number))]} ({number})"
    taken.add(name.casefold())
    return name


def _sheet(sheet: Worksheet, table: Table, formats: _Formats) -> None:
    blocked = any(block.title for block in table.blocks)
    first = 2 if blocked else 1
    row = _headings(sheet, table, formats, first)
    sheet.freeze_panes(row, first)
    last = first + len(table.headings)
    for block in table.blocks:
        for line in block.lines:
            if blocked:
                sheet.write_string(row, 0, block.title)
            sheet.write_string(row, first - 1, line.name, formats(italic=line.kind != RANKED))
            for place, (value, heading) in enumerate(zip(line.values, table.headings, strict=True), first):
                _write(sheet, (row, place), value, formats, line, heading.digits)
            if line.n is not None:
                sheet.write_number(row, last, line.n)
            row += 1
    for text in (*table.about, *(f"{letter}: {note}" for letter, note in table.notes.items())):
        row += 1
        sheet.write_string(row, 0, text)
    names = [line.name for block in table.blocks for line in block.lines]
    sheet.set_column(0, first - 1, min(40, max(map(len, names), default=8) + 2))
    sheet.set_column(first, last, 11)


def _headings(sheet: Worksheet, table: Table, formats: _Formats, first: int) -> int:
    """Write one line of headings, or two where groups have titles; return the row below."""
    grouped = any(group.title for group in table.groups)
    row, column = int(grouped), first
    left, right = formats(bold=True, bottom=1), formats(bold=True, bottom=1, align="right")
    for group in table.groups:
        if grouped:
            centred = formats(bold=True, align="center")
            if len(group.headings) > 1:
                sheet.merge_range(0, column, 0, column + len(group.headings) - 1, "", centred)
            sheet.write_string(0, column, group.title, centred)
        for heading in group.headings:
            letters = f" {','.join(heading.notes)}" if heading.notes else ""
            sheet.write_string(
                row, column, f"{heading.label} {'↑' if heading.higher_is_better else '↓'}{letters}", right
            )
            column += 1
    sheet.write_string(row, column, "n", right)
    for place, text in enumerate(["Split" if table.preset.blocks == SPLIT else "Data set", "Restorer"][2 - first :]):
        sheet.write_string(row, place, text, left)
    return row + 1


def _write(sheet: Worksheet, place: tuple[int, int], value: Value, formats: _Formats, line: Line, digits: int) -> None:
    look: dict[str, Any] = {"align": "right", "bold": value.mark == BEST, "underline": int(value.mark == SECOND)}
    if value.value is None or not math.isfinite(value.value):
        sheet.write_string(*place, value.text, formats(**look))
        return
    if line.kind == PRINTED:
        digits = len(value.text.partition(".")[2])
    sheet.write_number(*place, value.value, formats(**look, num_format=f"0.{'0' * digits}" if digits else "0"))


def _long(sheet: Worksheet, tables: Sequence[Table], formats: _Formats) -> None:
    for column, name in enumerate(_LONG_COLUMNS):
        sheet.write_string(0, column, name, formats(bold=True, bottom=1))
    sheet.freeze_panes(1, 0)
    rows = 0
    for rows, record in enumerate((record for table in tables for record in _records(table)), 1):
        for column, item in enumerate(record):
            if isinstance(item, str):
                sheet.write_string(rows, column, item)
            elif item is not None and math.isfinite(item):
                sheet.write_number(rows, column, item)
            elif item is not None:
                sheet.write_string(rows, column, str(item))
    sheet.autofilter(0, 0, max(1, rows), len(_LONG_COLUMNS) - 1)
    sheet.set_column(0, len(_LONG_COLUMNS) - 1, 14)


def _records(table: Table) -> Iterator[tuple[str | float | None, ...]]:
    columns = [(group.title, heading) for group in table.groups for heading in group.headings]
    for block in table.blocks:
        for line in block.lines:
            for (group, heading), value in zip(columns, line.values, strict=True):
                if value.value is not None or value.notes:
                    mark = ("", "best", "second")[value.mark]
                    notes = "; ".join(table.notes[letter] for letter in (*heading.notes, *value.notes))
                    yield (
                        *(table.label, block.title, group, line.restorer, line.name, line.kind, heading.metric),
                        *(heading.unit, value.value, value.ci_low, value.ci_high, value.n, value.rank, value.tier),
                        *(mark, notes),
                    )
