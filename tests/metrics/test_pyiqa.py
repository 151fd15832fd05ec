"""Any metric of pyiqa, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pandas as pd
import pytest
import torch

from restorebench.bench.errors import ConfigError, WeightsError
from restorebench.bench.metrics import pyiqa as adapter
from restorebench.bench.metrics.pyiqa import PyiqaMetric


@pytest.mark.parametrize("name", ["fsim", "gmsd"])
def test_values_are_pyiqas(name: str, score: Callable[..., Any], crops: Any) -> None:
    import pyiqa

    peer = pyiqa.create_metric(name, device=torch.device("cpu"))
    expected = [peer(r[None], h[None]).double().reshape(-1)[0] for r, h in zip(*crops, strict=True)]
    assert torch.equal(score(name, crops)[name], torch.stack(expected))


@pytest.mark.parametrize(
    ("name", "higher", "needs", "low", "high"),
    [
        ("fsim", True, {"reference"}, 0.0, 1.0),
        ("dists", False, {"reference"}, 0.0, 1.0),
        ("musiq", True, set(), 0.0, 100.0),
        ("pi", False, set(), 0.0, float("inf")),
        ("afine_all", False, {"reference"}, -float("inf"), 2.0),
        ("fgresq_pair", True, {"reference"}, -float("inf"), float("inf")),
    ],
)
def test_direction_need_and_range_are_pyiqas(name: str, higher: bool, needs: set[str], low: float, high: float) -> None:
    metric = PyiqaMetric(name)
    (column,) = metric.columns
    assert (column.higher_is_better, metric.needs, column.low, column.high) == (higher, needs, low, high)


def test_the_table_read_without_importing_pyiqa_is_pyiqas_own() -> None:
    import pyiqa

    assert set(adapter._table()) | adapter._OF_SETS == set(pyiqa.list_models())


@pytest.mark.parametrize("name", ["fsimm", "fid"])
def test_an_unknown_name_or_a_metric_of_sets_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"no per-image metric '{name}'"):
        PyiqaMetric(name)


def test_weights_that_cannot_be_had_say_so_and_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyiqa

    asked = []

    def offline(name: str, **_settings: object) -> None:
        asked.append(name)
        raise URLError("no network")

    monkeypatch.setattr(pyiqa, "create_metric", offline)
    metric = PyiqaMetric("musiq")
    for _ in range(3):
        with pytest.raises(WeightsError, match=r"'musiq' cannot be built here .*no network"):
            metric.load(torch.device("cpu"))
    assert asked == ["musiq"]


def test_a_metric_whose_weights_cannot_be_had_is_skipped_before_the_work(
    monkeypatch: pytest.MonkeyPatch, command: Callable[..., Any], small_faces: Path, tmp_path: Path
) -> None:
    import pyiqa

    asked = []

    def offline(name: str, **_settings: object) -> None:
        asked.append(name)
        raise URLError("no network")

    monkeypatch.setattr(pyiqa, "create_metric", offline)
    arguments = [
        "run", "dataset=folder", f"dataset.root={small_faces}", "adapter=[input]", "degradation=[mild]", "metric=[psnr]",
        "+metric.musiq._target_=restorebench.bench.metrics.pyiqa.PyiqaMetric", "+metric.musiq.name=musiq",
        f"out={tmp_path / 'out'}", "mlflow.enabled=false",
    ]  # fmt: skip
    done = command(*arguments)
    assert done.status == 3
    assert asked == ["musiq"]
    board = pd.read_csv(tmp_path / "out" / "report" / "leaderboard.csv")
    psnr = board[(board["metric"] == "psnr") & (board["restorer"] == "input")]
    assert list(psnr["n_failed"]) == [0]
    assert board[board["metric"] == "musiq"]["note"].str.contains("cannot be built here").all()
    assert "no network" in done.stdout + done.stderr
    assert command(*arguments, "dry_run=true").status in (0, 3)
    assert asked == ["musiq"]  # a look downloads nothing
