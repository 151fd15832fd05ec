"""The pictures inside the page itself: worst, best and random faces, as many as a number of bytes allows."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from itertools import zip_longest

import numpy as np

from ...bench.cell import batched
from ...bench.errors import ImageError
from ...bench.images import Pixels
from ...bench.provenance import cores
from ...bench.storage.store import Store
from ..figures.gallery import encoded
from ..groups import Entrant
from ..leaderboard import Board
from .listing import Listed, Listing, Meeting, draw, extremes

_SIDES = (512, 384, 288, 208)
"""Pixels of a picture's longer side; the largest one at which all that is wanted fits is taken."""
_TRIED = 24  # pictures whose mean size tells which side fits
_AT_ONCE = 32  # pictures in memory
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
    with ThreadPoolExecutor(cores()) as pool:
        side, tried = _fitting(store, wanted, budget, pool)
        found: dict[str, str] = {}
        for sha256, data in _encoded(store, wanted, side, pool, tried):
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


def _encoded(
    store: Store, wanted: Sequence[str], side: int, pool: Executor, known: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield each sha256 with base64 of its WebP, or an empty string; only some pictures are in memory at once."""
    for some in batched(wanted, _AT_ONCE):
        new = [sha256 for sha256 in some if sha256 not in known]
        texts = dict(
            zip(new, pool.map(partial(_encode, side=side), [_pixels(store, sha256) for sha256 in new]), strict=True)
        )
        yield from ((sha256, known[sha256] if sha256 in known else texts[sha256]) for sha256 in some)


def _pixels(store: Store, sha256: str) -> Pixels | None:
    try:
        return store.image(sha256)
    except ImageError:  # not kept, or damaged: the page says so where it would stand
        return None


def _encode(pixels: Pixels | None, side: int) -> str:
    return "" if pixels is None else base64.b64encode(encoded(pixels, side)).decode()


def _fitting(store: Store, wanted: Sequence[str], budget: int, pool: Executor) -> tuple[int, dict[str, str]]:
    """Return the side at which everything fits, and what was encoded at that side to find it."""
    tried = wanted[:: max(1, len(wanted) // _TRIED)]
    for side in _SIDES[:-1]:
        texts = dict(_encoded(store, tried, side, pool, {}))
        sizes = [len(data) for data in texts.values() if data]
        if sum(sizes) * len(wanted) <= budget * max(1, len(sizes)):
            return side, texts
    return _SIDES[-1], {}


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
