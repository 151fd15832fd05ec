"""Intervals and separations: against scipy where it has the method, against enumeration where it is small."""

import itertools
import tracemalloc

import numpy as np
import pytest
import scipy.stats

from restorebench.bench.statistics import holm, interval, signed_rank, smallest_p, tiers


def skewed(n, seed=0):
    return np.random.default_rng(seed).gamma(2.0, 0.1, n)


class TestInterval:
    @pytest.mark.parametrize("n", [0, 1, 5, 7])
    def test_few_images_have_none(self, n):
        assert interval(skewed(n)) is None

    @pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
    def test_a_value_that_is_not_finite_allows_none(self, bad):
        values = skewed(30)
        values[3] = bad
        assert interval(values) is None

    def test_equal_values_have_a_point(self):
        assert interval(np.full(40, 0.25)) == (0.25, 0.25)

    @pytest.mark.parametrize("n", [8, 19])
    def test_from_eight_images_it_is_students(self, n):
        values = skewed(n)
        expected = scipy.stats.t.interval(0.95, n - 1, values.mean(), scipy.stats.sem(values))
        assert interval(values) == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("n", [20, 60, 700])
    def test_from_twenty_images_it_is_the_bca_bootstrap_at_the_level_of_students_quantile(self, n):
        values = skewed(n, seed=n)
        level = 1 - 2 * scipy.stats.norm.sf(scipy.stats.t.ppf(0.975, n - 1) * np.sqrt(n / (n - 1)))
        expected = scipy.stats.bootstrap(
            (values,), np.mean, n_resamples=40000, method="BCa", rng=np.random.default_rng(1), confidence_level=level
        ).confidence_interval
        width = expected.high - expected.low
        assert interval(values, "set", "mild") == pytest.approx(tuple(expected), abs=0.05 * width)

    @pytest.mark.parametrize("n", [5001, 8000])
    def test_above_five_thousand_images_a_formula_gives_what_many_resamples_tend_to(self, n):
        values = skewed(n, seed=n) ** 3  # skewness 9: the two sides differ
        means = np.concatenate([np.random.default_rng(i).choice(values, (100, n)).mean(1) for i in range(200)])
        below = scipy.stats.norm.ppf(np.mean(means < values.mean()))
        centred = values - values.mean()
        a = np.sum(centred**3) / (6 * np.sum(centred**2) ** 1.5)
        shift = below + np.array([-1, 1]) * scipy.stats.t.ppf(0.975, n - 1)
        expected = np.quantile(means, scipy.stats.norm.cdf(below + shift / (1 - a * shift)))
        low, high = interval(values, "set", "mild")
        assert (low, high) == pytest.approx(tuple(expected), abs=0.02 * (high - low))
        assert high - values.mean() > 1.01 * (values.mean() - low)

    def test_where_the_formula_takes_over_the_interval_does_not_jump(self):
        values = skewed(5001)
        (low, high), before = interval(values, "set"), interval(values[:-1], "set")
        assert before == pytest.approx((low, high), abs=0.05 * (high - low))

    def test_bca_differs_from_the_plain_percentiles_on_skewed_data(self):
        values = skewed(25, seed=3) ** 2
        low, high = interval(values)
        assert high - values.mean() > 1.1 * (values.mean() - low)

    def test_equal_keys_give_equal_intervals_and_others_differ(self):
        values = skewed(50)
        assert interval(values, "a") == interval(values, "a")
        assert interval(values, "a") != interval(values, "b")

    def test_memory_does_not_grow_with_the_number_of_images(self):
        values = skewed(5_000)
        tracemalloc.start()
        interval(values)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50e6  # 2000 resamples of 5,000 doubles at once would be 80 MB, and as much for the draws


