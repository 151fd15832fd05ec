"""Worker processes: whatever an adapter does to its process costs its own rows only, and nothing else changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from restorebench.bench.executors.processtree import descendants
from restorebench.bench.storage import results
from restorebench.bench.storage.store import Store

PLUGINS = Path(__file__).parent.parent / "plugins"
FAKE = [
    "dataset=folder", "degradation=[mild]", "metric=[]", "+metric.mae._target_=fakes.Mae",
    "+metric.colour._target_=fakes.ColourDistance", "mlflow.enabled=false", "threads=1", "batch=1",
]  # fmt: skip
GOOD = ["adapter=[input]", "+adapter.blend._target_=fakes.Blend", "+adapter.noisy._target_=fakes.Noisy"]
ONE = ["executor=processes", "executor.workers=1", "report.enabled=false"]


def deadly(how: str, victims: str = "b", name: str = "") -> list[str]:
    name = name or how.replace(".", "_").replace(" ", "_")
    return [
        f"+adapter.{name}._target_=fakes.Deadly",
        f"+adapter.{name}.how={how}",
        f"+adapter.{name}.victims={victims}",
    ]


def tables(out: Path) -> dict[str, pd.DataFrame]:
    """Tables by restorer, without what varies from run to run."""
    varying = ["seconds", "memory_mib", "gflops"]
    found = results.load(Store(out)).tables
    return {t.cell.restorer: t.images.drop(columns=varying, errors="ignore").set_index("sample") for t in found}


@pytest.fixture(scope="module")
def undisturbed(small_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An `out` made in one process."""
    out = tmp_path_factory.mktemp("inline")
    finish(start(small_faces, out, "executor=inline"))
    return out


def start(faces: Path, out: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "restorebench.bench.cli", "run", *FAKE, *GOOD, f"dataset.root={faces}", f"out={out}", *more],
        env={**os.environ, "PYTHONPATH": str(PLUGINS), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str], status: int = 0) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == status, output
    return output


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_the_same_bytes(
    workers: int, command, small_faces: Path, tmp_path: Path, undisturbed: Path
) -> None:
    arguments = [*FAKE, *GOOD, f"dataset.root={small_faces}", f"out={tmp_path / 'out'}"]
    outcome = command("run", *arguments, "executor=processes", f"executor.workers={workers}", "shard=1")
    assert outcome.status == 0, outcome.stderr
    board = Path("report", "leaderboard.csv")
    assert (tmp_path / "out" / board).read_bytes() == (undisturbed / board).read_bytes()
    assert {name: list(images.index) for name, images in tables(tmp_path / "out").items()} == {
        name: list(images.index) for name, images in tables(undisturbed).items()
    }


def test_every_way_to_go_wrong_costs_its_own_rows_only(
    command, small_faces: Path, tmp_path: Path, undisturbed: Path
) -> None:
    ways = {
        "exit": "its process ended with exit code 3",
        "segv": "its process was killed by SIGSEGV (Segmentation fault)",
        "sys.exit": "SystemExit: I am a script",
    }
    broken = {
        "raise": "RuntimeError: the network fell over",
        "holes": "NaN",
        "size": "8 x 8",
        "dtype": "expected floats",
    }
    adapters = [part for how in ways for part in deadly(how)]
    for how in broken:
        adapters += [f"+adapter.{how}._target_=fakes.Broken", f"+adapter.{how}.how={how}", f"+adapter.{how}.victim=b"]
    arguments = [*FAKE, *GOOD, *adapters, *deadly("print"), f"dataset.root={small_faces}", "shard=1"]
    outcome = command("run", *arguments, f"out={tmp_path / 'out'}", *ONE)
    assert outcome.status == 3
    assert "xxxx" not in outcome.stdout + outcome.stderr
    found = tables(tmp_path / "out")
    for how, reason in {**ways, **broken}.items():
        images = found[how.replace(".", "_")]
        assert images["status"].to_dict() == {"a": "ok", "b": "failed", "c": "ok", "d": "ok", "e": "ok"}, how
        assert reason in images.loc["b", "error"]
    expected = tables(undisturbed)
    for name in expected:
        pd.testing.assert_frame_equal(found[name], expected[name])
    columns = ["status", "restored", "lq", "hq", "note"]
    for how in (*ways, "print"):  # they blend, too, where they live
        alive = found[how.replace(".", "_")].query("status == 'ok'")
        pd.testing.assert_frame_equal(alive[columns], expected["blend"].loc[alive.index, columns])
    log = tmp_path / "out" / "logs" / "worker-0.log"
    assert 2**20 < log.stat().st_size < 2.1 * 2**20
    assert "bytes left out here" in log.read_text()


