"""What preferences between pairs say: shares with exact intervals, and one ranking with intervals.

Restorers `0..k-1`.  `wins[i, j]` counts how often `i` was preferred to `j`, `ties[i, j] = ties[j, i]` how often
neither was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..seeds import numpy_generator
from ..statistics import ALPHA, MIN_INTERVAL, Interval

Counts = NDArray[np.float64]

FIRST, TIE, SECOND = 0, 1, 2
"""Outcomes of one comparison."""

_RESAMPLES = 2000
_CHUNK = 100  # resamples at a time
_HALF_VOTE = 0.5
_NO_TIES = -60.0  # logarithm of a tie parameter that makes a tie as good as impossible
_LONGEST_STEP = 1.0
_STEPS = 200


def exact_interval(successes: int, n: int) -> Interval:
    """Return the 95 % interval of a share of `n` votes; `n` of at least 1.

    Exact for votes that are independent of one another.

    Source:
        Clopper & Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika
        26 (1934).
    """
    from scipy.special import betaincinv

    low = float(betaincinv(successes, n - successes + 1, ALPHA / 2)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - ALPHA / 2)) if successes < n else 1.0
    return Interval(low, high)


def sign_test(successes: int, n: int) -> float:
    """Return the exact two-sided p that each of `n` votes was as likely to go one way as the other."""
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(successes, n - successes), n, 0.5))) if n else 1.0


class Comparisons(NamedTuple):
    """Answers as arrays, one entry an answer.

    Attributes:
        first, second: numbers of the two restorers.
        outcome: `FIRST`, `TIE` or `SECOND`.
        rater, face: numbers of whom and what the answer belongs to.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    outcome: NDArray[np.int64]
    rater: NDArray[np.int64]
    face: NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """Strengths of `k` restorers by the model of Bradley and Terry with Davidson's ties.

    `i` is preferred to `j` with a chance in proportion to `exp(strength[i])`, and neither in proportion to
    `tie * exp((strength[i] + strength[j]) / 2)`.

    Attributes:
        strengths: logarithms, summing to zero.
        low, high: 95 % intervals of the strengths; NaN where none is given.
        tie: Davidson's parameter; 0 where nobody ever tied.
        ranks: 1 + number of stronger restorers.
        best, worst: 95 % interval of each rank; 0 where none is given.
        method: what the intervals rest on, or why there are none.
        note: what was done to estimate at all, or empty.
    """

    strengths: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    tie: float
    ranks: NDArray[np.int64]
    best: NDArray[np.int64]
    worst: NDArray[np.int64]
    method: str
    note: str


def ranking(answers: Comparisons, k: int) -> Ranking | None:
    """Rank `k` restorers; None where some were never compared, not even by way of others.

    Estimates are those of maximum likelihood.  Where some restorers never lost to any of the others, a strength may be
    infinite; half a vote is then added to either side of every pair that met.

    Intervals come from resampling faces and raters with replacement, independently of each other and each only if
    there are 8 or more: answers on one face, and answers of one person, resemble each other.  With fewer of both
    they come from the observed information, as if all answers were independent; and so where half a vote
    was added, because resamples of unanimous answers are all alike.

    Source:
        Bradley & Terry, Rank analysis of incomplete block designs, Biometrika 39 (1952); Davidson, On extending the
        Bradley-Terry model to accommodate ties, JASA 65 (1970); Owen, The pigeonhole bootstrap, Ann. Appl. Stat. 1
        (2007).
    """
    from scipy.special import ndtri

    counts = _counts(answers, k, np.ones((1, len(answers.outcome))))
    met = (counts.wins + counts.wins.swapaxes(1, 2) + counts.ties)[0] > 0
    if not _all_reached(met[None])[0]:
        return None
    fitted = fit(counts, met)
    strengths = fitted.strengths[0]
    order = np.argsort(-strengths, kind="stable")
    ranks = np.empty(k, dtype=np.int64)
    ranks[order] = np.arange(1, k + 1)
    for i in range(k):  # equal strengths share the better rank
        ranks[i] = 1 + np.count_nonzero(strengths > strengths[i] + 1e-9)
    sides = [(name, np.unique(of).size) for name, of in (("faces", answers.face), ("raters", answers.rater))]
    resampled = [name for name, levels in sides if levels >= MIN_INTERVAL]
    if resampled and fitted.exists[0]:
        low, high, best, worst = _bootstrap(answers, k, met, resampled)
        method = f"bootstrap over {' and '.join(f'{n} {name}' for name, n in sides if name in resampled)}"
        method += "".join(f", for these {n} {name} only" for name, n in sides if name not in resampled and n > 1)
    else:
        half = float(ndtri(1 - ALPHA / 2)) * np.sqrt(np.diag(fitted.covariance[0]))
        low, high = strengths - half, strengths + half
        best = worst = np.zeros(k, dtype=np.int64)
        why = f"fewer than {MIN_INTERVAL} faces and raters" if not resampled else "they bound not every strength"
        method = f"answers taken as independent: {why}"
    note = (
        ""
        if fitted.exists[0]
        else "answers alone bound not every strength: half a vote was added to either side of every pair"
    )
    return Ranking(strengths, low, high, float(fitted.ties[0]), ranks, best, worst, method, note)


class Tally(NamedTuple):
    """Counts `(B, k, k)` of `B` sets of answers."""

    wins: Counts
    ties: Counts


