"""`score` of six metrics beside the way the field scores, and beside the best library for every metric.

All on the same files with the same weights and threads, in turns; the numbers must agree.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import restorebench
from restorebench.bench.metrics import frechet

from .corpus import Corpus, make
from .measuring import Report, alternating, ratio
from .peers import Peers, moments

pytestmark = pytest.mark.perf

METRICS = ["psnr", "ssim", "lpips_alex", "niqe", "fid", "identity"]
LABELS = {"fid": "Inception features", "identity_cos": "identity", "lpips_alex": "LPIPS-alex"}
FIELD, DISTANCE = "the field", "Frechet distance"
ENOUGH = 32
"""Pairs from which on the bounds hold; fewer are for a quick look, where start and report weigh more."""


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Peers:
    return Peers(tmp_path_factory.mktemp("peers"))


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """Yield new output folders."""
    return (tmp_path / f"out{number}" for number in range(1000))


def score(restored: Any, corpus: Corpus, out: Path, metrics: list[str] = METRICS) -> Any:
    return restorebench.score(
        restored, corpus.reference, metrics, "mlflow.enabled=false", out=out, alignment="ffhq_512"
    )


def ways_of(peers: Peers, restored: list[Path], references: list[Path]) -> dict[tuple[str, str], Callable[[], Any]]:
    """Every peer's way to every number, by metric and library; the distance of Frechet is apart from its features."""
    ways: dict[tuple[str, str], Callable[[], Any]] = {}
    for metric, way in peers.field.items():
        ways[metric, FIELD] = lambda way=way: way(restored, references)
    for metric, others in peers.others.items():
        for name, way in others.items():
            ways[metric, name] = lambda way=way: way(restored, references)
    return ways


def test_score(tmp_path: Path, folders: Iterator[Path], peers: Peers, pairs: int, rounds: int, report: Report) -> None:
    corpus = make(tmp_path / "files", pairs)
    folder = corpus.restored["s0"]["r0"]
    restored, references = ([f / name for name in corpus.names] for f in (folder, corpus.reference))
    ways = ways_of(peers, restored, references)
    ours = score(folder, corpus, next(folders))  # builds, loads and imports everything once
    values = {key: way() for key, way in ways.items()}
    check(ours, values)
    described = [moments(rows) for rows in np.split(values["fid", FIELD], 2)]
    distances: dict[Any, Callable[[], Any]] = {
        (DISTANCE, name): (lambda way=way: way(*described)) for name, way in peers.distances.items()
    }
    seconds = alternating({("all", "ours"): lambda: score(folder, corpus, next(folders)), **ways, **distances}, rounds)
    rows, field, best = compared(seconds, [*METRICS[:5], "identity_cos"], pairs)
    mine = seconds["all", "ours"]
    once = [statistics.median(seconds[DISTANCE, name]) for name in peers.distances]
    rows += [
        ["sum, without the Frechet distance", *(_ms(statistics.median(s), pairs) for s in (field, best)), ""],
        ["restorebench, everything included", _ms(statistics.median(mine), pairs), "", ""],
        ["times as fast", f"{ratio(field, mine):.1f}", f"{ratio(best, mine):.1f}", ""],
        ["one Frechet distance, s", f"{once[0]:.1f}", f"{min(once):.1f}", list(peers.distances)[int(np.argmin(once))]],
    ]
    threads = torch.get_num_threads()
    note = (
        f"{pairs} pairs of 512 x 512, {threads} threads, ms per pair, median of {rounds} rounds. Ours has both sides, the "
        "reference row, the distance, the store, tables and report."
    )
    report.table("score", ["", "the field", "best peer", "which"], rows, note)
    if pairs >= ENOUGH:
        assert ratio(field, mine) >= 8
        assert ratio(best, mine) >= 2


def compared(seconds: Any, metrics: list[str], pairs: int) -> tuple[list[list[str]], list[float], list[float]]:
    """Rows of the table, and the sum of every round for the field and for the best peers."""
    rows, field, best = [], np.zeros(len(next(iter(seconds.values())))), 0.0
    for metric in metrics:
        libraries = {name: s for (m, name), s in seconds.items() if m == metric}
        fastest = min(libraries, key=lambda name: statistics.median(libraries[name]))
        field = field + np.array(libraries[FIELD])
        best = best + np.array(libraries[fastest])
        median = {name: _ms(statistics.median(s), pairs) for name, s in libraries.items()}
        label = LABELS.get(metric, metric.upper())
        rows.append([label, median[FIELD], median[fastest], "" if fastest == FIELD else fastest])
    return rows, list(field), list(np.atleast_1d(best))


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
    tmp_path: Path, folders: Iterator[Path], peers: Peers, pairs: int, rounds: int, report: Report
) -> None:
    count = max(2, pairs // 4)
    corpus = make(tmp_path / "files", count, restorers=4, splits=3)
    given = {f"{s}_{r}": folder for s, row in corpus.restored.items() for r, folder in row.items()}
    references = [corpus.reference / name for name in corpus.names] * len(given)
    restored = [folder / name for folder in given.values() for name in corpus.names]
    ways = ways_of(peers, restored, references)
    score(given, corpus, next(folders))
    seconds = alternating({("all", "ours"): lambda: score(given, corpus, next(folders)), **ways}, rounds)
    images = len(restored)
    rows, field, best = compared(seconds, [*METRICS[:5], "identity_cos"], images)
    mine = seconds["all", "ours"]
    rows += [
        ["sum, without Frechet distances", *(_ms(statistics.median(s), images) for s in (field, best)), ""],
        ["restorebench, everything included", _ms(statistics.median(mine), images), "", ""],
        ["times as fast", f"{ratio(field, mine):.1f}", f"{ratio(best, mine):.1f}", ""],
    ]
    note = (
        f"4 restorers x 3 splits x {count} references of 512 x 512, ms per restored image, median of {rounds} rounds."
    )
    report.table("run", ["", "the field", "best peer", "which"], rows, note)
    if pairs >= ENOUGH:
        assert ratio(best, mine) >= 3.5
