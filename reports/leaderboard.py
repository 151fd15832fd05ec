"""The leaderboard: every number of an `out`, in long form, with what is needed to judge it.

`leaderboard.csv` is a function of the store alone: no time, path or machine is in it, so that equal results
give equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bench.api import Column
from ..bench.cell import MetricInfo, digest
from ..bench.files import write_atomic
from ..bench.storage.results import Results
from . import records
from .fairness import unaligned
from .groups import Group, gather
from .leakage import of_data, of_metric
from .measures import Measure, measure
from .ntire2025 import score_rows
from .pair_rows import MISSED, missed_column, pair_rows
from .restoreformer import divided_column
from .rows import Names, Row, absent_rows, join
from .set_rows import set_rows

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = tuple(field.name for field in fields(Row))
_KINDS = {
    ("value", "ci_low", "ci_high"): "float64",
    ("n", "n_failed", "n_seeds", "rank", "tier"): "Int64",
    ("higher_is_better", "reliable"): "boolean",
}
SORT = ("lpips_alex", "psnr")
"""Metrics that order the restorers in tables when nobody says otherwise."""


@dataclass(frozen=True)
class Board:
    """A leaderboard and what it was made from.

    Attributes:
        results: the store's tables.
        groups: who met whom on which images.
        rows: in order of data set, split, metric and place.
        columns: name of each metric in the report -> its facts, in order of display.
        names: (column or metric name, metric id) -> name in the report.
        sort: metrics that order the restorers.
    """

    results: Results
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    columns: Mapping[str, Column]
    names: Names
    sort: tuple[str, ...]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as a table; labels and digits of the metrics are in its `attrs`."""
        return to_frame(self.rows, self.columns)


def board(results: Results, select: Sequence[str] | None = None, sort: Sequence[str] | None = None) -> Board:
    """Compare everything in a store.

    Args:
        results: the store's tables.
        select: names of the restorers to keep; None keeps all.  What is compared changes with it: values are
            taken from the images that all of them have.
        sort: metrics that order the restorers; None takes those of the latest plan.

    Raises:
        ConfigError: `select` names a restorer that is not there.
    """
    groups = gather(results, select)
    measures = _measures(groups)
    names = _names(measures.values())
    wanted = tuple(sort or _latest(results, "sort") or SORT)
    rows = [row for group in groups for row in _with_leakage(group, _group_rows(group, measures, names, results))]
    rows += list(score_rows(rows))
    columns = _columns(measures.values(), names, rows, _latest(results, "metrics"))
    place = _places(rows, wanted)
    order = {name: i for i, name in enumerate(columns)}
    position = {(g.dataset, g.protocol, g.split): i for i, g in enumerate(groups)}
    rows.sort(
        key=lambda r: (
            position[r.dataset, r.protocol, r.split],
            order[r.metric],
            place[r.dataset, r.protocol, r.restorer],
            r.metric_id,
        )
    )
    return Board(results, groups, tuple(rows), columns, names, wanted)