def _counts(answers: Comparisons, k: int, weights: NDArray[np.float64]) -> Tally:
    """Count answers with weights `(B, n)`."""
    found = Tally(np.zeros((len(weights), k, k)), np.zeros((len(weights), k, k)))
    for outcome, table, a, b in (
        (FIRST, found.wins, answers.first, answers.second),
        (SECOND, found.wins, answers.second, answers.first),
        (TIE, found.ties, answers.first, answers.second),
        (TIE, found.ties, answers.second, answers.first),
    ):
        cells = (a * k + b)[answers.outcome == outcome]
        kinds, column = np.unique(cells, return_inverse=True)
        summed = weights[:, answers.outcome == outcome] @ np.eye(len(kinds))[column]
        table.reshape(len(weights), k * k)[:, kinds] += summed
    return found


class Fit(NamedTuple):
    """Estimates of `B` sets of answers.

    Attributes:
        strengths: `(B, k)`, each row summing to zero.
        ties: `(B,)` Davidson's parameter.
        exists: `(B,)` whether the estimate is that of maximum likelihood.
        covariance: `(B, k, k)` of the strengths, from the observed information.
    """

    strengths: NDArray[np.float64]
    ties: NDArray[np.float64]
    exists: NDArray[np.bool_]
    covariance: NDArray[np.float64]


def fit(counts: Tally, met: NDArray[np.bool_]) -> Fit:
    """Estimate strengths; `met` `(k, k)` says which pairs get half a vote where no maximum exists.

    The likelihood is that of an exponential family, hence concave; Newton's steps of at most 1 find its maximum.
    """
    wins, ties = counts
    exists = _all_reached(wins > 0)
    wins = np.where(exists[:, None, None], wins, wins + _HALF_VOTE * met)
    k = wins.shape[1]
    upper = [(i, j) for i in range(k) for j in range(i + 1, k) if met[i, j]]
    first, second = np.array([i for i, _ in upper]), np.array([j for _, j in upper])
    observed = np.stack([wins[:, first, second], ties[:, first, second], wins[:, second, first]], axis=2)
    n = observed.sum(axis=2)
    # what each outcome of each pair adds to the logarithm of its chance: strengths, then the tie parameter
    terms = np.zeros((len(upper), 3, k + 1))
    rows = np.arange(len(upper))
    terms[rows, FIRST, first] = terms[rows, SECOND, second] = 1
    terms[rows, TIE, first] = terms[rows, TIE, second] = 0.5
    terms[rows, TIE, k] = 1
    tied = observed[:, :, TIE].sum(axis=1) > 0
    value = np.zeros((len(wins), k + 1))
    value[:, k] = np.where(tied, 0.0, _NO_TIES)
    fixed = np.zeros((k + 1, k + 1))
    fixed[:k, :k] = 1  # strengths are known up to a constant: hold their sum
    for _ in range(_STEPS):
        gradient, information = _derivatives(value, terms, observed, n)
        gradient[~tied, k] = 0
        information[~tied, k, k] += 1
        step = np.linalg.solve(information + fixed, gradient[..., None])[..., 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        value += step * np.minimum(1, _LONGEST_STEP / np.maximum(longest, 1e-300))
        if longest.max() < 1e-10:
            break
    _, information = _derivatives(value, terms, observed, n)
    information[~tied, k, k] += 1
    covariance = np.linalg.inv(information + fixed)[:, :k, :k] - 1 / k**2
    strengths = value[:, :k] - value[:, :k].mean(axis=1, keepdims=True)
    return Fit(strengths, np.where(tied, np.exp(value[:, k]), 0.0), exists, covariance)


def _derivatives(
    value: NDArray[np.float64], terms: NDArray[np.float64], observed: NDArray[np.float64], n: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gradient `(B, k + 1)` and information `(B, k + 1, k + 1)` of the log-likelihood."""
    logits = np.einsum("bv,pov->bpo", value, terms)
    chances = np.exp(logits - logits.max(axis=2, keepdims=True))
    chances /= chances.sum(axis=2, keepdims=True)
    expected = n[:, :, None] * chances
    gradient = np.einsum("bpo,pov->bv", observed - expected, terms)
    mean = np.einsum("bpo,pov->bpv", chances, terms)
    information = np.einsum("bpo,pov,pow->bvw", expected, terms, terms, optimize=True)
    information -= np.einsum("bp,bpv,bpw->bvw", n, mean, mean, optimize=True)
    return gradient, information


def _all_reached(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `(B,)`: whether every restorer can be reached from every other along `edges` `(B, k, k)`."""
    k = edges.shape[1]
    reached = edges | np.eye(k, dtype=bool)
    for _ in range(max(1, k.bit_length())):
        reached = (reached.astype(np.float32) @ reached.astype(np.float32)) > 0
    return np.asarray(reached.all(axis=(1, 2)))


def _bootstrap(
    answers: Comparisons, k: int, met: NDArray[np.bool_], resampled: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return ends of the intervals of strengths and of ranks."""
    generator = numpy_generator(0, "preferences", *resampled)
    levels = {"faces": answers.face, "raters": answers.rater}
    found = []
    for start in range(0, _RESAMPLES, _CHUNK):
        rows = min(_CHUNK, _RESAMPLES - start)
        weights = np.ones((rows, len(answers.outcome)))
        for name in resampled:
            kinds, place = np.unique(levels[name], return_inverse=True)
            drawn = generator.multinomial(len(kinds), np.full(len(kinds), 1 / len(kinds)), size=rows)
            weights *= drawn[:, place]
        found.append(fit(_counts(answers, k, weights), met).strengths)
    strengths = np.concatenate(found)
    ranks = 1 + (strengths[:, None, :] > strengths[:, :, None] + 1e-9).sum(axis=2)
    low, high = np.quantile(strengths, [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    best, worst = np.quantile(ranks, [ALPHA / 2, 1 - ALPHA / 2], axis=0, method="nearest").astype(np.int64)
    return low, high, best, worst
