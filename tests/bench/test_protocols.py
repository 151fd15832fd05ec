"""A protocol chooses a recipe's metrics; its numbers have rows of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

import restorebench
from restorebench.bench.configuration import compose_config, run_request
from restorebench.bench.plan import make

NAMES = sorted(path.stem for path in (Path(restorebench.__file__).parent / "conf" / "protocol").glob("*.yaml"))


def test_the_protocols_of_the_field_are_there() -> None:
    assert {"standard", "vqfr", "restoreformer", "pmrf", "basicsr", "difface", "dpe", "pyiqa"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_protocol_names_its_cells_and_sorts_by_metrics_that_it_has(name: str, tmp_path: Path) -> None:
    chosen = [f"protocol={name}", "adapter=[input]", "degradation=[mild]", "fetch=false", f"out={tmp_path}"]
    config = compose_config("run", chosen)
    plan = make(run_request(config, splits_chosen=True))
    assert {cell.protocol for cell in plan.cells} == {name}
    assert set(config["report"]["sort"]) <= set(config["metric"])
    assert [metric.name for metric in plan.job.metrics] == list(config["metric"])


def test_the_standard_protocol_is_what_is_chosen_by_default() -> None:
    plain, standard = compose_config("score", []), compose_config("score", ["protocol=standard"])
    assert plain == standard


def test_metrics_named_on_the_command_line_win() -> None:
    assert list(compose_config("run", ["protocol=vqfr", "metric=[psnr]"])["metric"]) == ["psnr"]


def test_statistics_of_a_reference_set_that_are_not_here_skip_the_metric_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path))
    chosen = ["adapter=[input]", "degradation=[mild]", "metric=[psnr,fid_ffhq]", "fetch=false"]
    plan = make(run_request(compose_config("run", chosen), splits_chosen=True))
    (skipped,) = plan.skipped
    assert skipped["name"] == "fid_ffhq"
    assert "inception_FFHQ_512" in skipped["reason"]


def test_two_protocols_of_one_restorer_stand_side_by_side(tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = ["adapter=[input]", "degradation=[mild]", "limit=2", f"out={out}", "mlflow.enabled=false", "threads=1"]
    restorebench.run("protocol=basicsr", "metric=[psnr_basicsr,psnr]", *common)
    board = restorebench.run("metric=[psnr]", *common).leaderboard
    rows = board[(board.restorer == "input") & (board.metric == "psnr")]
    assert sorted(rows.protocol) == ["basicsr", "standard"]
    assert rows.value.nunique() == 1
    matched = board[board.metric == "psnr_basicsr"]
    assert set(matched.protocol) == {"basicsr"}


def test_the_papers_tables_use_the_metrics_that_the_papers_are_known_to_use() -> None:
    vqfr, protocol = compose_config("run", ["experiment=vqfr_table"]), compose_config("run", ["protocol=vqfr"])
    assert vqfr["protocol"] == "vqfr"
    assert vqfr["metric"] == protocol["metric"]
    assert {"fid_ffhq", "deg_vqfr"} <= set(compose_config("run", ["experiment=gfpgan_table"])["metric"])


@pytest.mark.parametrize("name", ["vqfr", "pmrf"])
def test_the_scripts_landmark_distance_is_among_their_metrics(name: str) -> None:
    assert "lmd_vqfr" in compose_config("run", [f"protocol={name}"])["metric"]
