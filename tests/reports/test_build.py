"""The whole report of an `out`: files, bytes, and the tables beside the leaderboard."""

from __future__ import annotations

import io
import math
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from handmade import GAP, PLAIN, Writer, picture, sha, table_metric

from restorebench.bench.errors import ConfigError, StoreError
from restorebench.reports.build import build
from restorebench.reports.page.origin import commands
from restorebench.reports.tables.choices import Choices, FigureChoices
from restorebench.reports.tables.preset import Preset


@pytest.fixture
def filled(writer):
    rng = np.random.default_rng(0)
    writer.features({sha("hq", f"s{i:03}"): [0.0] for i in range(3)})
    for severity, split in enumerate(("mild", "hard/x 4")):
        for name in ("a", "b"):
            metrics = [table_metric("psnr"), table_metric("identity", ["identity_cos"]), GAP]
            scores = {"psnr": rng.normal(25, 1, 3), "identity_cos": [0.5, math.nan, 0.7]}
            failed = {"s002": f"{writer.out}: boom"} if name == "b" else {}
            pixels = {"s000": {"restored": picture(writer, rng)}}
            writer.cell(
                name, scores, metrics=metrics, features=[[1.0]] * 3, failed=failed, pixels=pixels,
                split=split, severity=severity, seconds=0.25 + severity,
            )  # fmt: skip
    writer.plan(command=["restorebench", "run"])
    return writer


