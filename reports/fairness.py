"""Which images a number may be taken from, so that restorers are compared on the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..bench.storage.results import CellTable
from .groups import Entrant, Group, Mask

MIN_COVERAGE = 0.99
"""Below this share of the images a restorer is shown but not ranked: it could have dropped the hard ones."""


@dataclass(frozen=True)
class Comparison:
    """The fair comparison of one metric in one group.

    Attributes:
        scored: restorer -> images that have a score.
        expected: images that every competitor should have a score for.
        contenders: names of the restorers that are ranked.
        common: the images behind every ranked value.
    """

    scored: Mapping[str, Mask]
    expected: Mask
    contenders: frozenset[str]
    common: Mask

    def shown(self, entrant: Entrant) -> Mask:
        """Return the images behind a restorer's value.

        Contenders and unranked rows: the common images.  A competitor below 99 % coverage: its own.
        """
        scored = self.scored[entrant.name]
        own = not self.contenders or (entrant.ranked and entrant.name not in self.contenders)
        return scored if own else scored & self.common

    def coverage(self, entrant: Entrant) -> tuple[int, int]:
        """Return how many of the expected images a restorer has a score for, and how many are expected."""
        return int(np.count_nonzero(self.scored[entrant.name] & self.expected)), int(np.count_nonzero(self.expected))


def compare(group: Group, scored: Mapping[str, Mask]) -> Comparison:
    """Find the contenders and the images common to all of them.

    An image that no competitor has a score for (no reference, no face in the reference) counts against
    nobody; one that only some have a score for counts against the others.

    Args:
        group: the restorers and their images.
        scored: restorer -> mask over the group's images.
    """
    anyone = np.zeros(len(group.images), dtype=bool)
    for entrant in group.competitors:
        anyone |= scored[entrant.name]
    expected = group.expected & (anyone | ~group.delivered)
    wanted = int(np.count_nonzero(expected))
    contenders = [
        entrant.name
        for entrant in group.competitors
        if scored[entrant.name].any() and np.count_nonzero(scored[entrant.name] & expected) >= MIN_COVERAGE * wanted
    ]
    common = np.asarray(np.logical_and.reduce([scored[name] for name in contenders])) if contenders else anyone & False
    return Comparison(scored, expected, frozenset(contenders), common)


def unaligned(table: CellTable) -> str:
    """Say how many of a cell's images are no aligned faces, where its restorer expects them; empty when none is known."""
    if table.cell.card.get("alignment") != "ffhq_512" or "alignment" not in table.columns:
        return ""
    alignments = table.texts("alignment")
    strays = int((alignments == "none").sum())
    return f"expects aligned faces, which {strays} of {len(alignments)} images are not" if strays else ""
