"""Which images of a table the page can show one by one: all of them, or as many as its size allows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bench.cell import MetricInfo
from ...bench.storage.results import score_column
from ..grid import Grid
from ..groups import Entrant, Group
from ..leaderboard import Board
from .regions import ALIGNED, TEMPLATE, Crops, around

Places = NDArray[np.int64]
Listed = NDArray[np.float32]
"""One score per image of a listing, NaN where there is none."""

_DIGEST, _SCORE = 32, 4  # bytes of an image's sha256 and of one score
_BASE64 = 4 / 3


@dataclass(frozen=True)
class Meeting:
    """One split of a listing.

    Attributes:
        group: who met whom there.
        places: for each image of the listing its number in the group, -1 where the group has none.
        scores: metric -> restorer -> scores of the listing's images.
    """

    group: Group
    places: Places
    scores: Mapping[str, Mapping[str, Listed]]

    def digests(self, entrant: Entrant) -> list[str]:
        """Return the sha256 of what a restorer made of each image of the listing; empty where there is nothing."""
        rows = np.append(entrant.rows[0], -1)[self.places]
        made, status = (np.append(entrant.tables[0].texts(name), "")[rows] for name in ("restored", "status"))
        return [str(sha256) if ok else "" for sha256, ok in zip(made, (rows >= 0) & (status == "ok"), strict=True)]

    @cached_property
    def lq(self) -> list[str]:
        """Sha256 of the LQ of each image of the listing, or empty."""
        return list(np.append(self.group.images.lq, "")[self.places])


@dataclass(frozen=True)
class Listing:
    """The images of one data set under one protocol that the page can show.

    Attributes:
        grid: its table.
        samples: ids, in order.
        hq: sha256 of their references, or empty.
        crops: where eyes and mouth are, or None.
        meetings: one per split, in the order of the table.
        total: number of images there are.
    """

    grid: Grid
    samples: tuple[str, ...]
    hq: tuple[str, ...]
    crops: tuple[Crops | None, ...]
    meetings: tuple[Meeting, ...]
    total: int


class _Key(NamedTuple):
    """What an image is on every split."""

    sample: str
    hq: str


class _Measured(NamedTuple):
    """A metric that scores images one by one: its name in the report, its column, and who has it."""

    name: str
    column: str
    owners: tuple[Entrant, ...]


def listings(board: Board, grids: Sequence[Grid], budget: int) -> list[Listing]:
    """List the images of every table; the tables share a number of bytes in the page.

    Where they do not all fit, the best and worst image of every restorer by every metric stay, and the others are
    drawn by a hash of their ids, so that what is left still shows how the scores spread.

    Args:
        board: the leaderboard.
        grids: its tables.
        budget: bytes that scores and names of pictures may take.
    """
    return [_listing(board, grid, budget // max(1, len(grids))) for grid in grids]


def draw(samples: Sequence[str]) -> list[int]:
    """Return the numbers of samples in an order that is random but the same every time."""
    return sorted(
        range(len(samples)), key=lambda i: hashlib.sha256(samples[i].encode("utf-8", "surrogatepass")).digest()
    )


def thinned(listing: Listing, share: float) -> Listing:
    """Return a share of a listing's images, the best and worst of every restorer before others."""
    count = int(share * len(listing.samples))
    columns = [one for meeting in listing.meetings for several in meeting.scores.values() for one in several.values()]
    first = dict.fromkeys(place for one in columns for place in extremes(one))
    kept = np.array(sorted(list(first | dict.fromkeys(draw(listing.samples)))[:count]), dtype=np.int64)
    return Listing(
        grid=listing.grid,
        samples=tuple(listing.samples[i] for i in kept),
        hq=tuple(listing.hq[i] for i in kept),
        crops=tuple(listing.crops[i] for i in kept),
        meetings=tuple(
            Meeting(
                meeting.group,
                meeting.places[kept],
                {metric: {n: one[kept] for n, one in by.items()} for metric, by in meeting.scores.items()},
            )
            for meeting in listing.meetings
        ),
        total=listing.total,
    )


