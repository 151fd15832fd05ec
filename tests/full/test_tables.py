"""The papers' tables, run on synthetic sets with the layout and names of the cards, at a declared limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pandas as pd
import pytest

BUILTIN = sorted((Path(__file__).parents[2] / "datasets" / "builtin").glob("*.png"))
COUNT = 2
LIGHT = ["adapter=[input,lanczos]", "mlflow.enabled=false"]


def folder(root: Path, names: list[str], shape: tuple[int, int] = (512, 512), blur: float = 0) -> Path:
    """Write built-in faces under the names of a published set."""
    root.mkdir()
    for name, source in zip(names, BUILTIN, strict=False):
        image = cv2.resize(cv2.imread(str(source)), shape, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(root / name), cv2.GaussianBlur(image, (0, 0), blur) if blur else image)
    return root


def table(command: Callable, name: str, out: Path, *arguments: str) -> pd.DataFrame:
    selection = ["run", f"experiment={name}", f"out={out}", *LIGHT, *arguments]
    dry = command(*selection, "dry_run=true")
    assert dry.status == 0, dry.stdout
    assert "note: data set" not in dry.stdout  # the copy is as its card says
    assert not out.exists()
    done = command(*selection)
    assert done.status == 0, done.stdout + done.stderr
    return pd.read_csv(out / "report" / "leaderboard.csv")


@pytest.fixture
def celeba_test(tmp_path: Path) -> list[str]:
    names = [f"{i:08}.png" for i in range(COUNT)]
    hq, lq = folder(tmp_path / "hq", names), folder(tmp_path / "lq", names, blur=4)
    one = "dataset.celeba_test"
    return [f"{one}.hq={hq}", f"{one}.lq={lq}", f"{one}.limit={COUNT}", f"{one}.strict=true"]


def test_gfpgans_table_runs_and_puts_print_beside_it(command: Callable, celeba_test: list[str], tmp_path: Path) -> None:
    ours = "metric=[psnr,ssim,lpips_vgg,niqe,fid,identity]"  # the others need files that only their authors have
    board = table(command, "gfpgan_table", tmp_path / "out", *celeba_test, ours)
    assert {"psnr", "ssim", "lpips_vgg", "niqe", "fid", "identity_deg"} <= set(board["metric"])
    assert set(board["split"]) == {"given"}
    assert board[board["metric"] == "psnr"]["n"].tolist() == [COUNT] * 3
    made = json.loads((tmp_path / "out" / "report" / "tables" / "gfpgan_table1.json").read_text(encoding="utf-8"))
    columns = [column["metric"] for column in made["tables"][0]["columns"]]
    assert columns == ["lpips_vgg", "fid", "niqe", "identity_deg", "psnr", "ssim"]  # the order of the paper's Table 1
    printed = pd.read_csv(tmp_path / "out" / "report" / "published.csv")
    assert set(printed["restorer"]) == {"input"}
    assert (printed["status"] == "claimed").all()
    assert printed["note"].str.contains("images (2 of 3000)", regex=False).all()


def test_vqfrs_table_runs_on_four_sets(command: Callable, celeba_test: list[str], tmp_path: Path) -> None:
    photos = []
    for name, files in {
        "lfw_test": ["Aaron_Eckhart_0001_00.png", "Aaron_Guiel_0001_00.png"],
        "webphoto_test": ["00001_00.png", "00001_01.png"],
        "celebchild_test": ["00000.png", "00001.png"],
    }.items():
        root = folder(tmp_path / name, files, blur=2)
        photos += [f"dataset.{name}.root={root}", f"dataset.{name}.limit={COUNT}", f"dataset.{name}.strict=true"]
    board = table(
        command,
        "vqfr_table",
        tmp_path / "out",
        *celeba_test,
        *photos,
        "metric=[psnr_vqfr,niqe_vqfr]",
        "report.sort=[psnr_vqfr]",
    )
    assert set(board["dataset"]) == {"celeba_test", "lfw_test", "webphoto_test", "celebchild_test"}
    scored = board[board["value"].notna()]
    assert set(scored[scored["dataset"] == "lfw_test"]["metric"]) == {"niqe_vqfr"}
    assert set(board["protocol"]) == {"vqfr"}


def test_dr2s_table_has_nine_splits(command: Callable, tmp_path: Path) -> None:
    root = folder(tmp_path / "hq", ["0.png", "1.png"])
    own = [f"dataset.celeba_test_dr2.root={root}", f"dataset.celeba_test_dr2.limit={COUNT}"]
    board = table(command, "dr2_table", tmp_path / "out", *own, "metric=[psnr]", "report.sort=[psnr]")
    assert len(board[(board["restorer"] == "input") & (board["metric"] == "psnr")]) == 9
    curves = pd.read_csv(tmp_path / "out" / "report" / "robustness.csv")
    assert set(curves["restorer"]) == {"input", "lanczos"}


def test_dpes_table_runs_on_photos_of_its_size(command: Callable, tmp_path: Path) -> None:
    names = ["a0001-jmac_DSC1459.png", "a0002-dgw_005.png"]
    hq, lq = folder(tmp_path / "c", names, (512, 341)), folder(tmp_path / "in", names, (512, 341), blur=1)
    one = "dataset.fivek_dpe"
    own = [f"{one}.hq={hq}", f"{one}.lq={lq}", f"{one}.limit={COUNT}", f"{one}.strict=true", "~adapter.dpe_supervised"]
    board = table(command, "dpe_table", tmp_path / "out", *own, "metric=[psnr,ssim]")
    assert set(board["restorer"]) == {"input", "lanczos", "reference"}


def test_the_mini_study_draws_its_figure(command: Callable, tmp_path: Path) -> None:
    board = table(command, "robustness", tmp_path / "out", "metric=[psnr]", "degradation.sweep_sigma.levels=[1,8]")
    assert set(board["n"]) == {25}
    assert (tmp_path / "out" / "report" / "figures" / "builtin_crops_robustness.svg").is_file()
    curves = pd.read_csv(tmp_path / "out" / "report" / "robustness.csv").set_index("restorer")
    assert curves.loc["input", "relative_loss"] > 0.1
    assert curves.loc["input", "slope_low"] < curves.loc["input", "slope"] < curves.loc["input", "slope_high"] < 0
