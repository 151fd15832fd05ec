"""Jobs of a sweep in processes of their own: on this machine for real, on SLURM as far as its door."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import pytest

from restorebench.bench import sweeps

SWEEP = [
    "run", "-m", "dataset=folder", "adapter=[input],[lanczos]", "degradation=[mild]", "metric=[]",
    "+metric.mae._target_=fakes.Mae", "mlflow.enabled=false", "threads=1", "executor=inline",
]  # fmt: skip


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs in other processes find the fakes, too."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent / "plugins"))


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SLURM that keeps the script it is given and takes no job."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {"sbatch": f'cp "$1" {tmp_path}/script.sh; echo no partition >&2; exit 1', "srun": ""}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return tmp_path / "script.sh"


@pytest.mark.usefixtures("modules")
def test_jobs_in_processes_of_their_own_share_one_store_and_one_report(
    command, small_faces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    outcome = command(*SWEEP, "hydra/launcher=submitit_local", f"dataset.root={small_faces}", f"out={out}", "limit=2")
    assert outcome.status == 0, outcome.stderr
    with (out / "report" / "leaderboard.csv").open() as file:
        assert {row["restorer"] for row in csv.DictReader(file)} == {"input", "lanczos", "reference"}
    assert len(list((out / "store" / "plans").glob("*.json"))) == 2
    assert outcome.stdout.count("report:") == 1


@pytest.mark.usefixtures("modules")
def test_a_job_that_is_refused_elsewhere_is_told_here(command, small_faces: Path, tmp_path: Path) -> None:
    sweep = [argument for argument in SWEEP if not argument.startswith("adapter=")]
    outcome = command(
        *sweep, "adapter=[input],[]", "hydra/launcher=submitit_local", f"dataset.root={small_faces}",
        f"out={tmp_path / 'out'}", "limit=2",
    )  # fmt: skip
    assert outcome.status == 2
    assert "adapter: nothing selected" in outcome.stderr
    assert (tmp_path / "out" / "report" / "leaderboard.csv").exists()


def test_slurm_is_handed_one_array_of_jobs_with_the_settings_of_the_launcher(
    command, small_faces: Path, tmp_path: Path, slurm: Path
) -> None:
    sweep = [argument for argument in SWEEP if not argument.startswith("executor=")]
    outcome = command(
        *sweep, "executor=slurm", "hydra.launcher.partition=gpu", "hydra.launcher.gpus_per_node=1",
        "hydra.launcher.cpus_per_task=8", "hydra.launcher.mem_gb=32", f"dataset.root={small_faces}",
        f"out={tmp_path / 'out'}",
    )  # fmt: skip
    assert outcome.status == 3
    assert "no partition" in outcome.stderr
    script = slurm.read_text()
    for line in (
        "--array=0-1%2", "--partition=gpu", "--gpus-per-node=1", "--cpus-per-task=8", "--mem=32GB", "--time=1440",
        "--job-name=restorebench",
    ):  # fmt: skip
        assert f"#SBATCH {line}\n" in script
    assert str(tmp_path / "out" / "logs") in script
    assert subprocess.run(["bash", "-n", slurm], check=False).returncode == 0


def test_slurm_without_a_sweep_says_what_is_missing(command, small_faces: Path, tmp_path: Path) -> None:
    outcome = command("run", "dataset=folder", f"dataset.root={small_faces}", "executor=slurm", f"out={tmp_path}")
    assert outcome.status == 2
    assert "add -m" in outcome.stderr


def test_a_launcher_that_is_not_installed_is_named_with_its_extra(command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "find_spec", lambda _: None)
    outcome = command(*SWEEP, "hydra/launcher=submitit_slurm")
    assert outcome.status == 2
    assert "pip install 'restorebench[slurm]'" in outcome.stderr
