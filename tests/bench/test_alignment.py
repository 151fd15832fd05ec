"""Restorers of aligned faces on images that are not: told before the run, and beside each number after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from restorebench.bench.configuration import compose_config, specs

NETWORKS = ("gfpgan", "codeformer", "vqfr", "restoreformer", "gpen", "dfdnet", "dr2", "psfrgan", "sparnethd")


def run(command: Callable, faces: Path, out: Path, alignment: str):
    chosen = ["adapter=[input]", "+adapter.aligned._target_=fakes.Aligned", "degradation=[mild]", "metric=[psnr]"]
    data = ["dataset=folder", f"dataset.folder.root={faces}", f"dataset.folder.alignment={alignment}"]
    return command("run", *chosen, *data, f"out={out}", "mlflow.enabled=false")


def test_photos_that_are_not_aligned_are_told_and_noted(command: Callable, faces: Path, tmp_path: Path) -> None:
    outcome = run(command, faces, tmp_path / "out", "none")
    assert outcome.status == 0
    (line,) = (line for line in outcome.stdout.splitlines() if "restorebench align" in line)
    assert "5 of 5 images are no aligned faces, which aligned expect" in line
    board = pd.read_csv(tmp_path / "out" / "report" / "leaderboard.csv").set_index("restorer")
    assert "expects aligned faces, which 5 of 5 images are not" in board.loc["aligned", "note"]
    assert "aligned faces" not in board.loc["input", "note"]


@pytest.mark.parametrize("alignment", ["ffhq_512", "auto"])
def test_aligned_faces_and_faces_nobody_knows_of_are_no_reason(
    command: Callable, faces: Path, tmp_path: Path, alignment: str
) -> None:
    outcome = run(command, faces, tmp_path / "out", alignment)
    assert "restorebench align" not in outcome.stdout
    assert "expects aligned" not in (tmp_path / "out" / "report" / "leaderboard.csv").read_text()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_networks_for_aligned_faces_say_so_on_their_cards(name: str) -> None:
    made = specs(compose_config("run", [f"adapter=[{name}]"])["adapter"], "adapter")[name].build()
    assert made.card.alignment == "ffhq_512"


@pytest.mark.parametrize("name", ["input", "lanczos", "nlmeans", "realesrgan"])
def test_restorers_of_anything_take_anything(name: str) -> None:
    made = specs(compose_config("run", [f"adapter=[{name}]"])["adapter"], "adapter")[name].build()
    assert made.card.alignment == "none"
