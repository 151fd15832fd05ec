"""Effect sizes by hand, and the number of images that is needed against simulated tests."""

import numpy as np
import pytest

from restorebench.bench.effects import cohens_dz, effect, fewest, images_needed, rank_biserial
from restorebench.bench.statistics import signed_rank, smallest_p


def test_rank_biserial_by_hand():
    assert rank_biserial(np.array([1.0, 2, 3, -4])) == pytest.approx((1 + 2 + 3 - 4) / 10)
    assert rank_biserial(np.array([0.0, 5, 6])) == 1  # zeros are left out
    assert rank_biserial(np.zeros(4)) == 0
    assert rank_biserial(np.array([np.inf, -1.0, np.nan])) == pytest.approx((2 - 1) / 3)


def test_cohens_dz_by_hand():
    assert cohens_dz(np.array([1.0, 3])) == pytest.approx(2 / np.sqrt(2))
    assert cohens_dz(np.array([2.0, 2])) is None
    assert cohens_dz(np.array([2.0, np.inf])) is None


def test_the_sign_says_who_is_higher():
    d = np.random.default_rng(0).normal(0.5, 1, 40)
    up, down = effect(d), effect(-d)
    assert up.mean > 0
    assert (up.mean, up.rank_biserial, up.dz) == pytest.approx((-down.mean, -down.rank_biserial, -down.dz))
    assert (up.p, up.images_needed) == (down.p, down.images_needed)


def test_fewer_than_six_images_can_separate_nothing():
    assert fewest() == 6
    assert smallest_p(5) > 0.05 >= smallest_p(6)
    assert images_needed(np.arange(1.0, 40)) >= fewest()
    assert fewest(0.05 / 10) == 9  # under Holm's correction of five restorers


def test_no_difference_cannot_be_planned_for():
    assert images_needed(np.zeros(30)) is None
    assert images_needed(np.array([1.0, -1.0])) is None
    assert images_needed(np.array([1.0])) is None


@pytest.mark.parametrize("shift", [0.35, 0.6, 1.0])
def test_with_the_images_needed_the_test_finds_the_difference_in_four_of_five_cases_and_not_with_half(shift):
    rng = np.random.default_rng(1)
    n = images_needed(rng.normal(shift, 1, 2000))
    found = [np.mean([signed_rank(row) < 0.05 for row in rng.normal(shift, 1, (1000, m))]) for m in (n, n // 2)]
    assert found[0] > 0.78
    assert found[1] < 0.75


def test_of_many_images_some_speak_for_all():
    d = np.tile(np.random.default_rng(2).normal(0.4, 1, 500), 40)
    assert images_needed(d) == pytest.approx(images_needed(d[:500]), rel=0.1)
