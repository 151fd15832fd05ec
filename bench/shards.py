"""Shards: a cell's share of one chunk of samples, the unit of work, commit and retry.

They come chunk by chunk, so that what a reference needs is computed once and held for one chunk only, and are made
when somebody asks for them: a plan of a million images is as small as its list of samples.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import overload

from .api import Sample
from .cell import Cell


@dataclass(frozen=True)
class Shard:
    """One cell on one chunk of samples.

    Attributes:
        given: file of each sample's result when the restorer is a folder of results, else None.
        failed: why its images are not tried again, where earlier attempts cost their workers; their rows fail.
    """

    cell: Cell
    samples: tuple[Sample, ...]
    given: Mapping[str, Path] | None = None
    failed: str = ""


@dataclass(frozen=True)
class Part:
    """One data set's share of a plan.

    Attributes:
        cells: those that are not skipped.
        samples: of the data set, in order.
        given: restorer -> file of each sample's result, for restorers that are folders of results.
    """

    cells: tuple[Cell, ...]
    samples: Sequence[Sample]
    given: Mapping[str, Mapping[str, Path]]


class Shards(Sequence[tuple[Shard, ...]]):
    """The groups of a plan: for each chunk of samples the shards of every cell, made when somebody asks for them.

    Args:
        parts: one per data set.
        size: samples per chunk.
    """

    def __init__(self, parts: Sequence[Part], size: int) -> None:
        self._parts = tuple(parts)
        self._size = size
        self._ends = list(accumulate(_ceil(len(part.samples), size) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> tuple[Shard, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[tuple[Shard, ...], ...]: ...
    def __getitem__(self, index: int | slice) -> tuple[Shard, ...] | tuple[tuple[Shard, ...], ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        number = bisect_right(self._ends, index)
        part = self._parts[number]
        start = (index - (self._ends[number - 1] if number else 0)) * self._size
        chunk = tuple(part.samples[start : start + self._size])
        return tuple(Shard(cell, chunk, _of_chunk(part.given.get(cell.restorer), chunk)) for cell in part.cells)

    @property
    def images(self) -> int:
        """Number of images over all cells."""
        return sum(len(part.cells) * len(part.samples) for part in self._parts)

    def images_by_cell(self) -> dict[str, int]:
        """Return key of each cell that is evaluated -> its number of images."""
        return {cell.key: len(part.samples) for part in self._parts for cell in part.cells}

    def names(self) -> Iterator[str]:
        """Yield key of the cell and id of the sample of every image, in the order of the shards."""
        for part in self._parts:
            keys = [cell.key for cell in part.cells]
            for start in range(0, len(part.samples), self._size):
                ids = [sample.id for sample in part.samples[start : start + self._size]]
                for key in keys:
                    yield from (key + id_ for id_ in ids)


def _ceil(count: int, size: int) -> int:
    return -(-count // size)


def _of_chunk(files: Mapping[str, Path] | None, chunk: Sequence[Sample]) -> Mapping[str, Path] | None:
    return None if files is None else {s.id: files[s.id] for s in chunk if s.id in files}
