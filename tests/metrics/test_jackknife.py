"""The interval of FID: what it holds, what it says of the bias, and that it changes no value."""

from __future__ import annotations

import numpy as np
import pytest

from restorebench.bench.metrics.frechet import FrechetInceptionDistance
from restorebench.bench.metrics.jackknife import GROUPS, Without


class Rows:
    """Feature rows in blocks of seven."""

    def __init__(self, rows):
        self._rows = rows.astype(np.float32)

    def __len__(self):
        return len(self._rows)

    def blocks(self):
        for start in range(0, len(self._rows), 7):
            yield self._rows[start : start + 7]


@pytest.fixture(scope="module")
def simulated():
    """FID of 300 pairs of sets of 120 images with 12 features, independent, two normal distributions."""
    rng = np.random.default_rng(0)
    metric = FrechetInceptionDistance(interval="jackknife")
    sets = ((rng.normal(0, 1, (120, 12)), rng.normal(0.3, 1.2, (120, 12))) for _ in range(300))
    return [metric.compare(Rows(first), Rows(second))["fid"] for first, second in sets]


TRUTH = 12 * (0.3**2 + (1.2 - 1) ** 2)
"""Distance of the two distributions."""


def test_the_interval_holds_the_value_expected_of_so_many_images(simulated):
    expected = np.mean([made.value for made in simulated])
    assert 0.90 <= np.mean([made.low <= expected <= made.high for made in simulated]) <= 0.99


def test_it_says_how_much_is_bias(simulated):
    bias = np.mean([made.value for made in simulated]) - TRUTH
    told = np.mean([float(made.note.rpartition(" ")[2]) for made in simulated])
    assert bias > 0.1
    assert told == pytest.approx(bias, rel=0.15)


def test_it_changes_neither_value_nor_identity():
    rng = np.random.default_rng(1)
    first, second = Rows(rng.normal(0, 1, (60, 8))), Rows(rng.normal(0, 2, (60, 8)))
    plain, opted = FrechetInceptionDistance(), FrechetInceptionDistance(interval="jackknife")
    assert plain.identity == opted.identity
    without, given = plain.compare(first, second)["fid"], opted.compare(first, second)["fid"]
    assert without == (given.value, None, None, "")
    assert given.low < given.value < given.high


def test_too_few_images_for_groups_have_none():
    rows = Rows(np.random.default_rng(2).normal(0, 1, (2 * GROUPS - 1, 8)))
    assert FrechetInceptionDistance(interval="jackknife").compare(rows, rows)["fid"][1:] == (None, None, "")


def test_without_leaves_out_every_so_many_rows_whatever_the_blocks():
    rows = np.arange(50.0).reshape(50, 1)
    left = Without(Rows(rows), group=3, groups=20)
    found = np.concatenate(list(left.blocks())).ravel()
    assert sorted(set(rows.ravel()) - set(found)) == [3, 23, 43]
    assert len(left) == len(found) == 47