def test_a_metric_that_ends_its_process_costs_the_images_it_does_it_on(
    command, small_faces: Path, tmp_path: Path, undisturbed: Path
) -> None:
    arguments = [*FAKE, *GOOD, "+metric.deadly._target_=fakes.DeadlyMetric", f"dataset.root={small_faces}", *ONE]
    outcome = command("run", *arguments, f"out={tmp_path / 'out'}")
    assert outcome.status == 3
    found, expected = tables(tmp_path / "out"), tables(undisturbed)
    for name in expected:
        assert found[name]["status"].to_dict() == {"a": "ok", "b": "failed", "c": "ok", "d": "ok", "e": "ok"}, name
        assert "its process ended with exit code 4" in found[name].loc["b", "error"]
        (mae,) = (column for column in expected[name] if column.startswith("mae@"))
        pd.testing.assert_series_equal(found[name][mae].drop("b"), expected[name][mae].drop("b"))


def test_limits_of_time_and_memory_stop_the_culprit(
    command, small_faces: Path, tmp_path: Path, undisturbed: Path
) -> None:
    arguments = [*FAKE, *GOOD, *deadly("hang"), *deadly("fill", "c"), f"dataset.root={small_faces}"]
    limits = ["executor.seconds=2.5", "executor.memory=0.75"]
    outcome = command("run", *arguments, f"out={tmp_path / 'out'}", *ONE, *limits)
    assert outcome.status == 3
    found = tables(tmp_path / "out")
    assert found["hang"]["error"].to_dict() == {
        **dict.fromkeys("acde", ""), "b": "took longer than executor.seconds=2.5 for its shard and was stopped",
    }  # fmt: skip
    assert found["fill"]["error"].to_dict() == {
        **dict.fromkeys("abde", ""), "c": "held more than executor.memory=0.75 GiB and was stopped",
    }  # fmt: skip
    pd.testing.assert_frame_equal(found["blend"], tables(undisturbed)["blend"])


def test_a_worker_that_leaks_is_replaced_after_its_shard(command, small_faces: Path, tmp_path: Path) -> None:
    arguments = [*FAKE, *deadly("leak", "abcde"), f"dataset.root={small_faces}", f"out={tmp_path / 'out'}", "shard=1"]
    outcome = command("run", *arguments, "adapter=[]", *ONE, "executor.memory=1")
    assert outcome.status == 0
    assert tables(tmp_path / "out")["leak"]["status"].eq("ok").all()
    assert "is replaced" in (tmp_path / "out" / "logs" / "worker-0.log").read_text()


def test_a_worker_killed_from_outside_changes_nothing(small_faces: Path, tmp_path: Path, undisturbed: Path) -> None:
    log = tmp_path / "log"
    process = start(
        small_faces, tmp_path / "out", "executor=processes", "executor.workers=2", "shard=1",
        FAKES_LOG=str(log), FAKES_SLEEP="0.2",
    )  # fmt: skip
    wait_for(lambda: log.exists() and "restore" in log.read_text())
    worker = max(descendants(process.pid))
    os.kill(worker, signal.SIGKILL)
    finish(process)
    board = Path("report", "leaderboard.csv")
    assert (tmp_path / "out" / board).read_bytes() == (undisturbed / board).read_bytes()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_driver(how: signal.Signals, small_faces: Path, tmp_path: Path) -> None:
    marker = tmp_path / "child"
    process = start(
        small_faces, tmp_path / "out", "executor=processes", "executor.workers=2", "shard=1", *deadly("tool", "abcde"),
        FAKES_LOG=str(marker),
    )  # fmt: skip
    wait_for((tmp_path / "child.tool").exists)
    below = descendants(process.pid)
    assert len(below) >= 3  # guard, worker and the tool it started
    process.send_signal(how)
    process.communicate(timeout=30)
    wait_for(lambda: not any(running(pid) for pid in below))


def running(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_class_of_the_calling_program_is_refused_with_a_way_out(command, small_faces: Path, tmp_path: Path) -> None:
    sys.modules["__main__"].Here = __import__("fakes").Blend  # type: ignore[attr-defined]
    arguments = [*FAKE, "adapter=[]", "+adapter.here._target_=__main__.Here", f"dataset.root={small_faces}"]
    outcome = command("run", *arguments, f"out={tmp_path / 'out'}", *ONE)
    assert outcome.status == 2
    assert "adapter.here: __main__.Here" in outcome.stderr
    assert "executor=inline" in outcome.stderr
