"""Which images of a table the page can show one by one: all of them, or as many as its size allows."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..bench.cell import MetricInfo
from ..bench.results import score_column
from .grid import Grid
from .groups import Entrant, Group, Scores
from .leaderboard import Board

Places = NDArray[np.int64]

_DIGEST, _SCORE = 32, 4  # bytes of an image's sha256 and of one score
_BASE64 = 4 / 3


@dataclass(frozen=True)
class Meeting:
    """One split of a listing.

    Attributes:
        group: who met whom there.
        places: for each image of the listing its number in the group, -1 where the group has none.
        scores: metric -> restorer -> one score per image of the group, NaN where there is none.
    """

    group: Group
    places: Places
    scores: dict[str, dict[str, Scores]]

    def listed(self, values: Scores) -> Scores:
        """Bring scores of the group into the order of the listing."""
        return np.append(values, np.nan)[self.places]

    def digests(self, entrant: Entrant) -> list[str]:
        """Return the sha256 of what a restorer made of each image of the listing; empty where there is nothing."""
        rows = np.append(entrant.rows[0], -1)[self.places]
        made, status = (np.append(entrant.tables[0].texts(name), "")[rows] for name in ("restored", "status"))
        return [str(sha256) if ok else "" for sha256, ok in zip(made, (rows >= 0) & (status == "ok"), strict=True)]

    @cached_property
    def lq(self) -> list[str]:
        """Sha256 of the LQ of each image of the listing, or empty."""
        return [self.group.images[place].lq if place >= 0 else "" for place in self.places]


@dataclass(frozen=True)
class Listing:
    """The images of one data set under one protocol that the page can show.

    Attributes:
        grid: its table.
        samples: ids, in order.
        hq: sha256 of their references, or empty.
        crops: for each image the boxes `(x, y, width, height)` of eyes and mouth as shares of its sides, or None.
        meetings: one per split, in the order of the table.
        total: number of images there are.
    """

    grid: Grid
    samples: tuple[str, ...]
    hq: tuple[str, ...]
    crops: tuple[Crops | None, ...]
    meetings: tuple[Meeting, ...]
    total: int


Box = tuple[float, float, float, float]
Crops = tuple[Box, Box]

_Key = tuple[str, str, int]


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


def _listing(board: Board, grid: Grid, budget: int) -> Listing:
    groups = [g for g in board.groups if (g.dataset, g.protocol) == (grid.dataset, grid.protocol)]
    by_split = {group.split: group for group in groups}
    groups = [by_split[split] for split in grid.splits if split in by_split]
    keyed = [_keys(group) for group in groups]
    keys = sorted({key for several in keyed for key in several})
    scores = [dict(_scores(board, group)) for group in groups]
    kept = _kept(keys, keyed, scores, _fitting(groups, scores, budget))
    total, keys = len(keys), [keys[i] for i in kept]
    meetings = []
    for group, own, values in zip(groups, keyed, scores, strict=True):
        number = {key: i for i, key in enumerate(own)}
        places = np.array([number.get(key, -1) for key in keys], dtype=np.int64)
        meetings.append(Meeting(group, places, values))
    return Listing(
        grid=grid,
        samples=tuple(key[0] for key in keys),
        hq=tuple(key[1] for key in keys),
        crops=_crops(meetings, len(keys)),
        meetings=tuple(meetings),
        total=total,
    )


def _keys(group: Group) -> list[_Key]:
    """Name an image across splits: by sample and reference, counted where a group has one twice."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for image in group.images:
        found.append((image.sample, image.hq, seen[image.sample, image.hq]))
        seen[image.sample, image.hq] += 1
    return found


def _scores(board: Board, group: Group) -> Iterator[tuple[str, dict[str, Scores]]]:
    """Yield the metrics of a group that score image by image."""
    infos: dict[str, MetricInfo] = {m.metric_id: m for e in group.entrants for t in e.tables for m in t.metrics}
    shown = {name: key for key, name in board.names.items()}
    for name in board.columns:
        column, metric_id = shown.get(name, ("", ""))
        if metric_id not in infos or infos[metric_id].kind == "set":
            continue
        stored = score_column(metric_id, column)
        owners = [e for e in group.entrants if any(stored in table.columns for table in e.tables)]
        values = {entrant.name: entrant.scores(stored) for entrant in owners}
        if any(not np.isnan(one).all() for one in values.values()):
            yield name, values