def test_everything_is_there(filled):
    report = build(filled.out)
    written = {
        p.relative_to(filled.out / "report").as_posix() for p in (filled.out / "report").rglob("*") if p.is_file()
    }
    digest = next(p.stem for p in report.paths.values() if p.stem.startswith("faces_hard-x-4-"))[-6:]
    assert {name for name in written if not name.startswith("media/")} == {
        *("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "per_image.parquet", "costs.csv", "comparisons.csv"),
        *("robustness.csv", "published.csv", "index.html", "tables/preview.tex"),
        *(f"tables/default.{form}" for form in ("tex", "md", "csv", "json", "xlsx")),
        *(f"figures/faces_robustness.{form}" for form in ("svg", "pdf")),  # with one ranked restorer no trade-off
        *(
            f"gallery/faces_{split}.{form}"
            for split in ("mild", f"hard-x-4-{digest}")
            for form in ("png", "svg", "pdf")
        ),
    }
    assert all(path.stat().st_size for path in report.paths.values())


def test_a_preset_that_is_not_asked_for_any_more_leaves_no_file(filled):
    build(filled.out, shown=replace(PLAIN, presets=(Preset("wide", across="split"),)))
    assert (filled.out / "report" / "tables" / "wide.tex").exists()
    report = build(filled.out, shown=PLAIN)
    assert not (filled.out / "report" / "tables" / "wide.tex").exists()
    assert "tables/default.tex" in report.paths


def test_tables_and_figures_show_only_the_selected(filled):
    report = build(filled.out, select=["a"])
    assert "| b |" not in report.paths["tables/default.md"].read_text(encoding="utf-8")
    assert "figures/faces_tradeoff.svg" not in report.paths  # one restorer trades nothing off


def test_equal_stores_give_equal_files_wherever_they_lie(filled, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(filled.out, moved)
    one, other = build(filled.out), build(moved)
    assert one.paths.keys() == other.paths.keys()
    for name in one.paths:
        assert one.paths[name].read_bytes() == other.paths[name].read_bytes(), name


def test_the_leaderboard_names_no_place_on_this_machine(filled):
    report = build(filled.out, shown=PLAIN)
    for name in ("leaderboard.csv", "leaderboard.md", "leaderboard.tex"):
        assert str(filled.out.parent) not in report.paths[name].read_text(encoding="utf-8")


def test_what_an_earlier_report_had_and_this_one_has_not_is_removed(filled):
    build(filled.out, shown=PLAIN)
    stale = filled.out / "report" / "gallery" / "old_set.png"
    own = filled.out / "report" / "notes.txt"
    stale.parent.mkdir()
    stale.write_bytes(b"x")
    own.write_text("mine")
    build(filled.out, shown=PLAIN)
    assert not stale.exists()
    assert own.exists()


def test_select_shows_only_some_restorers(filled):
    report = build(filled.out, select=["a"], shown=PLAIN)
    assert set(report.leaderboard["restorer"]) == set(report.per_image["restorer"]) == {"a"}
    with pytest.raises(ConfigError, match="nobody"):
        build(filled.out, select=["nobody"])


def test_an_empty_out_says_what_to_run(tmp_path):
    with pytest.raises(StoreError, match="restorebench run"):
        build(tmp_path)


def test_per_image_holds_every_row_and_every_score(filled):
    report = build(filled.out, shown=PLAIN)
    frame = pd.read_parquet(report.paths["per_image.parquet"])
    assert len(frame) == 2 * 2 * 3
    assert list(frame.columns[:6]) == ["restorer", "dataset", "split", "protocol", "seed", "sample"]
    assert {"psnr", "identity_cos"} <= set(frame.columns)
    failed = frame[frame["status"] == "failed"]
    assert failed["sample"].tolist() == ["s002"] * 2
    assert failed["psnr"].isna().all()
    assert failed["error"].str.contains("boom").all()
    a = frame[(frame["restorer"] == "a") & (frame["split"] == "mild")]
    row = report.leaderboard.query("restorer == 'a' and split == 'mild' and metric == 'psnr'")
    assert a["psnr"].mean() == row["value"].item()


def test_costs_are_seconds_per_image_and_stay_out_of_the_leaderboard(filled):
    report = build(filled.out, shown=PLAIN)
    frame = pd.read_csv(report.paths["costs.csv"])
    mild = frame[(frame["restorer"] == "b") & (frame["split"] == "mild")]
    assert (mild["images"].item(), mild["seconds_per_image"].item(), mild["device"].item()) == (2, 0.25, "cpu")
    assert "seconds" not in ",".join(report.leaderboard.columns)


def test_seconds_of_another_run_change_no_number(writer, tmp_path):
    other = Writer(tmp_path / "slow")
    for one, seconds in ((writer, 0.1), (other, 9.0)):
        one.cell("a", {"psnr": [1.0, 2.0]}, seconds=seconds)
    reports = [build(one.out, shown=PLAIN) for one in (writer, other)]
    assert reports[0].paths["leaderboard.csv"].read_bytes() == reports[1].paths["leaderboard.csv"].read_bytes()
    assert reports[0].paths["costs.csv"].read_bytes() != reports[1].paths["costs.csv"].read_bytes()


def test_the_csv_is_what_the_function_returns(filled):
    report = build(filled.out, shown=PLAIN)
    read = pd.read_csv(io.BytesIO(report.paths["leaderboard.csv"].read_bytes()))
    assert read["value"].to_numpy() == pytest.approx(report.leaderboard["value"].to_numpy(), rel=0, abs=0, nan_ok=True)
    assert read["n"].tolist() == report.leaderboard["n"].tolist()


def test_reports_are_built_without_torch(filled):
    code = (
        "import sys, pathlib; from restorebench.reports.build import build; "
        f"build(pathlib.Path({str(filled.out)!r})); sys.exit('torch' in sys.modules)"
    )
    environment = {"PYTHONPATH": next(p for p in sys.path if p.endswith("plugins"))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_was_asked_for_and_is_not_there_is_told(filled):
    wanted = (Preset("gone", splits=("x4",)), Preset("nobody", rows=("c",)), Preset("here", columns=("psnr", "niqe")))
    shown = Choices(presets=wanted, figures=FigureChoices(enabled=False, metrics=("psnr", "ssim")))
    report = build(filled.out, sort=["psnrs", "psnr"], shown=shown)
    assert report.absent == (
        "report.sort: no results of 'psnrs'; there are gap, identity_cos, identity_missed, psnr. Did you mean 'psnr'?",
        "report.figures.metrics: no results of 'ssim'; there are gap, identity_cos, identity_missed, psnr.",
        "report.table: gone was not written: these results do not have split x4",
        "report.table: nobody was not written: these results do not have restorer c",
    )
    assert "tables/here.tex" in report.paths
    assert build(filled.out, sort=["lpips_alex", "psnr"], shown=PLAIN).absent == ()  # nobody's wish


def test_commands_are_written_so_that_a_shell_and_a_reader_read_them():
    words = ["restorebench", "run", "dataset.root='a b'", "adapter=[input,lanczos]", "out=it's $HOME"]
    line = commands([{"command": words}])[0].line
    assert line.startswith("""restorebench run "dataset.root='a b'" 'adapter=[input,lanczos]' """)
    assert shlex.split(line) == words
