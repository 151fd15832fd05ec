"""The images of a group: names and digests as columns, so that a hundred thousand of them are a few megabytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from ...bench.storage.results import CellTable

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 4096


class ImageKey(NamedTuple):
    """What a row is about: pixels, not only a name.  `hq` and `lq` are sha256 or empty."""

    sample: str
    hq: str
    lq: str


class Images(Sequence[ImageKey]):
    """Distinct images, sorted.

    Args:
        columns: Arrow table with the texts `sample`, `hq` and `lq`.
    """

    def __init__(self, columns: pa.Table) -> None:
        self.columns = columns

    @classmethod
    def of_all(cls, tables: Sequence[CellTable]) -> Images:
        """Return the images of all tables together."""
        import pyarrow as pa

        found = _distinct(_keys(tables[0]))
        for table in tables[1:]:
            keys = _keys(table)
            if not keys.equals(found):
                found = _distinct(pa.concat_tables([found, keys]))
        return cls(found)

    def __len__(self) -> int:
        return int(self.columns.num_rows)

    @overload
    def __getitem__(self, index: int) -> ImageKey: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ImageKey, ...]: ...
    def __getitem__(self, index: int | slice) -> ImageKey | tuple[ImageKey, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return ImageKey(*(self.columns[name][int(index) % len(self)].as_py() for name in ImageKey._fields))

    def __iter__(self) -> Iterator[ImageKey]:
        for start in range(0, len(self), _AT_ONCE):
            part = self.columns.slice(start, _AT_ONCE)
            yield from map(ImageKey, *(part[name].to_pylist() for name in ImageKey._fields))

    def part(self, chosen: NDArray[np.bool_]) -> Images:
        """Return some of the images, by mask."""
        import pyarrow as pa

        return self if chosen.all() else Images(self.columns.filter(pa.array(chosen)))

    @cached_property
    def lq(self) -> NDArray[np.object_]:
        """Digest of each LQ image, or an empty text."""
        return self.texts("lq")

    def texts(self, name: str) -> NDArray[np.object_]:
        """Return `sample`, `hq` or `lq` of every image."""
        return np.array(self.columns[name].to_pylist(), dtype=object)

    def places(self, other: Images) -> NDArray[np.int64]:
        """Return for every image its place in another list by sample and reference, -1 where it is not there."""
        own, others = self.columns.select(["sample", "hq"]), other.columns.select(["sample", "hq"])
        if own.equals(others):
            return np.arange(len(self), dtype=np.int64)
        return _places(own, others)

    def rows(self, table: CellTable) -> NDArray[np.int64]:
        """Return for every image its row in a table, -1 where it has none."""
        keys = _keys(table)
        if keys.equals(self.columns):
            return np.arange(len(self), dtype=np.int64)
        return _places(self.columns, keys)


def _keys(table: CellTable) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    blocks = list(table.rows.blocks(list(ImageKey._fields)))
    if not blocks:
        return pa.table({name: pa.array([], pa.string()) for name in ImageKey._fields})
    whole = pa.concat_tables(blocks, promote_options="permissive")
    return pa.table(
        {name: pc.fill_null(whole[name].cast(pa.string()), "").combine_chunks() for name in ImageKey._fields}
    )


def _distinct(keys: pa.Table) -> pa.Table:
    names = list(ImageKey._fields)
    return (
        keys.group_by(names)
        .aggregate([])
        .select(names)
        .sort_by([(name, "ascending") for name in names])
        .combine_chunks()
    )


def _places(wanted: pa.Table, keys: pa.Table) -> NDArray[np.int64]:
    """Return for every row of one table the row of another that equals it, -1 where there is none."""
    import pyarrow.compute as pc

    found = pc.fill_null(pc.index_in(_joined(wanted), value_set=_joined(keys)), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def _joined(columns: pa.Table) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    joined = pc.binary_join_element_wise(*columns.columns, "\x1f")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined
