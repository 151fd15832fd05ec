"""Shares, their exact intervals, and the ranking of Bradley and Terry with Davidson's ties."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import binomtest

from restorebench.bench.study.preferences import (
    FIRST,
    SECOND,
    TIE,
    Comparisons,
    Tally,
    exact_interval,
    fit,
    ranking,
    sign_test,
)

Floats = NDArray[np.float64]


def chances(strengths: Floats, tie: float, first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
    """Davidson's model, as the paper writes it."""
    a, b = np.exp(strengths[first]), np.exp(strengths[second])
    neither = tie * np.sqrt(a * b)
    return np.stack([a, neither, b], axis=-1) / (a + neither + b)[..., None]


def simulated(strengths: Floats, tie: float, n: int, seed: int, raters: int = 1, faces: int = 1) -> Comparisons:
    rng = np.random.default_rng(seed)
    k = len(strengths)
    first = rng.integers(0, k, n)
    second = (first + rng.integers(1, k, n)) % k
    outcome = (rng.random(n)[:, None] > chances(strengths, tie, first, second).cumsum(axis=1)).sum(axis=1)
    return Comparisons(first, second, outcome, rng.integers(0, raters, n), rng.integers(0, faces, n))


def of_two(wins: int, ties: int, losses: int) -> Comparisons:
    outcome = np.repeat([FIRST, TIE, SECOND], [wins, ties, losses])
    zeros = np.zeros(len(outcome), dtype=np.int64)
    return Comparisons(zeros, zeros + 1, outcome, zeros, zeros)


# -- shares -------------------------------------------------------------------------------------


def test_389_of_400_votes_as_in_the_user_study_of_dpe() -> None:
    low, high = exact_interval(389, 400)
    expected = binomtest(389, 400).proportion_ci(0.95, "exact")
    assert 389 / 400 == 0.9725
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert (round(low, 4), round(high, 4)) == (0.9513, 0.9862)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (7, 12), (150, 400)])
def test_intervals_and_tests_of_shares_equal_scipy(successes: int, n: int) -> None:
    expected = binomtest(successes, n)
    interval = expected.proportion_ci(0.95, "exact")
    assert exact_interval(successes, n) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert sign_test(successes, n) == pytest.approx(expected.pvalue, rel=1e-9)


def test_no_vote_speaks_for_nobody() -> None:
    assert sign_test(0, 0) == 1


def test_exact_intervals_hold_the_share_at_least_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    for share in (0.5, 0.8, 0.97):
        held = [
            low <= share <= high for low, high in (exact_interval(int(k), 60) for k in rng.binomial(60, share, 400))
        ]
        assert np.mean(held) >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / 400)


# -- ranking ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wins", "losses"), [(389, 11), (30, 10), (5, 5)])
def test_of_two_restorers_the_strengths_differ_by_the_log_odds(wins: int, losses: int) -> None:
    found = ranking(of_two(wins, 0, losses), 2)
    assert found is not None
    assert found.strengths[0] - found.strengths[1] == pytest.approx(np.log(wins / losses), abs=1e-9)
    half = 1.959963985 * np.sqrt(1 / wins + 1 / losses)  # of log odds; the strengths are half of it each
    assert found.high[0] - found.strengths[0] == pytest.approx(half / 2, rel=1e-6)
    assert found.tie == 0


def test_of_two_restorers_with_ties_the_solution_is_closed_too() -> None:
    found = ranking(of_two(30, 20, 10), 2)
    assert found is not None
    assert found.strengths[0] - found.strengths[1] == pytest.approx(np.log(30 / 10), abs=1e-9)
    assert found.tie == pytest.approx(20 / np.sqrt(30 * 10), abs=1e-9)


@pytest.mark.parametrize("tie", [0.0, 0.4, 2.0])
def test_the_maximum_is_the_one_a_general_optimiser_finds(tie: float) -> None:
    truth = np.array([0.8, 0.3, 0.0, -0.4, -0.7])
    answers = simulated(truth, tie, 500, seed=3)

    def loss(x: Floats) -> float:
        probability = chances(x[:5] - x[:5].mean(), np.exp(x[5]) if tie else 0.0, answers.first, answers.second)
        return float(-np.log(probability[np.arange(500), answers.outcome]).sum())

    expected = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-8}).x
    found = ranking(answers, 5)
    assert found is not None
    assert found.strengths == pytest.approx(expected[:5] - expected[:5].mean(), abs=1e-5)
    if tie:
        assert found.tie == pytest.approx(np.exp(expected[5]), rel=1e-4)


