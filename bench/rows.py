"""Rows of cells that are not finished yet: on disk, so that a driver's memory does not grow with the images."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any, Self


class Rows:
    """Rows by cell, added piece by piece and taken whole; a temporary file that nobody else sees holds them."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="restorebench-rows-")
        self._places: dict[str, list[int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, cell: str, rows: Sequence[dict[str, Any]]) -> None:
        """Keep some rows of a cell."""
        self._places.setdefault(cell, []).append(self._file.seek(0, 2))
        pickle.dump(tuple(rows), self._file, protocol=pickle.HIGHEST_PROTOCOL)

    def take(self, cell: str) -> list[dict[str, Any]]:
        """Return all rows of a cell in the order they came; they are forgotten here."""
        rows: list[dict[str, Any]] = []
        for place in self._places.pop(cell):
            self._file.seek(place)
            rows += pickle.load(self._file)  # noqa: S301 (written by this process)
        return rows
