"""Preference studies in print, as votes."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from ...bench.study.ballots import Vote
from ..claims import names, printed

_VOTES = re.compile(r"user_pref_votes_vs_(?!total)(.+)")


@dataclass(frozen=True)
class PrintedStudy:
    """A study of which a document prints the votes of every pair, summed over raters and images.

    Attributes:
        name: what the study is called.
        document: where it is printed.
    """

    name: str
    document: str
    raters: int
    faces: int
    votes: tuple[Vote, ...]


def in_print(restorers: Collection[str]) -> list[PrintedStudy]:
    """Return the studies in which one of these restorers, by the name on its card, took part."""
    return [
        PrintedStudy(name, facts["document"], facts["raters"], facts["faces"], _votes(name, facts["document"]))
        for name, facts in names()["studies"].items()
        if not set(restorers).isdisjoint(facts["restorers"])
    ]


def _votes(study: str, document: str) -> tuple[Vote, ...]:
    found: list[Vote] = []
    for item in printed():
        against = _VOTES.fullmatch(item.metric)
        if (item.dataset, item.reported_by) == (study, document) and against:
            preferred, other = (item.system, ""), (against[1], "")
            vote = Vote(0, study, "", "", min(preferred, other), max(preferred, other), preferred)
            found += [vote] * int(item.value)
    return tuple(found)