def leaderboard(
    results: Results, select: Sequence[str] | None = None, sort: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return the leaderboard in long form, with the columns of `Row`; see `board`."""
    return board(results, select, sort).frame


def to_frame(rows: Sequence[Row], columns: Mapping[str, Column]) -> pd.DataFrame:
    """Return rows as a table; labels and digits of the metrics go into its `attrs`."""
    import pandas as pd

    frame = pd.DataFrame([astuple(row) for row in rows], columns=list(COLUMNS))
    for names, kind in _KINDS.items():
        frame = frame.astype(dict.fromkeys(names, kind))
    frame.attrs["metrics"] = {name: [column.label, column.digits] for name, column in columns.items()}
    return frame


def from_frame(frame: pd.DataFrame) -> tuple[tuple[Row, ...], dict[str, Column]]:
    """Inverse of `to_frame`, as far as tables need it; a metric without `attrs` is shown with four digits."""
    facts: Mapping[str, tuple[str, int]] = frame.attrs.get("metrics", {})
    plain = frame[list(COLUMNS)].astype(object).where(frame.notna(), None)
    rows = tuple(Row(*record) for record in plain.itertuples(index=False, name=None))
    columns: dict[str, Column] = {}
    for row in rows:
        label, digits = facts.get(row.metric, (row.metric, 4))
        higher = row.higher_is_better is not False
        columns.setdefault(row.metric, Column(row.metric, label, row.unit, higher, -math.inf, math.inf, digits))
    return rows, {name: columns[name] for name in sorted(columns, key=[*facts, *columns].index)}


def to_csv(rows: Sequence[Row]) -> bytes:
    """Return rows as `leaderboard.csv` holds them; see `records.to_csv`."""
    return records.to_csv(Row, rows)


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write `leaderboard.csv`."""
    write_atomic(path, to_csv(rows))


# -- putting it together ------------------------------------------------------------------------


def _infos(group: Group) -> Iterator[MetricInfo]:
    """The metrics of a group; one that was computed for anybody wins over its own skipped record."""
    found: dict[str, MetricInfo] = {}
    for table in (table for entrant in group.entrants for table in entrant.tables):
        for info in table.metrics:
            if info.metric_id not in found or found[info.metric_id].skipped:
                found[info.metric_id] = info
    computed = {info.name for info in found.values() if not info.skipped}
    for metric_id in sorted(found):
        if not found[metric_id].skipped or found[metric_id].name not in computed:
            yield found[metric_id]


def _measures(groups: Sequence[Group]) -> dict[str, Measure]:
    infos = sorted((info for group in groups for info in _infos(group)), key=lambda info: not info.skipped)
    return {metric_id: measure(info) for metric_id, info in {info.metric_id: info for info in infos}.items()}


def _names(measures: Iterable[Measure]) -> Names:
    """Give metrics of one name and several identities names of their own: their numbers never mix."""
    pairs: dict[str, set[str]] = {}
    for one in measures:
        if not one.info.skipped:
            for name in {one.info.name, *(column.name for column in one.columns)}:
                pairs.setdefault(name, set()).add(one.info.metric_id)
    return {
        (name, metric_id): name if len(ids) == 1 else f"{name}~{digest(metric_id)[:6]}"
        for name, ids in pairs.items()
        for metric_id in ids
    }


def _group_rows(group: Group, measures: Mapping[str, Measure], names: Names, results: Results) -> Iterator[Row]:
    for info in _infos(group):
        one = measures[info.metric_id]
        if info.skipped:
            yield from absent_rows(group, one, names)
        elif info.kind == "set":
            yield from set_rows(group, one, names, results.sets)
        else:
            yield from pair_rows(group, one, names)


def _with_leakage(group: Group, rows: Iterable[Row]) -> Iterator[Row]:
    """Add to the note of every number what its restorer has seen of it in training, and whether faces sit as it expects."""
    cells = {entrant.name: entrant.tables[0].cell for entrant in group.entrants}
    strays = {entrant.name: unaligned(entrant.tables[0]) for entrant in group.entrants}
    for row in rows:
        cell = cells[row.restorer]
        leaks = of_data(cell.card, cell.dataset_card), of_metric(cell.card, row.metric_id), strays[row.restorer]
        yield replace(row, note=join(row.note, *leaks)) if row.value is not None and row.unit != "images" else row


def _latest(results: Results, key: str) -> list[str]:
    """A list from the newest plan that has it."""
    return next((list(plan[key]) for plan in reversed(results.plans) if plan.get(key)), [])


def _columns(
    measures: Iterable[Measure], names: Names, rows: Sequence[Row], metrics: Sequence[str]
) -> dict[str, Column]:
    """Facts of every metric that has rows, in the order of the latest plan, then by name."""
    facts: dict[str, tuple[tuple[int, str, int], Column]] = {}
    order = {name: i for i, name in enumerate(metrics)}
    for one in measures:
        place = order.get(one.info.name, len(order))
        own = names.get((one.info.name, one.info.metric_id), one.info.name)
        missed = missed_column(f"{own}{MISSED}")
        facts.setdefault(missed.name, ((place, own, len(one.columns)), missed))
        for i, column in enumerate(one.columns):
            shown = names.get((column.name, one.info.metric_id), column.name)
            facts[shown] = (place, own, i), column
            divided = divided_column(column, shown)
            facts.setdefault(divided.name, ((place, own, i), divided))
    used = {row.metric: row for row in rows}
    for name, row in used.items():
        if name not in facts:
            facts[name] = (len(order), name, 0), Column(name, name, row.unit, True, -math.inf, math.inf, 4)
    return {name: facts[name][1] for name in sorted(used, key=lambda n: (facts[n][0], n))}


def _places(rows: Sequence[Row], sort: Sequence[str]) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """Sort key of each restorer in a data set: by its mean rank over the splits in each metric of `sort`."""
    found: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    for row in rows:
        by_metric = found.setdefault((row.dataset, row.protocol, row.restorer), {})
        if row.rank is not None:
            by_metric.setdefault(row.metric, []).append(row.rank)
    return {
        key: (not by_metric, *(_mean_rank(by_metric.get(metric, [])) for metric in sort), key[2])
        for key, by_metric in found.items()
    }


def _mean_rank(places: Sequence[int]) -> float:
    return sum(places) / len(places) if places else math.inf