class TestSignedRank:
    @pytest.mark.parametrize("n", [5, 9, 14, 30, 50])
    def test_small_samples_are_exact(self, n):
        differences = np.random.default_rng(n).normal(0.4, 1, n)
        assert signed_rank(differences) == pytest.approx(scipy.stats.wilcoxon(differences, method="exact").pvalue)

    def test_large_samples_use_the_normal_approximation(self):
        differences = np.random.default_rng(0).normal(0.1, 1, 300)
        expected = scipy.stats.wilcoxon(differences, method="asymptotic").pvalue
        assert signed_rank(differences) == pytest.approx(expected)

    def test_large_samples_are_corrected_for_ties(self):
        differences = np.random.default_rng(0).integers(-4, 6, 300).astype(float)
        expected = scipy.stats.wilcoxon(differences, method="asymptotic").pvalue
        assert signed_rank(differences) == pytest.approx(expected)

    def test_ties_are_enumerated_too(self):
        differences = np.array([1.0, 1.0, -1.0, 2.0, 2.0, 3.0, -3.0, 4.0])
        ranks = scipy.stats.rankdata(np.abs(differences))
        observed = ranks[differences > 0].sum()
        sums = [np.dot(signs, ranks) for signs in itertools.product([0, 1], repeat=len(ranks))]
        at_least = np.mean([s >= observed for s in sums])
        at_most = np.mean([s <= observed for s in sums])
        assert signed_rank(differences) == pytest.approx(min(1, 2 * min(at_least, at_most)))

    def test_no_difference_at_all_is_no_evidence(self):
        assert signed_rank(np.zeros(30)) == 1.0

    def test_infinite_differences_rank_last(self):
        assert signed_rank(np.array([1.0, 2, 3, 4, np.inf, np.inf])) == pytest.approx(2 / 2**6)

    @pytest.mark.parametrize("n", [1, 5, 6, 12])
    def test_nothing_goes_below_the_smallest_p(self, n):
        assert signed_rank(np.arange(1.0, n + 1)) == smallest_p(n)


def test_five_images_can_separate_nothing():
    assert smallest_p(5) == 0.0625
    scores = np.array([[1.0, 100.0]] * 5) + np.arange(5)[:, None]
    assert tiers(scores, higher_is_better=True) == [1, 1]


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


class TestTiers:
    def scores(self):
        images = np.random.default_rng(0).normal(0, 1, (30, 1))  # hard and easy images, the same for all
        noise = np.random.default_rng(1).normal(0, 0.1, (30, 3))
        return images + noise + np.array([0.3, 0.0, 0.0])

    def test_the_better_restorer_stands_alone_and_the_others_share(self):
        assert tiers(self.scores(), higher_is_better=True) == [1, 2, 2]

    def test_direction_turns_it_round(self):
        assert tiers(self.scores(), higher_is_better=False) == [3, 1, 1]

    def test_pairing_sees_what_the_spread_over_images_hides(self):
        scores = self.scores()
        assert scipy.stats.mannwhitneyu(scores[:, 0], scores[:, 1]).pvalue > 0.05
        assert signed_rank(scores[:, 0] - scores[:, 1]) < 1e-7

    def test_the_correction_counts_all_pairs(self):
        rng = np.random.default_rng(5)
        pair = np.stack([np.arange(7.0) + 0.01 * np.arange(1, 8), np.arange(7.0)], 1)  # p = 2/128 = 0.0156
        assert tiers(pair, higher_is_better=True) == [1, 2]
        crowd = np.concatenate([pair, np.arange(7.0)[:, None] + rng.normal(0, 5, (7, 3))], 1)  # ten pairs
        assert tiers(crowd, higher_is_better=True)[:2] == [1, 1]

    def test_perfect_results_tie(self):
        assert tiers(np.full((30, 2), np.inf), higher_is_better=True) == [1, 1]

    def test_one_restorer_or_none(self):
        assert tiers(np.ones((30, 1)), higher_is_better=True) == [1]
        assert tiers(np.ones((30, 0)), higher_is_better=True) == []
