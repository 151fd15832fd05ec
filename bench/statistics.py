"""What the numbers can bear: intervals of means over images, and which restorers can be told apart.

Images are the unit: several restorer seeds are averaged within an image before anything here is called.
Test images are taken for a sample of all images of their kind, so every statement is about the mean over
such images, not about these alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .seeds import numpy_generator

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
MIN_INTERVAL = 8
"""Below this many images no interval is given: it would say more about the formula than the data."""
MIN_BOOTSTRAP = 20
"""From this many images the bootstrap is used; below, it is known to be too short."""
MAX_BOOTSTRAP = 5000
"""Above this many images the bootstrap's formula takes its place: closer than 2000 resamples come, in no time."""
MIN_RANKING = 20
"""Below this many images a table says that no ranking follows from it."""

_RESAMPLES = 2000
_CHUNK = 1 << 20  # images drawn at a time; other values would draw others
_BLOCK = 1 << 16  # weights in memory at a time: 512 KiB, which a processor's cache holds
_EXACT = 50  # largest number of differences whose distribution is enumerated; scipy changes over there too


class Interval(NamedTuple):
    """A two-sided 95 % interval of a mean."""

    low: float
    high: float


def interval(values: NDArray[np.float64], *key: str) -> Interval | None:
    """Return the 95 % interval of the mean, or None where the data allow none.

    Fewer than 8 values, or a value that is not finite: None.  8 to 19: Student's t.  From 20: the
    bias-corrected and accelerated bootstrap, 2000 resamples, with its normal quantile replaced by
    `sqrt(n / (n - 1))` times Student's: resamples spread too little by just that, and without it the interval
    of 20 normal values holds the mean in 92 % of cases only.  Measured: docs/statistics.md.  Above 5000: what that
    bootstrap tends to with more resamples (ABC).

    Args:
        values: `(n,)`, one per image, in order of image id.
        key: what the resamples are keyed by; equal keys and lengths draw the same images, so pass what
            restorers that are compared have in common (data set and split).

    Source:
        Efron, Better bootstrap confidence intervals, JASA 82 (1987), eqs. 2.3 and 6.6; Hesterberg, What teachers
        should know about the bootstrap, The American Statistician 69 (2015), sect. 3.2 (expanded quantiles);
        DiCiccio and Efron, More accurate confidence intervals in exponential families, Biometrika 79 (1992) (ABC).
    """
    n = len(values)
    if n < MIN_INTERVAL or not np.isfinite(values).all():
        return None
    mean = float(np.mean(values))
    if np.ptp(values) == 0:
        return Interval(mean, mean)
    if n < MIN_BOOTSTRAP:
        return _student(values, mean)
    return _bca(values, mean, key) if n <= MAX_BOOTSTRAP else _abc(values, mean)


def _student(values: NDArray[np.float64], mean: float) -> Interval:
    from scipy.special import stdtrit

    n = len(values)
    half = float(stdtrit(n - 1, 1 - ALPHA / 2)) * float(np.std(values, ddof=1)) / n**0.5
    return Interval(mean - half, mean + half)


def _bca(values: NDArray[np.float64], mean: float, key: tuple[str, ...]) -> Interval:
    from scipy.special import ndtr, ndtri, stdtrit

    n = len(values)
    means = _resampled_means(values, key)
    below = (np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)) / (2 * _RESAMPLES)
    bias = float(ndtri(np.clip(below, 0.5 / _RESAMPLES, 1 - 0.5 / _RESAMPLES)))
    acceleration = _acceleration(values - mean)
    quantile = (n / (n - 1)) ** 0.5 * float(stdtrit(n - 1, 1 - ALPHA / 2))
    shift = bias + np.array([-quantile, quantile])
    low, high = np.quantile(means, ndtr(bias + shift / (1 - acceleration * shift)))
    return Interval(float(low), float(high))


def _abc(values: NDArray[np.float64], mean: float) -> Interval:
    """The same interval without resamples: `mean + e w / (1 - a w)^2`, where `w = a + z`; for a mean the bias is `a`."""
    from scipy.special import stdtrit

    n = len(values)
    quantile = (n / (n - 1)) ** 0.5 * float(stdtrit(n - 1, 1 - ALPHA / 2))
    acceleration = _acceleration(values - mean)
    shift = acceleration + np.array([-quantile, quantile])
    low, high = mean + float(np.std(values)) / n**0.5 * shift / (1 - acceleration * shift) ** 2
    return Interval(float(low), float(high))


def _acceleration(influence: NDArray[np.float64]) -> float:
    """Return a sixth of the skewness of the mean, from each image's influence on it (its distance from the mean)."""
    return float(np.sum(influence**3) / (6 * np.sum(influence**2) ** 1.5))


