"""What a preference study asks: which pictures, of which two restorers, in which order, on which sides.

The pairs of restorers and the faces are shuffled once and dealt out together, so that any stretch of the deal meets
every pair, and every face, about equally often.  Each rater gets a stretch of it; the next rater's begins where it
ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import lcm

from ...bench.errors import ConfigError, listing, suggest
from ...bench.seeds import numpy_generator
from ...bench.storage.store import Store
from ...bench.study.ballots import Side, Trial
from ..groups import Entrant, Group, text


@dataclass(frozen=True)
class Face:
    """One image of one split, and the picture that each restorer made of it."""

    dataset: str
    split: str
    sample: str
    lq: str
    sides: tuple[Side | None, ...]


@dataclass(frozen=True)
class Design:
    """The deal.

    Attributes:
        restorers: those who are compared.
        faces: shuffled; `sides` in the order of `restorers`.
        pairs: of places in `restorers`, shuffled.
        seed: of everything random.
        wanted: comparisons to ask of each rater; 0 asks for all there are.
    """

    restorers: tuple[str, ...]
    faces: tuple[Face, ...]
    pairs: tuple[tuple[int, int], ...]
    seed: int
    wanted: int

    @cached_property
    def total(self) -> int:
        """Number of comparisons there are."""
        return sum(_trial(face, pair) is not None for face in self.faces for pair in self.pairs)

    @property
    def asked(self) -> int:
        """Number of comparisons that each rater is asked."""
        return min(self.wanted, self.total) if self.wanted else self.total

    def order(self, rater: int) -> Iterator[Trial]:
        """Yield what to ask of the rater with this number (from 1), in order."""
        generator = numpy_generator(self.seed, "study", "order", str(rater))
        stretch = self._stretch((rater - 1) * self.asked)
        begin = int(generator.integers(len(stretch)))
        stretch = stretch[begin:] + stretch[:begin]
        flips: dict[tuple[int, int], list[bool]] = {}
        for start in range(0, len(stretch), len(self.pairs)):
            block = stretch[start : start + len(self.pairs)]
            for place in generator.permutation(len(block)):
                pair, trial = block[place]
                sides = flips.setdefault(pair, [])
                if not sides:  # of two meetings of a pair, one is the other way round
                    sides += [bool(flip) for flip in generator.permutation([False, True])]
                yield _flipped(trial) if sides.pop() else trial

    def _stretch(self, start: int) -> list[tuple[tuple[int, int], Trial]]:
        """Return `asked` comparisons from a place of the deal on; after its end it begins again."""
        found: list[tuple[tuple[int, int], Trial]] = []
        p, f = len(self.pairs), len(self.faces)
        for deal in range(start, start + p * f):
            i = deal % (p * f)
            # i -> (i mod p, i mod f) repeats after lcm(p, f); one step aside then makes it meet every combination once
            pair, face = self.pairs[i % p], self.faces[(i + i // lcm(p, f)) % f]
            trial = _trial(face, pair)
            if trial is not None:
                found.append((pair, trial))
                if len(found) == self.asked:
                    break
        return found


def design(
    groups: Sequence[Group],
    store: Store,
    restorers: Sequence[str] = (),
    split: str | None = None,
    pairs: int = 0,
    seed: int = 0,
) -> Design:
    """Arrange the pictures of a store for comparison.

    A picture that failed or was not kept is left out, and so are two pictures with equal pixels.

    Args:
        groups: as `groups.gather` returns them.
        store: where the pictures are.
        restorers: names of those to compare; none: all that are ranked.
        split: the one to show; None: all.
        pairs: comparisons to ask of each rater; 0: all.
        seed: of the order and the sides.

    Raises:
        ConfigError: a name is not there, or there is nothing to compare.
    """
    known = sorted({e.name for group in groups for e in group.entrants if not e.skipped})
    ranked = sorted({e.name for group in groups for e in group.competitors})
    for name in restorers:
        if name not in known:
            raise ConfigError(
                f"study.restorers: no pictures of '{name}'; there are {listing(known)}.{suggest(name, known)}"
            )
    chosen = tuple(dict.fromkeys(restorers)) or tuple(ranked)
    if len(chosen) < 2:
        raise ConfigError(f"study.restorers: two or more are needed, found {listing(chosen) or 'none'}")
    splits = list(dict.fromkeys(group.split for group in groups))
    if split is not None and split not in splits:
        raise ConfigError(f"study.split: no split '{split}'; there are {listing(splits)}.{suggest(split, splits)}")
    faces = [face for group in _once(groups, split) for face in _faces(group, chosen, store)]
    generator = numpy_generator(seed, "study", "deal")
    combined = list(combinations(range(len(chosen)), 2))
    made = Design(
        chosen,
        tuple(faces[i] for i in generator.permutation(len(faces))),
        tuple(combined[i] for i in generator.permutation(len(combined))),
        seed,
        pairs,
    )
    if not made.total:
        raise ConfigError(
            f"study: nothing to compare: {listing(chosen)} share no face of which different pictures were kept; "
            "run the same command with keep=true"
        )
    return made


def _once(groups: Sequence[Group], split: str | None) -> list[Group]:
    """Return one group per data set and split: protocols differ in their scores, not in their pictures."""
    found: dict[tuple[str, str], Group] = {}
    for group in groups:
        if split in (None, group.split):
            found.setdefault((group.dataset, group.split), group)
    return list(found.values())


def _faces(group: Group, restorers: Sequence[str], store: Store) -> Iterator[Face]:
    entrants = {entrant.name: entrant for entrant in group.entrants if not entrant.skipped}
    for i, image in enumerate(group.images):
        sides = tuple(_side(entrants[name], i, store) if name in entrants else None for name in restorers)
        if sum(side is not None for side in sides) > 1:
            yield Face(group.dataset, group.split, image.sample, image.lq, sides)


def _side(entrant: Entrant, image: int, store: Store) -> Side | None:
    """Return the picture that a restorer made of an image with its first seed, if it was kept."""
    table, row = entrant.tables[0], int(entrant.rows[0][image])
    if row < 0 or table.images["status"].iloc[row] != "ok":
        return None
    sha256 = text(table.images["restored"].iloc[row])
    if not sha256 or not store.image_path(sha256).exists():
        return None
    return Side(table.cell.restorer, table.cell.restorer_id, sha256)


def _trial(face: Face, pair: tuple[int, int]) -> Trial | None:
    first, second = face.sides[pair[0]], face.sides[pair[1]]
    if first is None or second is None or first.image == second.image:
        return None
    return Trial(face.dataset, face.split, face.sample, face.lq, first, second)


def _flipped(trial: Trial) -> Trial:
    return Trial(trial.dataset, trial.split, trial.sample, trial.lq, trial.right, trial.left)
