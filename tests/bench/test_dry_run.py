"""A dry run says what a command needs and would do, and does none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from restorebench.bench.commands import look, run
from restorebench.bench.errors import ConfigError

EXPERIMENTS = ("robustness", "dr2_table", "gfpgan_table", "vqfr_table", "dpe_table", "dpe_published", "full")


def test_everything_here_is_status_0_and_leaves_nothing(command, faces, tmp_path):
    out = tmp_path / "out"
    selection = ["adapter=[input,lanczos]", "metric=[psnr]", "dataset=folder", f"dataset.folder.root={faces}"]
    outcome = command("run", *selection, "degradation=[mild,severe]", f"out={out}", "dry_run=true")
    assert outcome.status == 0, outcome.stderr
    assert "folder, mild: 5 images: input, lanczos, reference" in outcome.stdout
    assert "6 cells, 30 images to restore and score by psnr" in outcome.stdout
    assert "not known" in outcome.stdout
    assert not out.exists()


def test_what_is_missing_is_told_with_licence_and_command(command, tmp_path, home):
    outcome = command("run", "adapter=[input,gfpgan]", "metric=[psnr]", f"out={tmp_path / 'out'}", "dry_run=true")
    assert outcome.status == 3
    (line,) = (line for line in outcome.stdout.splitlines() if line.startswith("weights gfpgan"))
    assert "absent" in line
    assert "licence: Apache-2.0" in line
    assert "restorebench weights fetch gfpgan-v1.4" in line
    assert "gfpgan (weights missing)" in outcome.stdout
    assert not list(home.rglob("*.pth"))


def test_a_set_that_is_not_here_is_missing_and_its_card_says_how_much_it_would_be(command, tmp_path):
    outcome = command(
        "run", "dataset=[lfw_test]", "adapter=[input]", "metric=[niqe]", f"out={tmp_path}/out", "dry_run=true"
    )
    assert outcome.status == 3
    assert "missing: dataset lfw_test: dataset.lfw_test.root: a value is needed" in outcome.stdout
    assert "1711 images, not here: input" in outcome.stdout


def test_earlier_runs_give_the_cost(faces, tmp_path):
    selection = {"adapter": ["input"], "metric": ["psnr"], "out": tmp_path / "out", "degradation": ["mild"]}
    data = ("dataset=folder", f"dataset.folder.root={faces}", "mlflow.enabled=false", "report.enabled=false")
    run(*data, **selection)
    found = look(*data, **selection)
    assert found.status == 0
    assert found.seconds["input"] >= 0
    assert any(line.startswith("cost of input: 0 s at") for line in found.lines())


def test_from_python_run_refuses_instead_of_running(tmp_path):
    with pytest.raises(ConfigError, match="look"):
        run("dry_run=true", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_wrong_setting_stays_an_error(command, tmp_path):
    outcome = command("run", "metric=[psnr]", "metric.psnr.nothing=1", f"out={tmp_path}/out", "dry_run=true")
    assert outcome.status == 2


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_and_says_what_it_needs(name, home, tmp_path):
    found = look(f"experiment={name}", f"out={tmp_path / 'out'}")
    lines = list(found.lines())
    assert found.status == 3  # an empty cache
    assert any("images" in line for line in lines)
    assert all("licence" in line for line in lines if line.startswith("weights"))
    assert not (tmp_path / "out").exists()
    assert not list(Path(home).rglob("weights/*"))
