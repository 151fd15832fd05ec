"""Progress of long work: what is done, how fast, how long it will take, what failed."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from .evaluate import ShardResult
from .events import shard_done


class Progress:
    """A bar over images on the terminal; silent where the output is not one.

    Args:
        total: images to restore and score.
        console: where to draw; None draws nothing.
    """

    def __init__(self, total: int, console: Console | None) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("remaining"),
            TimeRemainingColumn(),
            console=console or Console(quiet=True),
            disable=console is None,
        )
        self._task = self._bar.add_task("loading", total=total, rate="")
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, result: ShardResult) -> None:
        """Count one shard, tell the log, and report its failures above the bar."""
        before, self._last = self._last, time.monotonic()
        shard_done(result, self._last - before)
        cell = result.cell
        task = self._bar.tasks[0]
        rate = f"{task.speed:.1f} images/s" if task.speed else ""
        self._bar.update(
            self._task, advance=len(result.rows), description=f"{cell.restorer} on {cell.split}", rate=rate
        )
        for row in result.rows:
            if row["status"] == "failed":
                self._bar.console.print(
                    f"failed: {cell.restorer}, {cell.split}, {row['sample']}: {row['error']}",
                    markup=False,
                    style="yellow",
                )