def test_intervals_from_the_information_are_those_of_the_curvature() -> None:
    answers = simulated(np.array([0.5, 0.0, -0.5]), 0.5, 300, seed=1)  # one rater, one face: no bootstrap
    found = ranking(answers, 3)
    assert found is not None

    def loss(free: Floats) -> float:  # two strengths, the third is minus their sum; and the tie parameter
        strengths = np.array([free[0], free[1], -free[0] - free[1]])
        probability = chances(strengths, np.exp(free[2]), answers.first, answers.second)
        return float(-np.log(probability[np.arange(300), answers.outcome]).sum())

    best, step = np.array([*found.strengths[:2], np.log(found.tie)]), 1e-4
    curvature = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            one, other = np.eye(3)[i] * step, np.eye(3)[j] * step
            corners = loss(best + one + other) - loss(best + one - other) - loss(best - one + other)
            curvature[i, j] = (corners + loss(best - one - other)) / (4 * step**2)
    error = np.sqrt(np.diag(np.linalg.inv(curvature)))
    assert (found.high - found.low)[:2] / 2 == pytest.approx(1.959963985 * error[:2], rel=1e-3)
    assert "independent" in found.method


def test_who_never_lost_gets_a_finite_strength_and_the_ranking_says_how() -> None:
    found = ranking(of_two(20, 0, 0), 2)
    assert found is not None
    assert found.strengths[0] - found.strengths[1] == pytest.approx(np.log(20.5 / 0.5), abs=1e-9)
    assert found.low[0] < found.strengths[0] < found.high[0]
    assert "half a vote" in found.note


def test_nothing_but_ties_puts_nobody_first() -> None:
    found = ranking(of_two(0, 9, 0), 2)
    assert found is not None
    assert found.strengths == pytest.approx([0, 0], abs=1e-9)
    assert list(found.ranks) == [1, 1]


def test_restorers_that_never_met_are_not_ranked() -> None:
    first, second = np.array([0, 0, 2, 2]), np.array([1, 1, 3, 3])
    zeros = np.zeros(4, dtype=np.int64)
    assert ranking(Comparisons(first, second, np.array([FIRST, SECOND, FIRST, SECOND]), zeros, zeros), 4) is None


def test_restorers_that_met_by_way_of_others_are_ranked() -> None:
    first, second = np.repeat([0, 1], 30), np.repeat([1, 2], 30)
    outcome = np.tile([FIRST, FIRST, SECOND], 20)
    found = ranking(Comparisons(first, second, outcome, np.zeros(60, np.int64), np.zeros(60, np.int64)), 3)
    assert found is not None
    assert found.strengths == pytest.approx([np.log(2), 0, -np.log(2)], abs=1e-9)
    assert list(found.ranks) == [1, 2, 3]


def test_one_fit_of_many_equals_many_fits() -> None:
    tables = [simulated(np.array([0.5, 0.0, -0.5]), 0.3, 200, seed=s) for s in range(4)]
    wins, ties = np.zeros((4, 3, 3)), np.zeros((4, 3, 3))
    for s, answers in enumerate(tables):
        for a, b, outcome in zip(answers.first, answers.second, answers.outcome, strict=True):
            wins[s, a, b] += outcome == FIRST
            wins[s, b, a] += outcome == SECOND
            ties[s, a, b] += outcome == TIE
            ties[s, b, a] += outcome == TIE
    met = ~np.eye(3, dtype=bool)
    together = fit(Tally(wins, ties), met).strengths
    for s, answers in enumerate(tables):
        alone = ranking(answers, 3)
        assert alone is not None
        assert together[s] == pytest.approx(alone.strengths, abs=1e-9)


def test_intervals_widen_where_people_or_faces_differ() -> None:
    """Raters with tastes of their own: resampling them tells more doubt than counting answers does."""
    rng = np.random.default_rng(5)
    rater, face = np.repeat(np.arange(12), 40), np.tile(np.arange(40), 12)
    taste = rng.normal(0, 2, 12)[rater]
    outcome = np.where(rng.random(480) < 1 / (1 + np.exp(-taste)), FIRST, SECOND)
    answers = Comparisons(np.zeros(480, np.int64), np.ones(480, np.int64), outcome, rater, face)
    resampled, counted = ranking(answers, 2), ranking(answers._replace(rater=rater * 0, face=face * 0), 2)
    assert resampled is not None
    assert counted is not None
    assert resampled.method == "bootstrap over 40 faces and 12 raters"
    assert resampled.high[0] - resampled.low[0] > 2 * (counted.high[0] - counted.low[0])


def test_intervals_of_strengths_hold_the_truth() -> None:
    """100 simulated studies of 12 raters and 40 faces, no taste of their own; 95 % minus two standard errors."""
    truth = np.array([0.6, 0.1, -0.7])
    held = []
    for seed in range(100):
        found = ranking(simulated(truth, 0.4, 480, seed=1000 + seed, raters=12, faces=40), 3)
        assert found is not None
        held.append((found.low <= truth) & (truth <= found.high))
    assert np.mean(held) >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / 100)
