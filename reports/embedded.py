"""The pictures inside the page itself: worst, best and random faces, as many as a number of bytes allows."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

import numpy as np

from ..bench.errors import ImageError
from ..bench.store import Store
from .gallery import encoded
from .groups import Entrant
from .leaderboard import Board
from .listing import Listed, Listing, Meeting, draw, extremes

_SIDES = (512, 384, 288, 208)
"""Pixels of a picture's longer side; the largest one at which all that is wanted fits is taken."""
_TRIED = 24  # pictures whose mean size tells which side fits
_RANDOM = 12
_SHOWN = 2  # worst and best cases that cases.js shows of each restorer


def embedded(store: Store, listed: Sequence[Listing], board: Board, budget: int) -> dict[str, str]:
    """Return sha256 -> base64 of a WebP for the pictures that the page brings along.

    In this order, until the budget is used up: one random face of each table with all that was made of it; of every
    restorer its worst and its best image by the first metric of the order, on every split; the faces that were
    hardest and easiest for all; more random faces.

    Args:
        store: holds the pictures.
        listed: the images that the page can show.
        board: the leaderboard, for its order of metrics.
        budget: bytes of base64.
    """
    wanted = list(dict.fromkeys(sha256 for sha256 in _interleaved(listed, board) if sha256))
    side = _fitting(store, wanted, budget)
    found: dict[str, str] = {}
    for sha256 in wanted:
        data = _encoded(store, sha256, side)
        if len(data) > budget:
            break
        if data:
            found[sha256] = data
            budget -= len(data)
    return found


def headline(listing: Listing, board: Board) -> str:
    """Return the first metric of the order that scores images one by one, or an empty string."""
    known = [name for meeting in listing.meetings for name in meeting.scores]
    return next((name for name in (*board.sort, *listing.grid.columns) if name in known), "")


def _encoded(store: Store, sha256: str, side: int) -> str:
    try:
        return base64.b64encode(encoded(store.image(sha256), side)).decode()
    except ImageError:  # not kept, or damaged: the page says so where it would stand
        return ""


def _fitting(store: Store, wanted: Sequence[str], budget: int) -> int:
    tried = wanted[:: max(1, len(wanted) // _TRIED)]
    for side in _SIDES[:-1]:
        sizes = [len(data) for sha256 in tried if (data := _encoded(store, sha256, side))]
        if sum(sizes) * len(wanted) <= budget * max(1, len(sizes)):
            return side
    return _SIDES[-1]


# -- what is wanted, the most wanted first -------------------------------------------------------


def _interleaved(listed: Sequence[Listing], board: Board) -> Iterator[str]:
    """Yield sha256 of pictures so that no table takes all there is room for."""
    for several in zip_longest(*(_wanted(listing, board) for listing in listed), fillvalue=()):
        for pictures in several:
            yield from pictures


def _wanted(listing: Listing, board: Board) -> Iterator[Sequence[str]]:
    metric = headline(listing, board)
    if not listing.samples:
        return
    random = draw(listing.samples)[:_RANDOM]
    makers = [_Maker(meeting, listing) for meeting in listing.meetings]
    yield [sha256 for maker in makers for sha256 in maker.face(random[0])]
    for count, several in ((1, makers), (_SHOWN, makers[-1:])):  # the last split is what the page opens with
        for maker in several:
            for name, values in maker.scores(metric).items():
                yield [sha256 for image in _ends(values, count) for sha256 in maker.case(name, image)]
    for maker in makers:
        known = list(maker.scores(metric).values())
        if known:
            images = extremes(np.mean(known, axis=0))
            yield [sha256 for image in images for other in makers for sha256 in other.face(image)]
    for image in random[1:]:
        yield [sha256 for maker in makers for sha256 in maker.face(image)]


def _ends(scores: Listed, count: int) -> list[int]:
    """Return the images with the lowest and the highest scores, whichever of equal ones somebody takes."""
    known = np.flatnonzero(np.isfinite(scores))
    orders = (known[np.argsort(sign * scores[known], kind="stable")] for sign in (1, -1))
    return list(dict.fromkeys(int(image) for order in orders for image in (*order[:count], *order[-count:])))


class _Maker:
    """What there is of each image on one split."""

    def __init__(self, meeting: Meeting, listing: Listing) -> None:
        self.meeting = meeting
        self._hq = listing.hq
        shown: Mapping[str, Entrant] = {e.name: e for e in meeting.group.entrants if not e.skipped}
        self.made = {name: meeting.digests(shown[name]) for name in listing.grid.restorers if name in shown}

    def scores(self, metric: str) -> dict[str, Listed]:
        """Scores of the restorers that made something."""
        return {name: one for name, one in self.meeting.scores.get(metric, {}).items() if name in self.made}

    def face(self, image: int) -> list[str]:
        return [self.meeting.lq[image], self._hq[image], *(made[image] for made in self.made.values())]

    def case(self, name: str, image: int) -> list[str]:
        return [self.made[name][image], self.meeting.lq[image], self._hq[image]]
