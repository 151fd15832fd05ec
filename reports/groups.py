"""Groups: the restorers that met the same images, brought onto one list of images.

A group is one data set, split and protocol.  Everything below works on masks and arrays over the group's
list of images, so that "on the same images" is one `&`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..bench.cell import digest, digest_of
from ..bench.errors import ConfigError, suggest
from ..bench.storage.results import CellTable, Results
from .page.image_list import Images

Mask = NDArray[np.bool_]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Entrant:
    """One restorer in a group, its seeds together.

    Attributes:
        name: unique in the report.
        tables: one per restorer seed.
        rows: for each table the row of every image of the group, -1 where it has none.
        skipped: why nothing was evaluated, or empty.
    """

    name: str
    tables: tuple[CellTable, ...]
    rows: tuple[NDArray[np.int64], ...]
    skipped: str

    @property
    def ranked(self) -> bool:
        """Whether it competes; the reference row does not."""
        return self.tables[0].cell.ranked

    @property
    def is_reference(self) -> bool:
        """Whether it hands out the reference itself."""
        return bool(self.tables[0].cell.card.get("input") == "reference")

    @cached_property
    def present(self) -> Mask:
        """Images that it was asked for, with every seed."""
        return np.asarray(np.logical_and.reduce([rows >= 0 for rows in self.rows]))

    @cached_property
    def delivered(self) -> Mask:
        """Images that it delivered with every seed."""
        ok = [(_texts(table, "status", rows) == "ok") for table, rows in zip(self.tables, self.rows, strict=True)]
        return np.asarray(self.present & np.logical_and.reduce(ok), dtype=bool)

    @property
    def failed(self) -> int:
        """Number of images that it failed on, with any seed."""
        return int(np.count_nonzero(self.present & ~self.delivered))

    def scores(self, column: str) -> Scores:
        """Return one score per image of the group, averaged over the seeds; NaN where there is none."""
        total = np.zeros(len(self.rows[0]))
        for table, rows in zip(self.tables, self.rows, strict=True):
            total += np.append(table.numbers(column), np.nan)[rows]
        return np.where(self.delivered, total / len(self.tables), np.nan)

    def score_errors(self, metric: str) -> dict[int, str]:
        """Return image number -> why a metric has no value there."""
        found: dict[int, str] = {}
        for table, rows in zip(self.tables, self.rows, strict=True):
            said = _texts(table, "score_errors", rows)
            for image in np.flatnonzero(self.delivered & (said != "") & (said != "{}")).tolist():
                reason = json.loads(said[image]).get(metric)
                if reason:
                    found.setdefault(image, str(reason))
        return found


@dataclass(frozen=True)
class Group:
    """The restorers that met one split of one data set, under one protocol."""

    dataset: str
    split: str
    protocol: str
    severity: int
    images: Images
    entrants: tuple[Entrant, ...]

    @property
    def competitors(self) -> tuple[Entrant, ...]:
        """The restorers whose results decide which images are compared."""
        return tuple(e for e in self.entrants if e.ranked and not e.skipped)

    @cached_property
    def delivered(self) -> Mask:
        """Images that at least one competitor delivered."""
        return _union([e.delivered for e in self.competitors], len(self.images))

    @cached_property
    def expected(self) -> Mask:
        """Images that every competitor should have delivered.

        An image that all of several restorers fail on is a bad image, and so is one without an LQ; neither
        is held against anybody.
        """
        if len(self.competitors) == 1:
            return np.asarray(self.delivered | (self.competitors[0].present & (self.images.lq != "")), dtype=bool)
        return self.delivered

    def digests(self, entrant: Entrant) -> tuple[str, str]:
        """Return what stands for the images that a restorer was asked for: for the data set, and for its LQ images.

        LQ images are part of the data set where it brings them.
        """
        given = not entrant.tables[0].cell.split_id
        key = given, entrant.present.tobytes()
        if key not in self._digests:
            images = self.images.part(entrant.present)
            self._digests[key] = (
                (
                    digest_of(chain(("dataset",), *((i.sample, i.hq, i.lq if given else "") for i in images))),
                    digest_of(chain(("lq",), *((i.sample, i.lq) for i in images))),
                )
                if len(images)
                else ("", "")
            )
        return self._digests[key]

    @cached_property
    def _digests(self) -> dict[tuple[bool, bytes], tuple[str, str]]:
        return {}


def gather(results: Results, select: Sequence[str] | None = None) -> tuple[Group, ...]:
    """Sort the finished cells of an `out` into groups, in order of data set and severity.

    Cells that share a name but not an identity keep apart: a short digest is added to their names.

    Args:
        results: the store's tables.
        select: names of the restorers to keep; None keeps all.

    Raises:
        ConfigError: `select` names a restorer that is not there.
    """
    tables = _current(results.tables)
    restorers = _unique({(t.cell.restorer, t.cell.restorer_id) for t in tables})
    splits = _unique_splits(tables)
    found: dict[tuple[str, str, str], dict[str, list[CellTable]]] = {}
    wanted = _wanted(restorers, select)
    for table in tables:
        cell = table.cell
        name = restorers[cell.restorer, cell.restorer_id]
        if name in wanted:
            key = (cell.dataset, splits[cell.dataset, cell.split, cell.split_id], cell.protocol)
            found.setdefault(key, {}).setdefault(name, []).append(table)
    groups = [_group(*key, entrants) for key, entrants in found.items()]
    return tuple(sorted(groups, key=lambda g: (g.dataset, g.protocol, g.severity, g.split)))


def _current(tables: Sequence[CellTable]) -> list[CellTable]:
    """Leave out the cells that were skipped once and evaluated later."""
    done = {_place(table) for table in tables if not table.cell.skipped}
    return [table for table in tables if not table.cell.skipped or _place(table) not in done]


def _place(table: CellTable) -> tuple[str, ...]:
    cell = table.cell
    return cell.restorer, cell.dataset, cell.split, cell.split_id, cell.protocol


def _wanted(restorers: Mapping[tuple[str, str], str], select: Sequence[str] | None) -> set[str]:
    if not select:
        return set(restorers.values())
    plain = {name for name, _ in restorers}
    for name in select:
        if name not in plain and name not in restorers.values():
            raise ConfigError(
                f"report.select: no results of '{name}'; there are {', '.join(sorted(plain))}.{suggest(name, plain)}"
            )
    return {shown for (name, _), shown in restorers.items() if name in select or shown in select}


def _unique(pairs: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Give every (name, identity) a name of its own; a name with one identity stays as it is."""
    count = Counter(name for name, _ in pairs)
    return {
        (name, identity): name if count[name] == 1 else f"{name}~{digest(identity)[:6]}" for name, identity in pairs
    }


