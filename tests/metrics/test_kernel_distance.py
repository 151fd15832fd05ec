"""KID against torch-fidelity, and its interval against repeated draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from restorebench.bench.metrics.kernel_distance import (
    KernelInceptionDistance,
    all_pairs,
    all_pairs_of_pairs,
    subset_mean,
)
from restorebench.bench.metrics.paired_kernel import parts


class Rows:
    """Feature rows in blocks of 100."""

    def __init__(self, rows: NDArray[Any]) -> None:
        self._rows = rows.astype(np.float32)

    def __len__(self) -> int:
        return len(self._rows)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self._rows), 100):
            yield self._rows[start : start + 100]


def _draw(generator: np.random.Generator, n: int, m: int, shift: float = 0.3) -> tuple[NDArray[Any], NDArray[Any]]:
    return generator.normal(size=(n, 16)), generator.normal(size=(m, 16)) + shift


def test_all_pairs_is_torch_fidelitys_estimator_on_the_whole_set() -> None:
    from torch_fidelity.metric_kid import kernel_mmd

    first, second = _draw(np.random.default_rng(0), 60, 60)
    assert all_pairs(first, second).value == pytest.approx(kernel_mmd(first, second), rel=1e-10)


def test_all_pairs_counts_every_pair_once_for_unequal_sets() -> None:
    x, y = _draw(np.random.default_rng(1), 30, 47)
    k = lambda a, b: (a @ b.T / 16 + 1) ** 3  # noqa: E731
    within = [(k(z, z).sum() - np.trace(k(z, z))) / (len(z) * (len(z) - 1)) for z in (x, y)]
    assert all_pairs(x, y).value == pytest.approx(sum(within) - 2 * k(x, y).mean(), rel=1e-10)


def test_subsets_are_torch_fidelitys_subsets() -> None:
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    first, second = (rows.astype(np.float32) for rows in _draw(np.random.default_rng(2), 450, 380))
    theirs = kid_features_to_metric(
        torch.from_numpy(first), torch.from_numpy(second), kid_subsets=20, kid_subset_size=100, verbose=False
    )
    ours = subset_mean(Rows(first), Rows(second), subsets=20, size=100, seed=2020)
    assert ours.value == pytest.approx(theirs[KEY_METRIC_KID_MEAN], rel=1e-5)


@pytest.mark.parametrize(("n", "m"), [(100, 100), (60, 150)])
def test_the_interval_holds_the_true_value_about_95_times_in_100(n: int, m: int) -> None:
    generator = np.random.default_rng(3)
    truth = all_pairs(*_draw(generator, 4000, 4000)).value
    held = [v.low <= truth <= v.high for v in (all_pairs(*_draw(generator, n, m)) for _ in range(400))]
    assert 0.90 <= np.mean(held) <= 0.99


def test_it_is_unbiased_where_fid_is_not() -> None:
    generator = np.random.default_rng(4)
    values = [all_pairs(*_draw(generator, 20, 20, shift=0.0)).value for _ in range(500)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(500)


def test_the_choice_of_estimator_follows_the_number_of_images() -> None:
    first, second = (Rows(rows) for rows in _draw(np.random.default_rng(5), 300, 250))
    whole = KernelInceptionDistance(full_up_to=300).compare(first, second)["kid"]
    parts = KernelInceptionDistance(full_up_to=299, subsets=30, subset_size=50).compare(first, second)["kid"]
    assert whole.value != parts.value
    assert parts.low < whole.value < parts.high
    assert KernelInceptionDistance(full_up_to=299, subsets=30, subset_size=50).compare(first, second)["kid"] == parts


def test_few_images_give_a_value_without_interval_and_one_gives_none() -> None:
    rows = np.random.default_rng(6).normal(size=(3, 8))
    two = KernelInceptionDistance().compare(Rows(rows[:2]), Rows(rows))["kid"]
    assert np.isfinite(two.value)
    assert two.low is None
    assert np.isnan(KernelInceptionDistance().compare(Rows(rows[:1]), Rows(rows))["kid"].value)


def test_real_features_of_one_set_against_itself_give_about_nothing(metric: Callable[[str], Any], faces: Any) -> None:
    features = metric("kid").extractor.extract(faces).double().numpy()
    assert all_pairs(features, features).value < 0


# -- restored images and their own references ---------------------------------------------------


def _pairs(generator: np.random.Generator, n: int, alike: float, shift: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows that correlate with their partners by `alike`; the two populations are `shift` apart."""
    reference = generator.normal(size=(n, 16))
    return alike * reference + np.sqrt(1 - alike**2) * generator.normal(size=(n, 16)) + shift, reference


