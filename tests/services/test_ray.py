"""On a real Ray of three nodes: any number of workers, and a node that dies, give the table of one process."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from restorebench.bench.executors.processtree import descendants

pytestmark = pytest.mark.services

NODES = 3
FAKE = [
    "dataset=folder", "adapter=[]", "+adapter.blend._target_=fakes.Timed", "degradation=[mild]", "metric=[psnr]",
    "+metric.colour._target_=fakes.ColourDistance", "reference_row=false", "mlflow.enabled=false", "threads=1", "shard=2",
]  # fmt: skip


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        environment.setenv("RAY_AUTH_MODE", "token")
        environment.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        environment.setenv("PYTHONPATH", str(Path(__file__).parent.parent / "plugins"), prepend=os.pathsep)
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 2, "include_dashboard": False, "ray_client_server_port": free_port()}
        started = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(NODES - 1):
            started.add_node(num_cpus=2, wait=False)
        started.wait_for_nodes()
        yield started
        started.shutdown()


@pytest.fixture(scope="module")
def many_faces(small_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    images = [cv2.imread(str(path)) for path in sorted(small_faces.glob("*.png"))]
    for number in range(60):
        image = images[number % 5] // 2 + number
        cv2.imwrite(str(folder / f"{number:03}.png"), image)
    return folder


@pytest.fixture
def run(command, many_faces: Path, tmp_path: Path):
    def run(name: str, *more: str) -> bytes:
        outcome = command("run", *FAKE, f"dataset.root={many_faces}", f"out={tmp_path / name}", *more)
        assert outcome.status == 0, outcome.stderr
        assert "ray" not in outcome.stderr.lower()
        return (tmp_path / name / "report" / "leaderboard.csv").read_bytes()

    return run


@pytest.fixture
def expected(run) -> bytes:
    return run("inline", "executor=inline")


def on(cluster: Any, workers: int) -> list[str]:
    return [
        "executor=ray",
        f"executor.address={cluster.address}",
        f"executor.workers={workers}",
        "+adapter.blend.seconds=0.25",
    ]


def test_one_two_and_four_workers_give_the_same_bytes(run, cluster, expected: bytes, tmp_path: Path) -> None:
    rates = {}
    for workers in (1, 2, 4):
        out = tmp_path / f"ray{workers}"
        shifts = out.with_suffix(".shifts")
        assert run(out.name, *on(cluster, workers), f"+adapter.blend.log={shifts}") == expected
        rates[workers] = rate(shifts, workers)
    for workers, each in rates.items():
        print(f"{workers} workers: {each:.2f} shards/s each, {each / rates[1]:.0%} of one worker alone")


def rate(shifts: Path, workers: int) -> float:
    """Return the shards per second of one worker, averaged over those that did several."""
    times: dict[str, list[float]] = {}
    for line in shifts.read_text().splitlines():
        pid, at = line.split()
        times.setdefault(pid, []).append(float(at))
    assert len(times) == workers
    rates = [(len(t) - 1) / (max(t) - min(t)) for t in times.values() if len(t) > 2]
    return sum(rates) / len(rates)


def test_a_node_that_dies_changes_nothing(run, cluster, expected: bytes, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=2)
    shifts = tmp_path / "shifts"
    killed = threading.Event()

    def kill() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            workers = {int(line.split()[0]) for line in shifts.read_text().splitlines()} if shifts.exists() else set()
            raylet = node.all_processes["raylet"][0].process.pid
            if len(workers) >= NODES and workers & descendants(raylet):
                cluster.remove_node(node, allow_graceful=False)
                killed.set()
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    board = run("ray", *on(cluster, 2 * (NODES + 1)), f"+adapter.blend.log={shifts}")
    killer.join()
    assert killed.is_set()
    assert board == expected


def test_a_ray_of_its_own_leaves_nothing_behind(command, many_faces: Path, tmp_path: Path, monkeypatch) -> None:
    """In a process of its own: Ray reads its token once, when it is imported."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    plugins = str(Path(__file__).parent.parent / "plugins")
    arguments = [
        *FAKE, f"dataset.root={many_faces}", f"out={tmp_path / 'out'}", "executor=ray", "executor.workers=1", "limit=4",
        "+adapter.deadly._target_=fakes.Deadly", "+adapter.deadly.victims='1'", "report.enabled=false",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "restorebench.bench.cli", "run", *arguments],
        env={**environment, "PYTHONPATH": plugins, "HOME": str(home), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert "001: its process ended with exit code 3" in done.stdout
    assert not (home / ".ray").exists()
    assert not list(tmp_path.glob("out/store/.reach*"))
    assert done.stderr.strip() == ""


def test_a_node_that_does_not_see_the_store_says_so(run, cluster, command, many_faces: Path, tmp_path: Path) -> None:
    from restorebench.bench.executors import ray as executor

    outcome = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executor.secrets, "token_hex", lambda _: "x" * 16)
        patch.setattr(Path, "touch", lambda *_, **__: None)  # the mark is not there, as on a folder of another machine
        outcome = command("run", *FAKE, f"dataset.root={many_faces}", f"out={tmp_path / 'o'}", *on(cluster, 1))
    assert outcome.status == 2
    assert "does not see out=" in outcome.stderr
    assert "s3://" in outcome.stderr
    shutil.rmtree(tmp_path / "o")


@pytest.mark.parametrize("how", ["auto", "ray://"])
def test_a_cluster_that_runs_is_found(how: str, cluster, expected: bytes, many_faces: Path, tmp_path: Path) -> None:
    """From a process that is no part of it: by RAY_ADDRESS on a node, by the client's port from elsewhere."""
    address = how if how == "auto" else f"ray://127.0.0.1:{cluster.head_node._ray_params.ray_client_server_port}"
    arguments = [*FAKE, f"dataset.root={many_faces}", f"out={tmp_path / 'out'}", "executor=ray", "executor.workers=2"]
    environment = {**os.environ, "COLUMNS": "200"} | ({"RAY_ADDRESS": cluster.address} if how == "auto" else {})
    done = subprocess.run(
        [sys.executable, "-m", "restorebench.bench.cli", "run", *arguments, f"executor.address={address}"],
        env=environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.strip() == ""
    assert (tmp_path / "out" / "report" / "leaderboard.csv").read_bytes() == expected


def test_a_cluster_that_does_not_run_is_one_line(many_faces: Path, tmp_path: Path) -> None:
    arguments = [*FAKE, f"dataset.root={many_faces}", f"out={tmp_path / 'out'}", "executor=ray"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent / "plugins")}
    done = subprocess.run(
        [sys.executable, "-m", "restorebench.bench.cli", "run", *arguments, "executor.address=127.0.0.1:9"],
        env={**environment, "COLUMNS": "200"}, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no Ray cluster can be reached" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