def _resampled_means(values: NDArray[np.float64], key: tuple[str, ...]) -> NDArray[np.float64]:
    """Weigh the values by how often each was drawn; NumPy's own loop, so that threads of a BLAS move no bit."""
    n = len(values)
    counts, rows = _times_drawn(n, key), max(1, _BLOCK // n)
    starts = range(0, _RESAMPLES, rows)
    sums = [np.einsum("bn,n->b", counts[start : start + rows].astype(np.float64), values) for start in starts]
    return np.concatenate(sums) / n


@lru_cache(maxsize=8)
def _times_drawn(n: int, key: tuple[str, ...]) -> NDArray[np.uint8]:
    """Count how often each of `n` images is in each resample, `(resamples, n)`; kept for the next metric and restorer.

    10 MiB at most; no image is ever drawn 255 times among 5000 or fewer.
    """
    generator = numpy_generator(0, "bootstrap", *key)
    rows = max(1, _CHUNK // n)
    counts = np.empty((_RESAMPLES, n), dtype=np.uint8)
    for start in range(0, _RESAMPLES, rows):
        block = counts[start : start + rows]
        drawn = generator.integers(0, n, block.shape, dtype=np.int32)
        drawn += n * np.arange(len(block), dtype=np.int32)[:, None]
        block[:] = np.bincount(drawn.ravel(), minlength=block.size).reshape(block.shape)
    return counts


def smallest_p(n: int) -> float:
    """Return the smallest two-sided p that `n` paired images can give: every image favours one side.

    With five images it is 0.0625, so that nothing can be separated whatever the scores.
    """
    return min(1.0, 2.0 ** (1 - n))


def signed_rank(differences: NDArray[np.float64]) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test that paired differences centre on zero.

    Zeros are left out (Wilcoxon's own rule).  Up to 50 differences the null distribution is enumerated,
    ties included; beyond, the normal approximation.  Infinite differences
    rank last.

    Args:
        differences: `(n,)`, one per image; NaN (both infinite) counts as zero.

    Source:
        Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1 (1945).
    """
    from scipy.special import ndtr
    from scipy.stats import rankdata

    kept = differences[(differences != 0) & ~np.isnan(differences)]
    if not len(kept):
        return 1.0
    ranks = np.asarray(rankdata(np.abs(kept)), dtype=np.float64)
    if len(kept) > _EXACT:
        z = float(np.sum(np.sign(kept) * ranks)) / float(np.sum(ranks**2)) ** 0.5  # ties are in the midranks
        return 2 * float(ndtr(-abs(z)))
    doubled = np.rint(2 * ranks).astype(np.int64)  # midranks are halves
    counts = np.zeros(int(doubled.sum()) + 1)
    counts[0] = 1
    for rank in doubled:  # counts[s]: sign patterns whose positive ranks sum to s; exact below 2**53
        counts[rank:] = counts[rank:] + counts[: len(counts) - rank]
    positive = int(doubled[kept > 0].sum())
    tail = counts[: min(positive, len(counts) - 1 - positive) + 1].sum()
    return min(1.0, float(2 * tail / 2.0 ** len(kept)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number, in the same order.

    Source:
        Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979).
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def tiers(scores: NDArray[np.float64], *, higher_is_better: bool) -> list[int]:
    """Return for each restorer 1 + the number of restorers that are significantly better.

    Two restorers of one tier are *not separable* by these images.  Better means: the signed-rank test of
    the paired scores, Holm-corrected over all pairs of the table, gives p < 0.05, and the larger sum of
    ranks is on that side.

    Args:
        scores: `(n images, k restorers)`, every column on the same images.
        higher_is_better: direction of the metric.
    """
    restorers = scores.shape[1]
    pairs = [(a, b) for a in range(restorers) for b in range(a + 1, restorers)]
    differences = [_difference(scores[:, a], scores[:, b]) for a, b in pairs]
    adjusted = holm([signed_rank(d) for d in differences])
    result = [1] * restorers
    for (a, b), difference, p in zip(pairs, differences, adjusted, strict=True):
        if p < ALPHA:
            a_is_higher = _rank_balance(difference) > 0
            result[b if a_is_higher == higher_is_better else a] += 1
    return result


def _difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # inf - inf: two perfect results, no difference
        return np.nan_to_num(a - b, nan=0.0, posinf=np.inf, neginf=-np.inf)


def _rank_balance(difference: NDArray[np.float64]) -> float:
    from scipy.stats import rankdata

    kept = difference[difference != 0]
    return float(np.sum(np.sign(kept) * rankdata(np.abs(kept))))
