"""One Frechet distance at full width beside SciPy's general matrix square root, on the same moments."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import pytest

from restorebench.bench.metrics import frechet

from .measuring import Report, alternating, ratio

pytestmark = pytest.mark.perf

Rows = np.ndarray


def features(count: int) -> list[Rows]:
    """Two sets of rows like pool features: positive, skewed and correlated."""
    generator = np.random.default_rng(count)
    mixing = generator.gamma(0.2, size=(2048, 2048)) / 2048
    return [scale * generator.gamma(0.5, size=(count, 2048)) @ mixing for scale in (1.0, 1.1)]


def moments(rows: list[Rows]) -> list[Rows]:
    return [part for one in rows for part in (one.mean(0), np.cov(one, rowvar=False))]


def test_distance(rounds: int, report: Report) -> None:
    from pytorch_fid.fid_score import calculate_frechet_distance

    described, few = moments(features(3000)), features(300)
    found: dict[str, float] = {}

    def keep(name: str, value: Callable[[], float]) -> Callable[[], None]:
        def run() -> None:
            found[name] = float(value())

        return run

    ways = {
        "SciPy's sqrtm (pytorch-fid)": keep("theirs", lambda: calculate_frechet_distance(*described)),
        "restorebench": keep("ours", lambda: frechet.distance_of_moments(*described)),
        "restorebench, 300 images": keep("few", lambda: frechet.distance_of_rows(*few)),
    }
    seconds = alternating(ways, rounds)
    times = ratio(seconds["SciPy's sqrtm (pytorch-fid)"], seconds["restorebench"])
    rows = [[name, f"{statistics.median(taken):.2f}"] for name, taken in seconds.items()]
    difference = abs(found["ours"] / found["theirs"] - 1)
    note = f"3,000 images x 2,048 features. {times:.1f} times as fast; relative difference {difference:.0e}."
    report.table("frechet", ["one distance", "s"], rows, note)
    assert difference < 1e-6
    assert found["few"] == pytest.approx(frechet.distance_of_moments(*moments(few)), rel=1e-6)
    assert times >= 8
    assert statistics.median(seconds["restorebench, 300 images"]) < 0.2
