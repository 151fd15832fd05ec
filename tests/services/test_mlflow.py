"""Against a real MLflow tracking server, with SQLite and with PostgreSQL behind it, and PostgreSQL without a server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from mlflow.tracking import MlflowClient

import restorebench
from restorebench.bench import trusted
from restorebench.bench.errors import ConfigError, StoreError

pytestmark = pytest.mark.services

SELECTION = [
    "adapter=[input]", "+adapter.blend._target_=fakes.Blend", "degradation=[mild,severe]",
    "metric=[psnr]", "+metric.colour._target_=fakes.ColourDistance", "dataset=folder", "report.figures.enabled=false", "threads=1", "executor=inline",
]  # fmt: skip
TABLES = ["leaderboard.csv", "leaderboard.md", "leaderboard.tex", "robustness.csv", "comparisons.csv"]


class Server(NamedTuple):
    """A running tracking server and where it keeps artifacts."""

    uri: str
    artifacts: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A private PostgreSQL cluster on the loopback address; it refuses to run as root."""
    places = [*Path("/usr/lib/postgresql").glob("*/bin"), Path(shutil.which("initdb") or "/nowhere/initdb").parent]
    programs = next(place for place in places if (place / "initdb").exists())
    user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    port = free_port()
    data = str(folder / "data")

    def call(program: str, *arguments: str) -> None:
        log = (folder / "log.txt").open("a")
        subprocess.run([programs / program, *arguments], check=True, stdout=log, stderr=log, cwd=folder, **user)

    call("initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    call("pg_ctl", "-D", data, "-w", "-l", str(folder / "server.txt"), "-o", options, "start")
    try:
        yield f"postgresql://bench@127.0.0.1:{port}"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def create_database(address: str, name: str) -> str:
    import psycopg2

    connection = psycopg2.connect(f"{address}/postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    return f"{address}/{name}"


BOTH = pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)
ONE = pytest.mark.parametrize("server", ["sqlite"], indirect=True)
"""What no back end changes is tried on one."""


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`mlflow server` on the loopback address, which takes artifacts by HTTP."""
    folder = tmp_path_factory.mktemp("server")
    store = f"sqlite:///{folder / 'server.db'}"
    if request.param == "postgresql":
        store = create_database(request.getfixturevalue("postgres"), "served")
        store = store.replace("://", "+psycopg2://")  # the driver of the extra `postgres`
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--serve-artifacts"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log.txt").open("w") as log:
        started = subprocess.Popen(
            [*command, "--workers", "1"], stdout=log, stderr=log, env={**os.environ, **quiet}, start_new_session=True
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{uri}/health", started, folder / "log.txt")
        yield Server(uri, folder / "artifacts")
    finally:
        os.killpg(started.pid, 15)
        started.wait(20)


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def run(faces: Path, out: Path, uri: str, *more: str) -> restorebench.bench.commands.RunResult:
    return restorebench.run(f"dataset.folder.root={faces}", *SELECTION, f"mlflow.uri={uri}", *more, out=out)


def report(out: Path, source: str, uri: str, *more: str) -> restorebench.bench.commands.RunResult:
    quick = "report.figures.enabled=false"
    return restorebench.report(out, f"source=mlflow:{source}", f"mlflow.uri={uri}", quick, *more)


def everything(uri: str) -> dict[str, tuple[object, ...]]:
    client = MlflowClient(uri.replace("postgresql://", "postgresql+psycopg2://"))
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    return {
        run.info.run_id: (run.data.metrics, run.data.params, run.data.tags, names(client, run.info.run_id))
        for run in runs
    }


def names(client: MlflowClient, run: str, folder: str | None = None) -> tuple[str, ...]:
    found: list[str] = []
    for item in client.list_artifacts(run, folder):
        found += names(client, run, item.path) if item.is_dir else [item.path]
    return tuple(sorted(found))


def equal_tables(one: Path, other: Path) -> bool:
    return all((one / "report" / name).read_bytes() == (other / "report" / name).read_bytes() for name in TABLES)


@pytest.fixture(scope="module")
def tracked(server: Server, small_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `out` of a run that was registered on the server as the leaderboard `small faces`."""
    out = tmp_path_factory.mktemp("tracked")
    run(small_faces, out, server.uri, "mlflow.name=small faces")
    return out


@BOTH
def test_the_server_holds_the_command_its_cells_and_its_curves(server: Server, tracked: Path) -> None:
    client = MlflowClient(server.uri)
    found = everything(server.uri)
    (parent,) = (run for run, (_, _, tags, _) in found.items() if "restorebench.plan" in tags)
    wanted = {
        str(p.relative_to(tracked)) for p in (tracked / "report").rglob("*") if p.is_file() and "media" not in p.parts
    }
    assert wanted | {"config.yaml", "plan.json", "store/manifest.json"} <= set(found[parent][3])
    children = {tags["mlflow.runName"]: run for run, (_, _, tags, _) in found.items() if run != parent}
    assert sorted(children) == sorted(
        f"{restorer} · folder · {split}"
        for restorer in ("input", "blend", "reference")
        for split in ("mild", "severe", "curves")
    )
    curve = client.get_metric_history(children["blend · folder · curves"], "curve/psnr")
    cells = [found[children[f"blend · folder · {split}"]][0]["psnr"] for split in ("mild", "severe")]
    assert [(point.step, point.value) for point in sorted(curve, key=lambda point: point.step)] == [*enumerate(cells)]
    pictures = [name for name in found[children["blend · folder · mild"]][3] if name.endswith(".png")]
    assert {name.partition("+timestamp")[0] for name in pictures} == {
        f"images/{key}+step+{face}" for key in ("lq", "restored", "reference") for face in (0, 1)
    }


@BOTH
def test_a_repeated_command_adds_nothing(server: Server, tracked: Path, small_faces: Path) -> None:
    before = everything(server.uri)
    run(small_faces, tracked, server.uri, "mlflow.name=small faces")
    assert everything(server.uri) == before


@BOTH
def test_the_report_is_made_again_from_the_run_that_was_registered(
    server: Server, tracked: Path, tmp_path: Path
) -> None:
    again = report(tmp_path, "small faces", server.uri)
    assert again.status == 0
    assert equal_tables(tracked, tmp_path)
    assert (tmp_path / "report" / "index.html").read_bytes() == (tracked / "report" / "index.html").read_bytes()
    assert not (tmp_path / "store" / "features").exists()
    report(tmp_path, "small faces", server.uri)
    assert equal_tables(tracked, tmp_path)


@ONE
def test_code_of_another_package_is_not_run_unless_it_is_trusted(
    server: Server, tracked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trusted, "_packages", set())
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / "home"))  # where packages used before are remembered
    with pytest.raises(ConfigError, match=r"metric 'colour': fakes\.ColourDistance is not built: .*trust=\[fakes\]"):
        report(tmp_path / "out", "small faces", server.uri)
    assert not (tmp_path / "out" / "store").exists()
    report(tmp_path / "out", "small faces", server.uri, "trust=[fakes]")
    assert equal_tables(tracked, tmp_path / "out")


