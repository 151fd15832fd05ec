"""Killed, repeated, reordered: the table is the same to the byte."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent.parent / "plugins"
COMMAND = [
    "run", "executor=inline", "dataset=folder", "adapter=[input]", "+adapter.blend._target_=fakes.Blend",
    "+adapter.noisy._target_=fakes.Noisy", "degradation=[mild,severe]", "metric=[psnr]", "+metric.mae._target_=fakes.Mae",
    "+metric.colour._target_=fakes.ColourDistance", "shard=2", "mlflow.enabled=false", "threads=1",
]  # fmt: skip


def start(faces: Path, out: Path, *more: str, sleep: float = 0.0, log: Path | None = None) -> subprocess.Popen[str]:
    environment = {
        **os.environ, "PYTHONPATH": str(PLUGINS), "FAKES_SLEEP": str(sleep), "COLUMNS": "160",
        **({"FAKES_LOG": str(log)} if log else {}),
    }  # fmt: skip
    arguments = [*COMMAND, f"dataset.root={faces}", f"out={out}", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "restorebench.bench.cli", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def leaderboard(out: Path) -> bytes:
    return (out / "report" / "leaderboard.csv").read_bytes()


@pytest.fixture(scope="module")
def expected(small_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of a run nobody disturbed."""
    out = tmp_path_factory.mktemp("undisturbed")
    finish(start(small_faces, out))
    return leaderboard(out)


def test_two_runs_give_the_same_bytes(small_faces: Path, tmp_path: Path, expected: bytes) -> None:
    finish(start(small_faces, tmp_path / "out"))
    assert leaderboard(tmp_path / "out") == expected


def test_neither_the_order_nor_the_batch_matters(small_faces: Path, tmp_path: Path, expected: bytes) -> None:
    reordered = tmp_path / "reordered"
    reordered.mkdir()
    for path in sorted(small_faces.glob("*.png"), reverse=True):
        shutil.copy(path, reordered)
    more = [
        "adapter=[]",
        "+adapter.noisy._target_=fakes.Noisy",
        "+adapter.input._target_=restorebench.adapters.baselines.Input",
    ]
    swapped = [argument for argument in COMMAND if not argument.startswith(("adapter=", "+adapter.noisy"))]
    environment = {**os.environ, "PYTHONPATH": str(PLUGINS)}
    arguments = [*swapped, *more, f"dataset.root={reordered}", f"out={tmp_path / 'out'}", "batch=1"]
    command = [sys.executable, "-m", "restorebench.bench.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert leaderboard(tmp_path / "out") == expected


def test_a_killed_run_goes_on_where_it_was(small_faces: Path, tmp_path: Path, expected: bytes) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    moments = random.Random(seed)
    for kill in range(3):
        out, log = tmp_path / f"out{kill}", tmp_path / f"log{kill}"
        process = start(small_faces, out, sleep=0.2, log=log)
        deadline = time.monotonic() + 60
        while not log.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 2.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = log.read_text().count("restore") if log.exists() else 0
        finish(start(small_faces, out, log=log))
        assert leaderboard(out) == expected
        # the shard that was killed, two images, may have been restored twice, never more
        images = sum(int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("restore"))
        assert 20 <= images <= 20 + 2, f"{before} batches before the kill"


def test_two_processes_on_one_folder_take_turns(small_faces: Path, tmp_path: Path, expected: bytes) -> None:
    first = start(small_faces, tmp_path / "out", sleep=0.1)
    second = start(small_faces, tmp_path / "out", sleep=0.1)
    outputs = finish(first) + finish(second)
    assert "waiting" in outputs
    assert leaderboard(tmp_path / "out") == expected
