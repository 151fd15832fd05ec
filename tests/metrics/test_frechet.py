"""FID against its published calibration values and pytorch-fid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from restorebench.bench.metrics import frechet
from restorebench.bench.metrics.moments import moments


class Rows:
    """Feature rows in blocks."""

    def __init__(self, rows: NDArray[Any], block: int = 700) -> None:
        self._rows, self._block = rows.astype(np.float32), block

    def __len__(self) -> int:
        return len(self._rows)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self._rows), self._block):
            yield self._rows[start : start + self._block]


def _sets(n: int, m: int, features: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two sets that look like pool features: positive, skewed, correlated."""
    generator = np.random.default_rng(n)
    mixing = generator.gamma(0.2, size=(features, features)) / features
    first, second = (generator.gamma(0.5, size=(k, features)) @ mixing for k in (n, m))
    return first.astype(np.float32).astype(np.float64), (1.1 * second + 0.01).astype(np.float32).astype(np.float64)


def _pytorch_fid(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance

    described = [(rows.mean(0), np.cov(rows, rowvar=False)) for rows in (first, second)]
    return float(calculate_frechet_distance(*described[0], *described[1]))


@pytest.mark.parametrize(("name", "published"), [("fid", 225.3678), ("fid_clean", 220.5819)])
def test_the_calibration_folders_give_the_published_value(
    name: str, published: float, metric: Callable[[str], Any], calibration: Any
) -> None:
    fid = metric(name)
    restored, reference = (Rows(fid.extractor.extract(images).numpy()) for images in calibration)
    assert fid.compare(restored, reference)[name].value == pytest.approx(published, abs=1e-2)
    assert fid.compare(reference, reference)[name].value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("n", "m", "tolerance"), [(5, 5, 1e-3), (50, 60, 1e-5), (400, 300, 1e-6)])
def test_rows_give_pytorch_fids_distance(n: int, m: int, tolerance: float) -> None:
    # with fewer images than features the matrix square root there is the less accurate of the two
    first, second = _sets(n, m, 256)
    assert frechet.distance_of_rows(first, second) == pytest.approx(_pytorch_fid(first, second), rel=tolerance)


def test_a_large_set_gives_pytorch_fids_distance_in_blocks() -> None:
    first, second = _sets(3000, 2500, 256)
    value = frechet._distance(Rows(first), Rows(second))
    assert value == pytest.approx(_pytorch_fid(first, second), rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(300, 300), (40, 300), (300, 40)])
def test_both_ways_to_the_distance_agree_also_when_a_covariance_is_singular(n: int, m: int) -> None:
    first, second = _sets(n, m, 128)
    one, two = moments(Rows(first).blocks()), moments(Rows(second).blocks())
    value = frechet.distance_of_moments(one.mean, one.covariance, two.mean, two.covariance)
    assert value == pytest.approx(frechet.distance_of_rows(first, second), rel=1e-6)


def test_moments_do_not_depend_on_how_rows_come_in_blocks() -> None:
    rows, _ = _sets(500, 2, 64)
    for block in (1, 77, 500):
        found = moments(Rows(rows, block).blocks())
        np.testing.assert_allclose(found.mean, rows.mean(0), rtol=1e-12)
        np.testing.assert_allclose(found.covariance, np.cov(rows, rowvar=False), rtol=1e-9, atol=1e-15)


def test_one_image_has_no_distance(metric: Callable[[str], Any]) -> None:
    one, many = Rows(np.ones((1, 8))), Rows(np.eye(8))
    assert np.isnan(metric("fid").compare(one, many)["fid"].value)
