"""Every learned restorer from checkpoint file to table, on two built-in faces; and what happens without the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ..adapters.checkpoints import write

RESTORERS = [
    "dfdnet", "gfpgan", "vqfr", "dr2", "dpe", "codeformer", "gpen", "restoreformer", "psfrgan", "sparnethd", "ilvr",
]  # fmt: skip
SELECT = ["run", f"adapter=[{','.join(RESTORERS)}]", "degradation=[mild]", "metric=[psnr,ssim]", "mlflow.enabled=false"]


@pytest.fixture(scope="module")
def own_files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that name a random but valid checkpoint for every restorer."""
    folder = tmp_path_factory.mktemp("checkpoints")
    overrides = []
    for name in RESTORERS:
        (folder / name).mkdir()
        overrides += [f"{key}={value}" for key, value in write(name, folder / name).items()]
    return overrides


def test_every_restorer_reports_every_row(command: Callable, own_files: list[str], tmp_path: Path) -> None:
    outcome = command(*SELECT, "limit=2", f"out={tmp_path / 'out'}", *own_files)
    assert outcome.status == 0, outcome.stderr
    rows = pd.read_parquet(tmp_path / "out" / "report" / "per_image.parquet")
    for name in RESTORERS:
        mine = rows[rows["restorer"] == name]
        assert (mine["status"] == "ok").tolist() == [True, True], mine["error"].tolist()
        assert mine["psnr"].between(0, 60).all()
    costs = pd.read_csv(tmp_path / "out" / "report" / "costs.csv").set_index("restorer")
    assert (costs.loc[RESTORERS, "parameters"] > 1e6).all()


def test_without_files_each_is_skipped_in_one_line(
    command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / "home"))
    outcome = command(
        *SELECT, "adapter.dr2.enhancer.checkpoint=null", "fetch=false", "limit=1", f"out={tmp_path / 'out'}"
    )
    assert outcome.status == 3
    board = pd.read_csv(tmp_path / "out" / "report" / "leaderboard.csv")
    for name in RESTORERS:
        notes = board[(board["restorer"] == name) & (board["metric"] == "psnr")]["note"].tolist()
        assert len(notes) == 1
        for part in ("no ", "from ", "licence: ", "restorebench weights "):
            assert part in notes[0]
        assert "\n" not in notes[0]
        assert str(tmp_path) not in notes[0]
