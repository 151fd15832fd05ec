"""Clocks that bear a busy machine, and tables that go to the console and, if asked, into a page of the documentation."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich import box
from rich.console import Console
from rich.table import Table

from restorebench.bench.memory import give_back_freed_memory

Way = TypeVar("Way")


def alternating(
    ways: Mapping[Way, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[Way, list[float]]:
    """Time every way once per round, in a different order each time; what disturbs the machine meets all of them.

    Args:
        ways: what to time, by name.
        rounds: how often.
        clock: `time.process_time` counts what this process computes, whatever else the machine does.

    Returns:
        The seconds of each round by way.  Compare them round by round (`ratio`), not by their means.
    """
    seconds: dict[Way, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            give_back_freed_memory()  # of the one before
            start = clock()
            ways[name]()
            seconds[name].append(clock() - start)
    return seconds


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """Return the median over the rounds of how many times as long they took."""
    return statistics.median(t / o for t, o in zip(theirs, ours, strict=True))


@dataclass
class Report:
    """Tables by name, printed at once; written between the marks of a Markdown page when the session ends.

    Attributes:
        page: the page, or None.
        sections: Markdown by name.
    """

    page: Path | None
    sections: dict[str, str] = field(default_factory=dict)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
        """Show a table; its first column is text, the others are numbers."""
        shown = Table(box=box.SIMPLE_HEAD)
        for number, column in enumerate(columns):
            shown.add_column(column, justify="right" if number else "left")
        for row in rows:
            shown.add_row(*row)
        console = Console(width=130)
        console.print()
        console.print(shown)
        if note:
            console.print(note, highlight=False)
        lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join([":--", *["--:"] * (len(columns) - 1)]) + " |"]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        self.sections[name] = "\n".join([*lines, *(["", note] if note else [])])

    def write(self) -> None:
        """Replace what stands between `<!-- bench NAME -->` and `<!-- end -->` on the page.

        Raises:
            ValueError: the page has no place for a table.
        """
        if self.page is None:
            return
        text = self.page.read_text(encoding="utf-8")
        for name, content in self.sections.items():
            mark = f"<!-- bench {name} -->"
            if mark not in text:
                raise ValueError(f"{self.page}: no place for the table; add a line {mark} and a line <!-- end -->")
            pattern = re.escape(mark) + r".*?<!-- end -->"
            text = re.sub(
                pattern, lambda _, new=f"{mark}\n{content}\n<!-- end -->": new, text, count=1, flags=re.DOTALL
            )
        self.page.write_text(text, encoding="utf-8")
