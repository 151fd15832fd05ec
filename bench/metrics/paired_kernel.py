"""How far KID would move with other images, where the two sets go together: restored images and their own references.

The squared MMD of pairs `(x_i, y_i)` is a mean over two *different* pairs of

    h_ij = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i),

which is unbiased however much an image resembles its own reference.  The usual estimator, that of torch-fidelity, also
counts `k(x_i, y_i)`; for pairs that lowers it by their resemblance over half the number of images.

Source:
    Gretton et al., A kernel two-sample test, JMLR 13 (2012), lemma 6; Arvesen, Jackknifing U-statistics, Ann. Math.
    Statist. 40 (1969).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..api import Features

    Array = NDArray[np.float64]

_ALPHA = 0.05
_FEWEST = 4  # pairs: leaving one of three out leaves two, whose only h says nothing of their spread


class Pairwise(NamedTuple):
    """Kernel sums of `n` pairs of rows, each without the pair itself.

    Attributes:
        first: `(n,)`, of each `x_i` with the other `x_j`.
        second: `(n,)`, of each `y_i` with the other `y_j`.
        across: `(n,)`, of each `x_i` with the other `y_j`, and of each `y_i` with the other `x_j`.
    """

    first: Array
    second: Array
    across: Array

    @property
    def h(self) -> Array:
        """Sum of `h_ij` over `j`, `(n,)`."""
        return self.first + self.second - self.across


def estimate(sums: Pairwise) -> float:
    """Return the unbiased distance of pairs."""
    n = len(sums.first)
    return float(sums.h.sum() / (n * (n - 1)))


def interval(sums: Pairwise) -> tuple[float, float] | None:
    """Return the 95 % interval of the distance by leaving out each pair in turn; None for fewer than four pairs."""
    from scipy.special import stdtrit

    n = len(sums.first)
    if n < _FEWEST:
        return None
    total, own = sums.h.sum(), sums.h
    left_out = (total - 2 * own) / ((n - 1) * (n - 2))
    error = np.sqrt((n - 1) / n * np.square(left_out - left_out.mean()).sum())
    margin = float(stdtrit(n - 1, 1 - _ALPHA / 2) * error)
    middle = estimate(sums)
    return middle - margin, middle + margin


def interval_of_parts(estimates: Array) -> tuple[float, float] | None:
    """Return the 95 % interval from estimates of equal parts of a set too large for all its pairs; None for one part."""
    from scipy.special import stdtrit

    parts = len(estimates)
    if parts < 2:
        return None
    margin = float(stdtrit(parts - 1, 1 - _ALPHA / 2) * estimates.std(ddof=1) / np.sqrt(parts))
    middle = float(estimates.mean())
    return middle - margin, middle + margin


def parts(first: Features, second: Features, size: int) -> Iterator[tuple[Array, Array]]:
    """Yield `size` rows of each set at a time, those of one pair together; a rest that is smaller is left out.

    Memory holds one part and one block of either set.
    """
    sides = [_regrouped(side, size) for side in (first, second)]
    yield from zip(*sides, strict=True)


def _regrouped(features: Features, size: int) -> Iterator[Array]:
    kept: list[NDArray[np.float32]] = []
    held = 0
    for block in features.blocks():
        rest = block
        while held + len(rest) >= size:
            take = size - held
            yield np.concatenate([*kept, rest[:take]]).astype(np.float64)
            kept, held, rest = [], 0, rest[take:]
        if len(rest):
            kept, held = [*kept, rest], held + len(rest)