def _listing(board: Board, grid: Grid, budget: int) -> Listing:
    by_split = {g.split: g for g in board.groups if (g.dataset, g.protocol) == (grid.dataset, grid.protocol)}
    groups = [by_split[split] for split in grid.splits if split in by_split]
    measured = [list(_measured(board, group)) for group in groups]
    keyed = [[_Key(image.sample, image.hq) for image in group.images] for group in groups]
    keys = sorted({key for several in keyed for key in several})
    total, most = len(keys), _fitting(groups, measured, budget)
    if total > most:
        keys = _chosen(keys, keyed, measured, most)
    meetings = tuple(_meeting(*each, keys) for each in zip(groups, keyed, measured, strict=True))
    return Listing(
        grid=grid,
        samples=tuple(key.sample for key in keys),
        hq=tuple(key.hq for key in keys),
        crops=_crops(meetings, len(keys)),
        meetings=meetings,
        total=total,
    )


def _measured(board: Board, group: Group) -> Iterator[_Measured]:
    infos: dict[str, MetricInfo] = {m.metric_id: m for e in group.entrants for t in e.tables for m in t.metrics}
    shown = {name: key for key, name in board.names.items()}
    for name in board.columns:
        column, metric_id = shown.get(name, ("", ""))
        if metric_id in infos and infos[metric_id].kind != "set":
            stored = score_column(metric_id, column)
            owners = tuple(e for e in group.entrants if any(stored in table.columns for table in e.tables))
            if owners:
                yield _Measured(name, stored, owners)


def _fitting(groups: Sequence[Group], measured: Sequence[Sequence[_Measured]], budget: int) -> int:
    """Number of images that fit, each with its scores, its pictures' names and its own name."""
    size = _DIGEST + 64.0
    for group, metrics in zip(groups, measured, strict=True):
        size += _DIGEST * (len(group.entrants) + 1) + _SCORE * sum(len(one.owners) for one in metrics)
    return int(budget / (size * _BASE64))


def _chosen(
    keys: Sequence[_Key], keyed: Sequence[Sequence[_Key]], measured: Sequence[Sequence[_Measured]], most: int
) -> list[_Key]:
    """Choose images where not all fit, in order."""
    chosen: dict[_Key, None] = {}
    for own, metrics in zip(keyed, measured, strict=True):
        for one in metrics:
            for entrant in one.owners:
                chosen.update((own[place], None) for place in extremes(entrant.scores(one.column)))
    for place in draw([key.sample for key in keys]):
        if len(chosen) >= most:
            break
        chosen.setdefault(keys[place])
    return sorted(list(chosen)[:most])


def extremes(scores: NDArray[np.floating]) -> list[int]:
    """Return the places of the lowest and of the highest finite score, if there is one."""
    finite = np.where(np.isfinite(scores), scores, np.nan)
    return [] if np.isnan(finite).all() else [int(np.nanargmin(finite)), int(np.nanargmax(finite))]


def _meeting(group: Group, own: Sequence[_Key], measured: Sequence[_Measured], keys: Sequence[_Key]) -> Meeting:
    number = {key: i for i, key in enumerate(own)}
    places = np.array([number.get(key, -1) for key in keys], dtype=np.int64)
    scores: dict[str, dict[str, Listed]] = {}
    for one in measured:
        with np.errstate(over="ignore"):
            values = {e.name: np.append(e.scores(one.column), np.nan)[places].astype("<f4") for e in one.owners}
        if any(not np.isnan(column).all() for column in values.values()):
            scores[one.name] = values
    return Meeting(group, places, scores)


# -- where eyes and mouth are --------------------------------------------------------------------


def _crops(meetings: Sequence[Meeting], count: int) -> tuple[Crops | None, ...]:
    """Return the boxes of every image of a listing, from the first restorer that says how its face sits."""
    found: list[Crops | None] = [None] * count
    unknown = list(range(count))
    for meeting in meetings:
        for entrant in meeting.group.entrants:
            table = entrant.tables[0]
            if not unknown or "alignment" not in table.columns:
                continue
            rows = np.append(entrant.rows[0], -1)[meeting.places]
            alignment, landmarks = table.texts("alignment"), table.texts("landmarks")
            sides = np.stack([table.numbers("width"), table.numbers("height")], axis=1)
            for image in [image for image in unknown if rows[image] >= 0]:
                row = int(rows[image])
                found[image] = TEMPLATE if alignment[row] == ALIGNED else around(landmarks[row], *sides[row])
            unknown = [image for image in unknown if rows[image] < 0]
    return tuple(found)