@ONE
def test_a_newer_run_takes_the_name_and_pictures_that_stayed_behind_are_missing(
    server: Server, tracked: Path, small_faces: Path, tmp_path: Path
) -> None:
    plain = run(small_faces, tmp_path / "plain", server.uri, "limit=2", "mlflow.name=small faces", "mlflow.pictures=0")
    report(tmp_path / "again", "small faces", server.uri)
    assert equal_tables(tmp_path / "plain", tmp_path / "again")
    assert not (tmp_path / "again" / "store" / "images").exists()
    assert (tmp_path / "again" / "report" / "index.html").exists()
    run(small_faces, tracked, server.uri, "mlflow.name=small faces")  # and back
    report(tmp_path / "first", "small faces", server.uri)
    assert equal_tables(tracked, tmp_path / "first")
    assert plain.status == 0


@ONE
def test_artifacts_that_were_changed_are_refused(server: Server, tracked: Path, tmp_path: Path) -> None:
    cell = next(server.artifacts.rglob("cells/*.parquet"))
    whole = cell.read_bytes()
    run_id = cell.relative_to(server.artifacts).parts[1]
    try:
        cell.write_bytes(whole[:-1] + b"x")
        with pytest.raises(StoreError, match="is not what the manifest promises"):
            report(tmp_path, run_id, server.uri)
    finally:
        cell.write_bytes(whole)
    assert not (tmp_path / "store").exists()


@ONE
def test_a_run_that_is_not_there_is_one_line(server: Server, tracked: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no run 'nobody' .*leaderboards there: small faces"):
        report(tmp_path, "nobody", server.uri)


def test_a_database_without_a_server_will_do(postgres: str, small_faces: Path, tmp_path: Path) -> None:
    uri = create_database(postgres, "direct")
    run(small_faces, tmp_path / "out", uri, "limit=2", "mlflow.name=direct")
    found = everything(uri)
    assert len(found) == 1 + 3 * 3
    run(small_faces, tmp_path / "out", uri, "limit=2", "mlflow.name=direct")
    assert everything(uri) == found
    report(tmp_path / "again", "direct", uri)
    assert equal_tables(tmp_path / "out", tmp_path / "again")
