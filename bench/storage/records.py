"""What a store hands out: records by key, and feature rows in blocks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .store import Store

_BLOCK = 1024
"""Feature rows that are handed out together."""

Record = TypeVar("Record")


class Records(Generic[Record]):
    """Records of one kind: looked up one by one, never held all at once."""

    def __init__(self, store: Store, kind: str, decoded: Callable[[Any], Record] = lambda record: record) -> None:
        self._store = store
        self._kind = kind
        self._decoded = decoded

    def get(self, key: str) -> Record | None:
        """Return the record of a key, or None."""
        found = self._store.record(self._kind, key)
        return None if found is None else self._decoded(found)

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __getitem__(self, key: str) -> Record:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found


class Learnt:
    """Commits of other processes, the latest `most` of them: by then the driver has written the others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._contents: OrderedDict[int, Mapping[str, Any]] = OrderedDict()
        self._places: dict[tuple[str, str], int] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._places)

    def get(self, kind: str, key: str) -> Any:
        """Return what was learnt of a key, or None."""
        place = self._places.get((kind, key))
        return None if place is None else self._contents[place][kind][key]

    def add(self, content: Mapping[str, Any]) -> None:
        """Remember a commit and forget the oldest."""
        self._number += 1
        self._contents[self._number] = content
        self._places.update({(kind, key): self._number for kind, keys in content.items() for key in keys})
        while len(self._contents) > self._most:
            oldest, gone = self._contents.popitem(last=False)
            for kind, keys in gone.items():
                for key in keys:
                    if self._places.get((kind, key)) == oldest:
                        del self._places[kind, key]


class StoredFeatures:
    """Feature rows that are read from the store block by block; memory holds one block at a time.

    Attributes:
        present: `(n,)`, False where a key has no row; only a part without such rows can be read.
    """

    def __init__(self, store: Store, places: NDArray[np.int64], names: Sequence[str]) -> None:
        self._store = store
        self._places = places
        self._names = names
        self.present = places[:, 0] >= 0

    def __len__(self) -> int:
        return len(self._places)

    def take(self, chosen: NDArray[Any]) -> StoredFeatures:
        """Return some of the rows, by mask or by number."""
        return StoredFeatures(self._store, self._places[chosen], self._names)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield `(n, D)` blocks in the order of the keys."""
        parts: list[NDArray[np.float32]] = []
        held = 0
        for file, rows in self._runs():
            part = self._store.feature_file(self._names[file])[rows]
            if parts and held + len(part) > _BLOCK:
                yield np.concatenate(parts)
                parts, held = [], 0
            parts.append(part)
            held += len(part)
        if parts:
            yield np.concatenate(parts)

    def _runs(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield number of the file and rows for each run of keys in one file."""
        files = self._places[:, 0]
        starts = [0, *(np.flatnonzero(np.diff(files)) + 1).tolist(), len(files)]
        for start, stop in pairwise(starts):
            if stop > start:
                yield int(files[start]), self._places[start:stop, 1]


def floats(values: Mapping[str, float | str]) -> dict[str, float]:
    """Read the scores of a record: JSON has no infinity and no NaN, they are texts there."""
    return {name: float(value) for name, value in values.items()}
