"""A table for a paper, arranged and rounded, before any format writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .preset import Preset

LIKE_BEST, LEADS = "†", "‡"
RANKED, UNRANKED, PRINTED = "ranked", "unranked", "printed"


@dataclass(frozen=True)
class Heading:
    """One column of numbers.

    Attributes:
        metric: its name in the leaderboard.
        notes: letters of what holds for all its values.
    """

    metric: str
    label: str
    unit: str
    higher_is_better: bool
    digits: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Columns side by side under one title; the title is empty where a table has only one group."""

    title: str
    headings: tuple[Heading, ...]


@dataclass(frozen=True)
class Value:
    """One number of a table.

    Attributes:
        value: whole, or None.
        text: rounded, or a dash.
        mark: `BEST`, `SECOND` or 0, among the rows that are shown.
        daggers: `LIKE_BEST`, `LEADS` or neither.
        notes: letters.
    """

    value: float | None
    text: str
    ci_low: float | None = None
    ci_high: float | None = None
    n: int | None = None
    rank: int | None = None
    tier: int | None = None
    mark: int = 0
    daggers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """One row.

    Attributes:
        restorer: its name in the leaderboard, or the system in print.
        name: as shown.
        kind: `RANKED`, `UNRANKED` or `PRINTED`.
        values: those of all groups, from left to right.
        n: images behind its values, and failures; None for a number in print.
    """

    restorer: str
    name: str
    kind: str
    values: tuple[Value, ...]
    n: int | None = None
    failed: int | None = None


@dataclass(frozen=True)
class Block:
    """Rows under one title; the title is empty where a table has only one block."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A table, ready to be written.

    Attributes:
        preset: how it is laid out.
        label: for references; unique among the tables of a preset.
        sheet: its data sets and split, for people.
        about: sentences of the caption, without those on marks.
        notes: letter -> text.
    """

    preset: Preset
    label: str
    sheet: str
    about: tuple[str, ...]
    groups: tuple[Group, ...]
    blocks: tuple[Block, ...]
    notes: Mapping[str, str]

    @property
    def headings(self) -> tuple[Heading, ...]:
        """All number columns, from left to right."""
        return tuple(heading for group in self.groups for heading in group.headings)

    @property
    def values(self) -> Iterator[Value]:
        """Every value."""
        return (value for block in self.blocks for line in block.lines for value in line.values)

    def of_kind(self, kind: str) -> bool:
        """Say whether there is a row of a kind."""
        return any(line.kind == kind for block in self.blocks for line in block.lines)