def _unique_splits(tables: Sequence[CellTable]) -> dict[tuple[str, str, str], str]:
    by_dataset: dict[str, set[tuple[str, str]]] = {}
    for table in tables:
        by_dataset.setdefault(table.cell.dataset, set()).add((table.cell.split, table.cell.split_id))
    return {
        (dataset, split, split_id): shown
        for dataset, pairs in by_dataset.items()
        for (split, split_id), shown in _unique(pairs).items()
    }


def _group(dataset: str, split: str, protocol: str, tables: Mapping[str, Sequence[CellTable]]) -> Group:
    images = Images.of_all([table for several in tables.values() for table in several])
    entrants = []
    for name, several in sorted(tables.items()):
        ran = tuple(t for t in several if not t.cell.skipped) or tuple(several)
        ran = tuple(sorted(ran, key=lambda t: t.cell.seed))
        rows = tuple(images.rows(t) for t in ran)
        entrants.append(Entrant(name, ran, rows, ran[0].cell.skipped))
    severity = min(table.cell.severity for several in tables.values() for table in several)
    return Group(dataset, split, protocol, severity, images, tuple(entrants))


def _texts(table: CellTable, column: str, rows: NDArray[np.int64]) -> NDArray[np.object_]:
    """Texts of a column in the group's order; empty where the table has no such image."""
    return np.asarray(np.append(table.texts(column), "")[rows], dtype=object)


def _union(masks: Sequence[Mask], length: int) -> Mask:
    return np.asarray(np.logical_or.reduce([np.zeros(length, dtype=bool), *masks]))


def text(value: object) -> str:
    """Return a table's entry as text; missing values of any kind are empty."""
    return value if isinstance(value, str) else "" if value is None or value is pd.NA or value != value else str(value)  # noqa: PLR0124
