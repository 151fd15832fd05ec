"""What the people of a preference study preferred: a share for every pair of restorers, and a ranking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...bench.cell import digest
from ...bench.statistics import holm
from ...bench.study.ballots import Vote, votes
from ...bench.study.preferences import FIRST, SECOND, TIE, Comparisons, Ranking, exact_interval, ranking, sign_test
from ..leaderboard import Board
from .in_print import in_print

HERE = "this study"
POOLED = "all"
"""Name of the split in lines that take the splits of a data set together."""

Restorer = tuple[str, str]


@dataclass(frozen=True)
class Share:
    """One line of `study.csv`: how often one restorer was preferred to another; columns in docs/study.md."""

    dataset: str
    split: str
    first: str
    second: str
    answers: int
    first_preferred: int
    ties: int
    second_preferred: int
    share: float | None
    ci_low: float | None
    ci_high: float | None
    p: float
    p_holm: float
    raters: int
    faces: int
    source: str


@dataclass(frozen=True)
class Standing:
    """One line of `study_ranking.csv`: how a restorer stands against all it was compared with."""

    dataset: str
    split: str
    restorer: str
    answers: int
    preferred: int
    ties: int
    rejected: int
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    strength: float | None
    ci_low: float | None
    ci_high: float | None
    intervals: str
    note: str
    source: str


@dataclass(frozen=True)
class Panel:
    """Answers that belong together.

    Attributes:
        source: `HERE`, or the document that prints them.
        dataset, split: what was shown.
        raters, faces: how many answered, and how many faces they saw.
        votes: the answers, at least one.
        totals: only sums are known, not whose answers they are.
    """

    source: str
    dataset: str
    split: str
    raters: int
    faces: int
    votes: Sequence[Vote]
    totals: bool = False


@dataclass(frozen=True)
class Study:
    """A panel's answers in numbers.

    Attributes:
        panel: the answers.
        shares: every pair that met, the stronger restorer first.
        standings: best first.
        tie: Davidson's parameter; None without a ranking.
    """

    panel: Panel
    shares: tuple[Share, ...]
    standings: tuple[Standing, ...]
    tie: float | None


def studies(board: Board) -> list[Study]:
    """Return the studies to show with a leaderboard: the one held on this `out`, then those in print.

    A study in print is shown where one of the restorers on the leaderboard took part in it.
    """
    names = _names(board)
    answered = [v for v in votes(board.results.store.out) if v.first in names and v.second in names]
    order = {(g.dataset, g.split): i for i, g in enumerate(board.groups)}
    answered.sort(key=lambda v: order.get((v.dataset, v.split), len(order)))
    found = [study(panel, names) for panel in _panels(answered)]
    cards = {str(e.tables[0].cell.card.get("name", "")) for group in board.groups for e in group.entrants}
    for printed in in_print(cards):
        systems = {side: side[0] for v in printed.votes for side in (v.first, v.second)}
        panel = Panel(printed.document, printed.name, "", printed.raters, printed.faces, printed.votes, totals=True)
        found.append(study(panel, systems))
    return found


def study(panel: Panel, names: Mapping[Restorer, str]) -> Study:
    """Put answers into numbers; `names` are those of the restorers, for people."""
    shown = sorted({names[side] for v in panel.votes for side in (v.first, v.second)})
    answers = _arrays(panel.votes, names, shown)
    found = ranking(answers, len(shown))
    standings = [_standing(panel, answers, i, name, found) for i, name in enumerate(shown)]
    standings.sort(key=lambda line: (line.rank or 0, line.restorer))
    order = [shown.index(line.restorer) for line in standings]
    shares = [s for a, b in combinations(order, 2) if (s := _share(panel, answers, (a, b), (shown[a], shown[b])))]
    adjusted = holm([line.p for line in shares])
    corrected = tuple(replace(line, p_holm=p) for line, p in zip(shares, adjusted, strict=True))
    return Study(panel, corrected, tuple(standings), found.tie if found else None)


def _names(board: Board) -> dict[Restorer, str]:
    """Name every restorer that answers may speak of; those whose results were replaced get a digest."""
    names = {
        (e.tables[0].cell.restorer, e.tables[0].cell.restorer_id): e.name
        for group in board.groups
        for e in group.entrants
    }
    stored = {(table.cell.restorer, table.cell.restorer_id) for table in board.results.tables}
    for answer in votes(board.results.store.out):
        for side in (answer.first, answer.second):
            if side not in stored:
                names.setdefault(side, f"{side[0]}~{digest(side[1])[:6]}")
    return names


def _panels(answered: Sequence[Vote]) -> Iterator[Panel]:
    """Yield the answers by data set and split, in their order, and all splits of a data set together where it has several."""
    for dataset in dict.fromkeys(v.dataset for v in answered):
        own = [v for v in answered if v.dataset == dataset]
        splits = list(dict.fromkeys(v.split for v in own))
        for split in [*splits, *([POOLED] if len(splits) > 1 else [])]:
            some = [v for v in own if split in (v.split, POOLED)]
            raters, faces = {v.rater for v in some}, {v.sample for v in some}
            yield Panel(HERE, dataset, split, len(raters), len(faces), some)


def _arrays(answered: Sequence[Vote], names: Mapping[Restorer, str], shown: Sequence[str]) -> Comparisons:
    number = {name: i for i, name in enumerate(shown)}
    faces = {face: i for i, face in enumerate(dict.fromkeys((v.dataset, v.sample) for v in answered))}
    rows = [
        (
            number[names[v.first]],
            number[names[v.second]],
            TIE if v.preferred is None else FIRST if v.preferred == v.first else SECOND,
            v.rater,
            faces[v.dataset, v.sample],
        )
        for v in answered
    ]
    return Comparisons(*np.array(rows, dtype=np.int64).T)


def _share(panel: Panel, answers: Comparisons, pair: tuple[int, int], names: tuple[str, str]) -> Share | None:
    """Return the line of one pair; None where it never met."""
    met = np.isin(answers.first, pair) & np.isin(answers.second, pair)
    if not met.any():
        return None
    wins, ties, losses = _score(answers, pair[0], met)
    decided = wins + losses
    low, high = exact_interval(wins, decided) if decided else (None, None)
    return Share(
        dataset=panel.dataset,
        split=panel.split,
        first=names[0],
        second=names[1],
        answers=decided + ties,
        first_preferred=wins,
        ties=ties,
        second_preferred=losses,
        share=wins / decided if decided else None,
        ci_low=low,
        ci_high=high,
        p=sign_test(wins, decided),
        p_holm=1.0,
        raters=panel.raters if panel.totals else len(np.unique(answers.rater[met])),
        faces=panel.faces if panel.totals else len(np.unique(answers.face[met])),
        source=panel.source,
    )


def _score(answers: Comparisons, restorer: int, among: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Return how often a restorer was preferred, tied and rejected."""
    first, second = among & (answers.first == restorer), among & (answers.second == restorer)
    won = (first & (answers.outcome == FIRST)) | (second & (answers.outcome == SECOND))
    tied = (first | second) & (answers.outcome == TIE)
    met = int(np.count_nonzero(first | second))
    wins, ties = int(np.count_nonzero(won)), int(np.count_nonzero(tied))
    return wins, ties, met - wins - ties


def _standing(panel: Panel, answers: Comparisons, i: int, name: str, found: Ranking | None) -> Standing:
    wins, ties, losses = _score(answers, i, np.ones(len(answers.first), dtype=bool))
    line = Standing(
        dataset=panel.dataset,
        split=panel.split,
        restorer=name,
        answers=wins + ties + losses,
        preferred=wins,
        ties=ties,
        rejected=losses,
        rank=None,
        rank_low=None,
        rank_high=None,
        strength=None,
        ci_low=None,
        ci_high=None,
        intervals="",
        note="no ranking: some restorers were never compared, not even by way of others",
        source=panel.source,
    )
    if found is None:
        return line
    return replace(
        line,
        rank=int(found.ranks[i]),
        rank_low=int(found.best[i]) or None,
        rank_high=int(found.worst[i]) or None,
        strength=float(found.strengths[i]),
        ci_low=float(found.low[i]),
        ci_high=float(found.high[i]),
        intervals="answers taken as independent: only totals are known" if panel.totals else found.method,
        note=found.note,
    )
