"""Everything that went wrong, with the message it went wrong with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from .groups import Entrant, Group, text
from .leaderboard import Board
from .rows import one_line

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
        images = table.images
        for sample, status, error in zip(images["sample"], images["status"], images["error"], strict=True):
            if status != "ok":
                message = one_line(text(error)) or "no reason was given"
                yield Failure(group.dataset, group.split, entrant.name, text(sample), "restoring", message)


def _scoring(group: Group, entrant: Entrant) -> Iterator[Failure]:
    for table in entrant.tables:
        if "score_errors" not in table.images:
            continue
        for sample, status, errors in zip(
            *(table.images[c] for c in ("sample", "status", "score_errors")), strict=True
        ):
            if status == "ok" and text(errors) not in ("", "{}"):
                for metric, message in json.loads(errors).items():
                    if message not in _EXPECTED:
                        place = (group.dataset, group.split, entrant.name, text(sample))
                        yield Failure(*place, metric, one_line(str(message)))