def _fitting(groups: Sequence[Group], scores: Sequence[dict[str, dict[str, Scores]]], budget: int) -> int:
    """Number of images that fit, each with its scores, its pictures' names and its own name."""
    bytes_ = 2 * _DIGEST + 64.0
    for group, values in zip(groups, scores, strict=True):
        bytes_ += _DIGEST * (len(group.entrants) + 1) + _SCORE * sum(len(one) for one in values.values())
    return int(budget / (bytes_ * _BASE64))


def _kept(
    keys: Sequence[_Key], keyed: Sequence[list[_Key]], scores: Sequence[dict[str, dict[str, Scores]]], most: int
) -> list[int]:
    if len(keys) <= most:
        return list(range(len(keys)))
    number = {key: i for i, key in enumerate(keys)}
    chosen = dict.fromkeys(
        number[own[int(place)]]
        for own, values in zip(keyed, scores, strict=True)
        for by_restorer in values.values()
        for one in by_restorer.values()
        if np.isfinite(one).any()
        for place in (np.nanargmin(_finite(one)), np.nanargmax(_finite(one)))
    )
    for place in draw([key[0] for key in keys]):
        if len(chosen) >= most:
            break
        chosen.setdefault(place)
    return sorted(list(chosen)[:most])


def _finite(values: Scores) -> Scores:
    return np.where(np.isfinite(values), values, np.nan)


# -- where eyes and mouth are --------------------------------------------------------------------

_TEMPLATE: Crops = ((0.22, 0.355, 0.56, 0.21), (0.3, 0.62, 0.4, 0.21))
"""Eyes and mouth of the FFHQ template (`bench.metrics.face_alignment.FFHQ_512`) with room around them."""


def _crops(meetings: Sequence[Meeting], count: int) -> tuple[Crops | None, ...]:
    """Return the boxes of every image of a listing, from the first restorer that says how its face sits."""
    found: list[Crops | None] = [None] * count
    open_ = set(range(count))
    for meeting in meetings:
        for entrant in meeting.group.entrants:
            table = entrant.tables[0]
            if not open_ or "alignment" not in table.columns:
                continue
            rows = np.append(entrant.rows[0], -1)[meeting.places]
            alignment, landmarks = table.texts("alignment"), table.texts("landmarks")
            sides = np.stack([table.numbers("width"), table.numbers("height")], axis=1)
            for image in [image for image in open_ if rows[image] >= 0]:
                row = int(rows[image])
                aligned = alignment[row] == "ffhq_512"
                found[image] = _TEMPLATE if aligned else _around(landmarks[row], *sides[row])
                open_.remove(image)
    return tuple(found)


def _around(landmarks: str, width: float, height: float) -> Crops | None:
    """Lay boxes around the eyes and the mouth of five or 68 points, given as JSON in pixels."""
    points = np.asarray(json.loads(landmarks or "[]"), dtype=np.float64) if landmarks.startswith("[") else np.zeros(0)
    if points.shape not in ((5, 2), (68, 2)) or not width > 0 or not height > 0:
        return None
    eyes, mouth = (points[:2], points[3:]) if len(points) == 5 else (points[36:48], points[48:])
    across = float(np.hypot(*(eyes[-1] - eyes[0]))) if len(points) == 5 else float(np.ptp(eyes[:, 0]))
    return _box(eyes, across, (2.2, 0.85), (width, height)), _box(mouth, across, (1.6, 0.85), (width, height))


def _box(points: Scores, across: float, size: tuple[float, float], sides: tuple[float, float]) -> Box:
    x, y = (points.min(axis=0) + points.max(axis=0)) / 2
    w, h = min(across * size[0] / sides[0], 1.0), min(across * size[1] / sides[1], 1.0)
    left, top = min(max(x / sides[0] - w / 2, 0.0), 1 - w), min(max(y / sides[1] - h / 2, 0.0), 1 - h)
    return round(float(left), 4), round(float(top), 4), round(float(w), 4), round(float(h), 4)
