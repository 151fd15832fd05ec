"""What a parameter may be drawn from."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from restorebench.bench.errors import ConfigError
from restorebench.datasets.ranges import bounds, pick, sample, sample_whole, whole_bounds

numbers = st.floats(-1e6, 1e6, allow_nan=False)
pairs = st.tuples(numbers, numbers).map(sorted)
spans = st.recursive(
    numbers | pairs,
    lambda inner: st.lists(inner, min_size=1, max_size=4).map(lambda parts: {"one_of": parts}),
    max_leaves=6,
)


@given(span=spans, seed=st.integers(0, 2**32))
def test_every_draw_lies_in_the_bounds_and_costs_one_random_number(span: Any, seed: int) -> None:
    generator, other = np.random.default_rng(seed), np.random.default_rng(seed)
    low, high = bounds("x", span)
    assert low <= sample(generator, span) <= high
    other.random()
    assert generator.random() == other.random()


@given(low=st.integers(-50, 50), size=st.integers(0, 50), seed=st.integers(0, 2**32))
def test_whole_draws_are_whole_and_lie_in_the_bounds(low: int, size: int, seed: int) -> None:
    drawn = sample_whole(np.random.default_rng(seed), [low, low + size])
    assert type(drawn) is int
    assert low <= drawn <= low + size


def test_a_step_reaches_both_ends_and_all_between_alike() -> None:
    generator = np.random.default_rng(0)
    drawn = Counter(sample(generator, {"low": 0.3, "high": 2, "step": 0.1}) for _ in range(9000))
    assert sorted(drawn) == [round(0.1 * i, 1) for i in range(3, 21)]
    assert stats.chisquare(list(drawn.values())).pvalue > 1e-3


def test_one_of_follows_its_weights_and_draws_inside_its_parts() -> None:
    """Real-ESRGAN's scale: up with 0.2, down with 0.7, kept with 0.1."""
    generator = np.random.default_rng(1)
    span = {"one_of": [[1, 1.5], [0.15, 1], 1], "weights": [0.2, 0.7, 0.1]}
    drawn = np.array([sample(generator, span) for _ in range(5000)])
    up, down = drawn[drawn > 1], drawn[drawn < 1]
    for count, weight in ((len(up), 0.2), (len(down), 0.7), ((drawn == 1).sum(), 0.1)):
        assert stats.binomtest(int(count), 5000, weight).pvalue > 1e-3
    assert stats.kstest(up, stats.uniform(1, 0.5).cdf).pvalue > 1e-3
    assert stats.kstest(down, stats.uniform(0.15, 0.85).cdf).pvalue > 1e-3


def test_whole_numbers_are_drawn_from_parts_too() -> None:
    generator = np.random.default_rng(2)
    drawn = {sample_whole(generator, {"one_of": [39, [41, 42]]}) for _ in range(200)}
    assert drawn == {39, 41, 42}


def test_pick_follows_its_weights() -> None:
    generator = np.random.default_rng(3)
    drawn = Counter(pick(generator, 2, [0.65, 0.35]) for _ in range(4000))
    assert stats.binomtest(drawn[0], 4000, 0.65).pvalue > 1e-3
    assert {pick(generator, 3) for _ in range(100)} == {0, 1, 2}


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ([3, 1], "ascending"),
        ("loud", "'loud'"),
        ({"low": 1, "high": 2}, "low, high, step"),
        ({"low": 1, "high": 2, "step": 0}, "step must be above 0"),
        ({"low": 2, "high": 1, "step": 1}, "ascending"),
        ({"one_of": []}, "one_of, weights"),
        ({"one_of": [1, 2], "weights": [1]}, "2 numbers above 0"),
        ({"one_of": [1, 2], "weights": [1, -1]}, "2 numbers above 0"),
        ({"one_of": [1, [2, 1]]}, "ascending"),
        ({"one_of": [1], "wieghts": [1]}, "one_of, weights"),
    ],
)
def test_forms_without_meaning_are_refused(span: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        bounds("x", span)


@pytest.mark.parametrize("span", [[1, 2.5], {"one_of": [1, 2.5]}, {"low": 1, "high": 2, "step": 0.5}])
def test_parts_that_are_not_whole_are_refused_where_whole_numbers_are_needed(span: Any) -> None:
    with pytest.raises(ConfigError, match="whole numbers"):
        whole_bounds("x", span)
