"""The main job on real faces with real weights: run, look, score again, add, repeat."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import restorebench
from restorebench.bench.commands import RunResult
from restorebench.bench.storage import results
from restorebench.bench.storage.store import Store

METRICS = ["psnr", "ssim", "lpips_alex", "niqe", "fid", "identity"]
COLUMNS = {"psnr", "ssim", "lpips_alex", "niqe", "fid", "identity_cos", "identity_deg"}
ADAPTERS = ["input", "lanczos", "nlmeans", "realesrgan"]
SELECTION = {"adapter": ADAPTERS, "degradation": ["mild", "severe"], "metric": METRICS, "limit": 2}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Two built-in faces, four restorers, two splits, the six metrics."""
    return restorebench.run(out=tmp_path_factory.mktemp("ran"), **SELECTION)


def test_every_restorer_split_and_metric_has_a_number(ran: RunResult) -> None:
    assert ran.status == 0
    board = ran.leaderboard
    for restorer in [*ADAPTERS, "reference"]:
        for split in ("mild", "severe"):
            rows = board[(board["restorer"] == restorer) & (board["split"] == split)].set_index("metric")
            assert set(rows.index) >= COLUMNS
            assert rows.loc[sorted(COLUMNS), "value"].notna().all()


def test_the_numbers_are_plausible(ran: RunResult) -> None:
    value = ran.leaderboard.set_index(["restorer", "split", "metric"])["value"]
    assert value["reference", "mild", "psnr"] == math.inf
    assert value["reference", "mild", "ssim"] == pytest.approx(1)
    assert value["reference", "mild", "lpips_alex"] == pytest.approx(0, abs=1e-6)
    assert value["reference", "mild", "identity_deg"] == pytest.approx(0, abs=0.1)
    assert value["reference", "mild", "fid"] == pytest.approx(0, abs=1e-3)
    for restorer in ADAPTERS:
        assert 15 < value[restorer, "severe", "psnr"] < value[restorer, "mild", "psnr"] < 40
        assert value[restorer, "mild", "lpips_alex"] < value[restorer, "severe", "lpips_alex"] < 1
        assert value[restorer, "mild", "identity_deg"] < value[restorer, "severe", "identity_deg"]


def test_the_page_is_one_file_that_needs_no_network(ran: RunResult) -> None:
    page = (ran.out / "report" / "index.html").read_text(encoding="utf-8")
    for outside in ('src="http', "src='http", 'href="http://', "@import", "url(http"):
        assert outside not in page
    assert "no ranking follows" in page
    for name in ("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "costs.csv", "per_image.parquet"):
        assert (ran.out / "report" / name).stat().st_size > 0


def test_scoring_the_folder_of_results_gives_the_same_rows(ran: RunResult, tmp_path: Path) -> None:
    store = Store(ran.out)
    tables = results.load(store).tables
    table = next(t for t in tables if t.cell.restorer == "realesrgan" and t.cell.split == "severe")
    from restorebench.bench.images import encode_png

    for row in table.images.itertuples():
        for folder, sha256 in (("restored", row.restored), ("reference", row.hq)):
            path = tmp_path / folder / f"{row.sample}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(encode_png(store.image(sha256)))
    scored = restorebench.score(tmp_path / "restored", tmp_path / "reference", METRICS, out=tmp_path / "scored")
    again = next(t for t in results.load(Store(tmp_path / "scored")).tables if t.cell.restorer == "restored")
    columns = sorted(column for column in table.images.columns if "@" in column)
    assert columns == sorted(column for column in again.images.columns if "@" in column)
    assert len(columns) == 6  # FID is no score of one image
    pd.testing.assert_frame_equal(
        table.images[["sample", *columns]], again.images[["sample", *columns]], check_exact=True
    )
    value = scored.leaderboard.set_index(["restorer", "metric"])["value"]["restored", "fid"]
    assert value == ran.leaderboard.set_index(["restorer", "split", "metric"])["value"]["realesrgan", "severe", "fid"]


def test_another_order_and_another_batch_size(ran: RunResult, tmp_path: Path) -> None:
    one = restorebench.run(out=tmp_path, batch=1, **{**SELECTION, "adapter": ADAPTERS[::-1]})
    pd.testing.assert_frame_equal(
        ran.leaderboard.drop(columns=["note"]), one.leaderboard.drop(columns=["note"]), check_exact=False, rtol=1e-5
    )


def test_a_repeated_command_changes_no_byte(ran: RunResult) -> None:
    before = {path: path.read_bytes() for path in (ran.out / "report").rglob("*") if path.is_file()}
    again = restorebench.run(out=ran.out, **SELECTION)
    assert again.status == 0
    after = {path: path.read_bytes() for path in (ran.out / "report").rglob("*") if path.is_file()}
    assert before.keys() == after.keys()
    assert [path.name for path in before if before[path] != after[path]] == []


def test_a_metric_added_later_restores_nothing(ran: RunResult) -> None:
    images = {path: path.stat().st_mtime_ns for path in (ran.out / "store" / "images").rglob("*.png")}
    more = restorebench.run(out=ran.out, **{**SELECTION, "metric": ["gmsd"]})
    assert {"gmsd", "psnr"} <= set(more.leaderboard["metric"])
    assert images == {path: path.stat().st_mtime_ns for path in (ran.out / "store" / "images").rglob("*.png")}


def test_mlflow_holds_one_parent_per_command_and_a_child_per_cell(ran: RunResult) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{ran.out / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("restorebench")
    assert experiment is not None
    parents = client.search_runs([experiment.experiment_id], f"tags.`restorebench.plan` = '{ran.plan_key}'")
    assert len(parents) == 1
    parent = parents[0].info.run_id
    below = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent}'")
    children = [run for run in below if "restorebench.cell" in run.data.tags]
    assert len(below) - len(children) == len(ADAPTERS) + 1  # the curves of each restorer
    assert len(children) == (len(ADAPTERS) + 1) * 2
    value = ran.leaderboard.set_index(["restorer", "split", "metric"])["value"]
    for child in children:
        tags, metrics = child.data.tags, child.data.metrics
        assert metrics["lpips_alex"] == value[tags["restorer"], tags["split"], "lpips_alex"]
        assert child.inputs.dataset_inputs[0].dataset.name == "builtin"
    names = {artifact.path for artifact in client.list_artifacts(parent, "report")}
    assert {"report/leaderboard.csv", "report/index.html"} <= names
    assert all(np.isfinite(list(child.data.metrics.values())).all() for child in children)
    assert str(ran.out) in client.get_run(parent).info.artifact_uri
