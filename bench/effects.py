"""How far apart two restorers are, in numbers that do not grow with the images, and how many images it takes to see.

Differences are paired: one per image, first restorer minus second, `NaN` (both infinite) counting as zero.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .statistics import ALPHA, signed_rank, smallest_p

POWER = 0.8
"""Chance of separating two restorers that `images_needed` aims at."""

_MOST = 10_000_000  # more images than any test set has: as good as never


class Effect(NamedTuple):
    """How far apart two restorers are.

    Attributes:
        mean: mean difference, in the metric's unit; infinite where one of them is perfect somewhere.
        rank_biserial: share of the signed ranks in favour of the first minus that of the second, -1 to 1.
        dz: mean difference over the standard deviation of the differences (Cohen's d_z); None where that is zero or
            not finite.
        p: of the signed-rank test, before any correction.
        images_needed: images with which the test would find a difference of this kind in 80 % of cases or more, before any
            correction; None where these images show none.
    """

    mean: float
    rank_biserial: float
    dz: float | None
    p: float
    images_needed: int | None


def effect(differences: NDArray[np.float64]) -> Effect:
    """Describe paired differences `(n,)`, at least one."""
    known = np.where(np.isnan(differences), 0.0, differences)
    with np.errstate(invalid="ignore"):  # inf - inf: no mean
        mean = float(known.mean())
    return Effect(mean, rank_biserial(known), cohens_dz(known), signed_rank(known), images_needed(known))


def rank_biserial(differences: NDArray[np.float64]) -> float:
    """Return the matched-pairs rank-biserial correlation; zeros are left out, and without any difference it is 0.

    Source:
        Kerby, The simple difference formula, Comprehensive Psychology 3 (2014).
    """
    from scipy.stats import rankdata

    kept = differences[(differences != 0) & ~np.isnan(differences)]
    if not len(kept):
        return 0.0
    ranks = rankdata(np.abs(kept))
    return float(np.sum(np.sign(kept) * ranks) / np.sum(ranks))


def cohens_dz(differences: NDArray[np.float64]) -> float | None:
    """Return mean over standard deviation of paired differences; None where that is not a number.

    Source:
        Cohen, Statistical power analysis for the behavioral sciences (1988), sect. 2.3.5.
    """
    if len(differences) < 2 or not np.isfinite(differences).all():
        return None
    spread = float(np.std(differences, ddof=1))
    return float(np.mean(differences)) / spread if spread > 0 else None


def images_needed(differences: NDArray[np.float64], alpha: float = ALPHA) -> int | None:
    """Return how many images of this kind the signed-rank test needs to separate two restorers in 80 % of cases.

    `(z(1 - alpha / 2) + z(0.8))^2 / (3 (P - 1/2)^2)` with `P` the chance that two images together favour the first
    restorer, taken from the images at hand; never fewer than those with which the test can say anything (6 at 5 %).
    On the safe side where differences are large, and rough: `P` is an estimate too, and differences that these images do not show cannot be planned for.

    Args:
        differences: `(n,)`.
        alpha: level of the test; divide it by the number of pairs for a table under Holm's correction.

    Source:
        Noether, Sample size determination for some common nonparametric tests, JASA 82 (1987), eq. 3.
    """
    from scipy.special import ndtri

    favour = _pairs_in_favour(differences)
    if favour is None or favour == 0.5:
        return None
    needed = float(ndtri(1 - alpha / 2) + ndtri(POWER)) ** 2 / (3 * (favour - 0.5) ** 2)
    return max(math.ceil(needed), fewest(alpha)) if needed < _MOST else None


def fewest(alpha: float = ALPHA) -> int:
    """Return the smallest number of images with which any difference can be significant: 6 at 5 %."""
    n = 1
    while smallest_p(n) > alpha:
        n += 1
    return n


def _pairs_in_favour(differences: NDArray[np.float64]) -> float | None:
    """Share of pairs of different images whose differences have a positive sum; zero sums count half."""
    n = len(differences)
    if n < 2:
        return None
    ordered, further = np.sort(differences), np.arange(1, n + 1)
    # the partners of each difference further on in the order: those that equal its negative, and those above it
    equal = np.maximum(np.searchsorted(ordered, -ordered, side="left"), further)
    above = np.maximum(np.searchsorted(ordered, -ordered, side="right"), further)
    pairs = n * (n - 1) // 2
    return float(np.sum(n - above) / pairs + np.sum(above - equal) / pairs / 2)
