"""Intervals and separations on simulated data sets, whose truth is known."""

from pathlib import Path

import numpy as np
import pytest
import simulations

from restorebench.bench.metrics.kernel_distance import all_pairs

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"


@pytest.mark.parametrize(
    ("distribution", "n"),
    [
        (simulations.NORMAL, 20),
        (simulations.NORMAL, 100),
        (simulations.NORMAL, 300),
        (simulations.LOGNORMAL, 100),
        (simulations.LOGNORMAL, 300),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_an_interval_holds_the_truth_as_often_as_it_says(distribution, n):
    covered = simulations.coverage(distribution, n)
    assert 0.93 <= covered <= 0.97
    (line,) = (line for line in PAGE.read_text().splitlines() if line.startswith(f"| {distribution.name} |"))
    told = line.strip("|").split("|")[1 + simulations.SIZES.index(n)]
    assert float(told) == pytest.approx(100 * covered, abs=0.11)  # the page has what is measured


@pytest.mark.parametrize(("restorers", "n"), [(5, 20), (5, 60)])
def test_equal_restorers_are_separated_in_five_percent_of_tables_at_most(restorers, n):
    tables = 1000
    two_errors = 2 * np.sqrt(0.05 * 0.95 / tables)
    assert simulations.family_error(restorers, n, tables) <= 0.05 + two_errors


def test_kids_interval_holds_a_distance_that_is_known():
    """Rows are drawn from two finite sets, whose distance is a sum over all their pairs."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, (40, 16)), rng.normal(0.25, 1.1, (40, 16))

    def kernel(a, b):
        return ((a @ b.T / 16 + 1) ** 3).mean()

    truth = kernel(first, first) + kernel(second, second) - 2 * kernel(first, second)
    made = [all_pairs(first[rng.integers(0, 40, 60)], second[rng.integers(0, 40, 60)]) for _ in range(500)]
    values = np.array([one.value for one in made])
    covered = np.mean([one.low <= truth <= one.high for one in made])
    assert abs(values.mean() - truth) < 3 * values.std() / np.sqrt(len(values))  # unbiased
    assert 0.93 <= covered <= 0.98