def _truth(shift: float, d: int = 16) -> float:
    """Distance of the populations of `_pairs`: `E (s / d + 1)^3`, with `s` the product of normal vectors, in closed form."""

    def expected(mu: float, nu: float) -> float:  # means of every coordinate
        m, a, b = d * mu * nu, d * mu**2, d * nu**2
        first, second, third = m, m**2 + a + d + b, m**3 + 3 * m * a + 3 * m * (b + d + 2)
        return third / d**3 + 3 * second / d**2 + 3 * first / d + 1

    return expected(shift, shift) + expected(0, 0) - 2 * expected(shift, 0)


def _plain(first: NDArray[Any], second: NDArray[Any]) -> float:
    """The U-statistic of pairs, as Gretton et al. write it."""
    k = lambda a, b: (a @ b.T / 16 + 1) ** 3  # noqa: E731
    h = k(first, first) + k(second, second) - k(first, second) - k(second, first)
    return float((h.sum() - np.trace(h)) / (len(first) * (len(first) - 1)))


def test_pairs_change_the_interval_and_not_the_value() -> None:
    first, second = _pairs(np.random.default_rng(7), 80, 0.7, 0.3)
    paired, independent = all_pairs_of_pairs(first, second), all_pairs(first, second)
    assert paired.value == pytest.approx(independent.value, rel=1e-10)
    assert (paired.low, paired.high) != (independent.low, independent.high)
    assert KernelInceptionDistance().compare(Rows(first), Rows(second))["kid"].low == pytest.approx(
        paired.low, rel=1e-4
    )


def test_the_interval_of_pairs_is_that_of_leaving_each_pair_out() -> None:
    first, second = _pairs(np.random.default_rng(8), 12, 0.7, 0.3)
    without = [_plain(np.delete(first, i, 0), np.delete(second, i, 0)) for i in range(12)]
    error = np.sqrt(11 / 12 * np.square(np.array(without) - np.mean(without)).sum())
    middle, quantile = _plain(first, second), 2.2009851600  # Student's, 11 degrees
    found = all_pairs_of_pairs(first, second)
    assert found.high == pytest.approx(middle + quantile * error, rel=1e-9)
    assert found.low == pytest.approx(min(middle - quantile * error, found.value), rel=1e-9)


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(("n", "shift"), [(40, 0.3), (150, 0.1), (150, 0.3)])
def test_the_interval_of_pairs_holds_the_true_distance(alike: float, n: int, shift: float) -> None:
    """200 draws of 95 % each; as if independent, it holds in 0 to 70 % where images resemble their references."""
    generator = np.random.default_rng(9)
    truth = _truth(shift)
    found = [all_pairs_of_pairs(*_pairs(generator, n, alike, shift)) for _ in range(200)]
    assert np.mean([v.low <= truth <= v.high for v in found]) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)
    assert all(v.low <= v.value <= v.high for v in found)


def test_sets_too_large_for_all_pairs_get_an_interval_of_pairs_too() -> None:
    generator = np.random.default_rng(10)
    metric = KernelInceptionDistance(full_up_to=200, subsets=20, subset_size=100)
    truth = _truth(0.3)
    found = []
    for _ in range(100):
        first, second = _pairs(generator, 1000, 0.9, 0.3)
        found.append(metric.compare(Rows(first), Rows(second))["kid"])
    assert np.mean([v.low <= truth <= v.high for v in found]) >= 0.9


def test_parts_keep_pairs_together_whatever_the_blocks() -> None:
    first, second = np.arange(700.0).reshape(350, 2), np.arange(700.0).reshape(350, 2) + 0.5
    seen = list(parts(Rows(first), Rows(second), 90))
    assert [len(one) for one, _ in seen] == [90, 90, 90]
    for one, other in seen:
        np.testing.assert_array_equal(one + 0.5, other)
    np.testing.assert_array_equal(np.concatenate([one for one, _ in seen]), first[:270])
