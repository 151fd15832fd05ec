"""Tables as GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..grid import BEST, DASH, SECOND
from .paper_table import LEADS, LIKE_BEST, PRINTED, RANKED, Block, Heading, Line, Table, Value
from .preset import SPLIT

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$!@])")


def markdown(tables: Sequence[Table]) -> str:
    """Write tables: best in bold, second underlined, rows that do not compete in italics.

    Markdown cannot group columns, so a group's title stands above each of its headings.
    """
    return "\n".join(_table(table) for table in tables)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _table(table: Table) -> str:
    counted = len(table.groups) == 1
    blocked = any(block.title for block in table.blocks)
    heads = [_head(group.title, heading) for group in table.groups for heading in group.headings]
    first = [*(["Split" if table.preset.blocks == SPLIT else "Data set"] if blocked else []), "Restorer"]
    last = ["n", "Failed"] if counted else []
    lines = [
        f"### {escape(table.sheet)}",
        "",
        escape(" ".join(table.about)),
        "",
        _line([*first, *heads, *last]),
        _line([*[":--"] * len(first), *["--:"] * (len(heads) + len(last))]),
        *(text for block in table.blocks for text in _lines(block, table, blocked=blocked, counted=counted)),
        "",
        *(f"{text}  " for text in (*_marks(table), *_notes(table))),
    ]
    return "\n".join([*lines, ""])


def _head(title: str, heading: Heading) -> str:
    arrow = "↑" if heading.higher_is_better else "↓"
    above = f"{escape(title)}<br>" if title else ""
    return f"{above}{escape(heading.label)} {arrow}{_raised(heading.notes)}"


def _lines(block: Block, table: Table, *, blocked: bool, counted: bool) -> Iterator[str]:
    for i, line in enumerate(block.lines):
        title = [escape(block.title) if i == 0 else ""] if blocked else []
        counts = ["" if line.n is None else str(line.n), "" if line.failed is None else str(line.failed)]
        values = [
            _value(value, line, heading, table) for value, heading in zip(line.values, table.headings, strict=True)
        ]
        yield _line([*title, _name(line), *values, *(counts if counted else [])])


def _name(line: Line) -> str:
    return escape(line.name) if line.kind == RANKED else f"*{escape(line.name)}*"


def _value(value: Value, line: Line, heading: Heading, table: Table) -> str:
    text = value.text
    if value.mark == BEST:
        text = f"**{text}**"
    elif value.mark == SECOND:
        text = f"<ins>{text}</ins>"
    elif line.kind != RANKED and text != DASH:
        text = f"*{text}*"
    text += _raised((*value.daggers, *value.notes))
    if table.preset.intervals and value.ci_low is not None and value.ci_high is not None:
        text += f" <sub>{value.ci_low:.{heading.digits}f} to {value.ci_high:.{heading.digits}f}</sub>"
    return text


def _raised(marks: Sequence[str]) -> str:
    return f"<sup>{','.join(marks)}</sup>" if marks else ""


def _marks(table: Table) -> Iterator[str]:
    daggers = {dagger for value in table.values for dagger in value.daggers}
    if any(value.mark for value in table.values):
        yield "Best in **bold**, second <ins>underlined</ins>."
    if LIKE_BEST in daggers:
        yield f"<sup>{LIKE_BEST}</sup> not separable from the best (signed-rank test, Holm-corrected, p < 0.05)"
    if LEADS in daggers:
        yield f"<sup>{LEADS}</sup> better than each of the others (signed-rank test, Holm-corrected, p < 0.05)"
    if table.of_kind(PRINTED):
        yield "*Name \\[document\\]*: numbers as printed there, not ranked; recipes may differ"


def _notes(table: Table) -> Iterator[str]:
    for letter, note in table.notes.items():
        yield f"<sup>{letter}</sup> {escape(note)}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
