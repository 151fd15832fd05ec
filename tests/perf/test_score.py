"""`score` of six metrics beside the way the field scores, and beside the best library for every metric.

All on the same files with the same weights and threads, in turns; the numbers must agree.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import restorebench
from restorebench.bench.metrics import frechet
from restorebench.bench.provenance import cores

from .corpus import Corpus, make
from .measuring import Report, alternating, ratio
from .peers import FIELD, Apart

pytestmark = pytest.mark.perf

METRICS = ["psnr", "ssim", "lpips_alex", "niqe", "fid", "identity"]
LABELS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "lpips_alex": "LPIPS-alex",
    "niqe": "NIQE",
    "fid": "Inception features",
    "identity_cos": "identity",
}
DISTANCE = "Frechet distance"
ENOUGH = 32
"""Pairs from which on the bounds hold; fewer are for a quick look, where start and report weigh more."""


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    made = Apart(tmp_path_factory.mktemp("peers"), cores())
    yield made
    made.close()


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """Yield new output folders."""
    return (tmp_path / f"out{number}" for number in range(1000))


def score(restored: Any, corpus: Corpus, out: Path, metrics: list[str] = METRICS) -> Any:
    return restorebench.score(
        restored, corpus.reference, metrics, "mlflow.enabled=false", out=out, alignment="ffhq_512"
    )


def ways_of(peers: Apart, restored: list[Path], references: list[Path]) -> dict[tuple[str, str], Callable[[], Any]]:
    """Every peer's way to every number, by metric and library; the distance of Frechet is apart from its features."""
    return {(m, library): partial(peers.score, m, library, restored, references) for m, library in peers.ways}


def distances_of(peers: Apart, features: Any) -> dict[tuple[str, str], Callable[[], Any]]:
    """Every peer's way to one Frechet distance; the first is the field's."""
    names = dict(zip(peers.distances, [FIELD, *peers.distances[1:]], strict=True))
    return {(DISTANCE, shown): partial(peers.distance, name, features) for name, shown in names.items()}


def test_score(tmp_path: Path, folders: Iterator[Path], peers: Apart, pairs: int, rounds: int, report: Report) -> None:
    corpus = make(tmp_path / "files", pairs)
    folder = corpus.restored["s0"]["r0"]
    restored, references = ([f / name for name in corpus.names] for f in (folder, corpus.reference))
    ways = ways_of(peers, restored, references)
    ours = score(folder, corpus, next(folders))  # builds, loads and imports everything once
    values = {key: way() for key, way in ways.items()}
    check(ours, values)
    features = values["fid", FIELD]
    ways |= distances_of(peers, features)
    seconds = alternating({("all", "ours"): lambda: score(folder, corpus, next(folders)), **ways}, rounds)
    rows, field, best = compared(seconds, [*METRICS[:5], DISTANCE, "identity_cos"], pairs)
    rows += totals(field, best, seconds["all", "ours"], pairs)
    note = (
        f"{pairs} pairs of 512 x 512, {cores()} threads, ms per pair, median of {rounds} rounds. Ours has both sides, the "
        "reference row, the distance, the store, tables and report."
    )
    report.table("score", ["", "the field", "best peer", "which"], rows, note)
    if pairs >= ENOUGH:
        assert ratio(field, seconds["all", "ours"]) >= 8
        assert ratio(best, seconds["all", "ours"]) >= 2


def compared(seconds: Any, metrics: list[str], pairs: int) -> tuple[list[list[str]], list[float], list[float]]:
    """Rows of the table, and the sum of every round for the field and for the best peers."""
    rows, field, best = [], np.zeros(len(next(iter(seconds.values())))), 0.0
    for metric in metrics:
        libraries = {name: s for (m, name), s in seconds.items() if m == metric}
        fastest = min(libraries, key=lambda name: statistics.median(libraries[name]))
        field = field + np.array(libraries[FIELD])
        best = best + np.array(libraries[fastest])
        median = {name: _ms(statistics.median(s), pairs) for name, s in libraries.items()}
        rows.append([LABELS.get(metric, metric), median[FIELD], median[fastest], "" if fastest == FIELD else fastest])
    return rows, list(field), list(np.atleast_1d(best))


def totals(field: list[float], best: list[float], ours: list[float], pairs: int) -> list[list[str]]:
    """The table's last rows."""
    return [
        ["together", *(_ms(statistics.median(s), pairs) for s in (field, best)), ""],
        ["restorebench, everything included", _ms(statistics.median(ours), pairs), "", ""],
        ["times as fast", f"{ratio(field, ours):.1f}", f"{ratio(best, ours):.1f}", ""],
    ]


def check(ours: Any, values: Any) -> None:
    """Compare our numbers with everybody's, to 1e-4 of each."""
    per_image = ours.per_image[ours.per_image["restorer"] != "reference"].sort_values("sample")
    board = ours.leaderboard[ours.leaderboard["restorer"] != "reference"].set_index("metric")["value"]
    for (metric, name), expected in values.items():
        if metric != "fid":
            np.testing.assert_allclose(per_image[metric], expected, rtol=1e-4, err_msg=f"{metric} by {name}")
    # of their features; SciPy's root of a matrix without full rank would have three digits only
    distance = frechet.distance_of_rows(*np.split(values["fid", FIELD], 2))
    np.testing.assert_allclose(board["fid"], distance, rtol=1e-4)


def _ms(seconds: float, pairs: int) -> str:
    return f"{seconds / pairs * 1000:,.0f}"


def test_run_of_four_restorers_on_three_splits(
    tmp_path: Path, folders: Iterator[Path], peers: Apart, pairs: int, rounds: int, report: Report
) -> None:
    count = max(2, pairs // 4)
    corpus = make(tmp_path / "files", count, restorers=4, splits=3)
    given = {f"{s}_{r}": folder for s, row in corpus.restored.items() for r, folder in row.items()}
    references = [corpus.reference / name for name in corpus.names] * len(given)
    restored = [folder / name for folder in given.values() for name in corpus.names]
    ways = ways_of(peers, restored, references)
    score(given, corpus, next(folders))
    features = ways["fid", FIELD]()[: 2 * count]
    ways |= distances_of(peers, features)
    seconds = alternating({("all", "ours"): lambda: score(given, corpus, next(folders)), **ways}, rounds)
    for key, one in seconds.items():
        if key[0] == DISTANCE:
            seconds[key] = [s * len(given) for s in one]  # one for each restorer and split, which take equally long
    images = len(restored)
    rows, field, best = compared(seconds, [*METRICS[:5], DISTANCE, "identity_cos"], images)
    rows += totals(field, best, seconds["all", "ours"], images)
    note = (
        f"4 restorers x 3 splits x {count} references of 512 x 512, ms per restored image, median of {rounds} rounds."
    )
    report.table("run", ["", "the field", "best peer", "which"], rows, note)
    if pairs >= ENOUGH:
        assert ratio(best, seconds["all", "ours"]) >= 3.5
