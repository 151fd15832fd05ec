"""One Frechet distance at full width beside pytorch-fid's, with a general matrix square root, on the same moments."""

from __future__ import annotations

import time

import numpy as np
import pytest

from restorebench.bench.metrics import frechet

pytestmark = pytest.mark.perf


def test_distance_at_3000_x_2048() -> None:
    from pytorch_fid.fid_score import calculate_frechet_distance

    generator = np.random.default_rng(3000)
    mixing = generator.gamma(0.2, size=(2048, 2048)) / 2048  # pool features are positive, skewed and correlated
    described: list[np.ndarray] = []
    for scale in (1.0, 1.1):
        rows = scale * generator.gamma(0.5, size=(3000, 2048)) @ mixing
        described += [rows.mean(0), np.cov(rows, rowvar=False)]
    start = time.perf_counter()
    value = frechet.distance_of_moments(*described)
    ours, start = time.perf_counter() - start, time.perf_counter()
    expected = float(calculate_frechet_distance(*described))
    theirs = time.perf_counter() - start
    print(f"\nFrechet distance: {ours:.2f} s, pytorch-fid {theirs:.2f} s, ratio {theirs / ours:.1f}")
    assert value == pytest.approx(expected, rel=1e-6)
