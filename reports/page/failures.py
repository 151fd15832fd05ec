"""Everything that went wrong, with the message it went wrong with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..groups import Entrant, Group
from ..leaderboard import Board
from ..rows import one_line

_EXPECTED = frozenset({"no reference", "no LQ image"})
"""Reasons that say what a data set has, not that something failed."""


@dataclass(frozen=True)
class Failure:
    """One image that a restorer or a metric failed on.

    Attributes:
        stage: `restoring`, or the name of the metric.
    """

    dataset: str
    split: str
    restorer: str
    sample: str
    stage: str
    message: str


def failures(board: Board) -> list[Failure]:
    """List the failed images of a leaderboard in its order, then those that could not be scored."""
    places = [(group, entrant) for group in board.groups for entrant in group.entrants]
    restoring = [failure for group, entrant in places for failure in _restoring(group, entrant)]
    scoring = [failure for group, entrant in places for failure in _scoring(group, entrant)]
    return restoring + scoring


def _restoring(group: Group, entrant: Entrant) -> Iterator[Failure]:
    for table in entrant.tables:
        bad = np.flatnonzero(table.texts("status") != "ok")
        if len(bad):
            for sample, error in zip(table.texts("sample")[bad], table.texts("error")[bad], strict=True):
                message = one_line(error) or "no reason was given"
                yield Failure(group.dataset, group.split, entrant.name, sample, "restoring", message)


def _scoring(group: Group, entrant: Entrant) -> Iterator[Failure]:
    for table in entrant.tables:
        said = table.texts("score_errors")
        bad = np.flatnonzero((table.texts("status") == "ok") & (said != "") & (said != "{}"))
        if len(bad):
            for sample, errors in zip(table.texts("sample")[bad], said[bad], strict=True):
                for metric, message in json.loads(errors).items():
                    if message not in _EXPECTED:
                        place = (group.dataset, group.split, entrant.name, sample)
                        yield Failure(*place, metric, one_line(str(message)))
