"""Data, results and reports on object storage, against an S3 server on this machine."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import s3fs

from restorebench.bench.errors import ConfigError, DatasetError, StoreError
from restorebench.bench.files import as_object, as_path, write_atomic
from restorebench.bench.storage import locking, results
from restorebench.bench.storage.store import Commit, Store
from restorebench.datasets.folder import Folder

pytestmark = pytest.mark.services

BUCKET = "faces-test"
PLUGINS = Path(__file__).parent.parent / "plugins"
COMMAND = [
    "run", "executor=inline", "dataset=folder", "adapter=[input]", "+adapter.blend._target_=fakes.Blend",
    "+adapter.noisy._target_=fakes.Noisy", "degradation=[mild,severe]", "metric=[psnr]",
    "+metric.colour._target_=fakes.ColourDistance", "shard=2", "threads=1", "mlflow.enabled=false",
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of its own on the loopback; everything that asks for S3 in this module finds it by the environment."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(f"http://{host}:{port}").items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir(BUCKET)
        yield f"http://{host}:{port}"
        s3fs.S3FileSystem.clear_instance_cache()
    started.stop()


def environment(address: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**keys, "AWS_ENDPOINT_URL": address, "NO_PROXY": "127.0.0.1,localhost"}


@pytest.fixture
def place(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty prefix, and a home without an index of anything."""
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(str(PLUGINS))
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts requests by kind."""
    counted: Counter[str] = Counter()
    call = s3fs.S3FileSystem._call_s3

    async def counting(self: s3fs.S3FileSystem, method: str, *args: object, **kwargs: object) -> object:
        counted[method] += 1
        return await call(self, method, *args, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counting)
    return counted


def put(folder: Path, address: str) -> str:
    for path in folder.iterdir():
        write_atomic(as_path(f"{address}/{path.name}"), path.read_bytes())
    return address


def get(address: str) -> bytes:
    return as_path(address).read_bytes()


def restored(log: Path) -> int:
    lines = log.read_text().splitlines() if log.exists() else []
    return sum(int(line.split()[1]) for line in lines if line.startswith("restore"))


@pytest.fixture(scope="module")
def expected(small_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of the same command on this disk."""
    out = tmp_path_factory.mktemp("local")
    arguments = [*COMMAND, f"dataset.root={small_faces}", f"out={out}"]
    subprocess.run(
        [sys.executable, "-m", "restorebench.bench.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(PLUGINS)}, check=True, capture_output=True,
    )  # fmt: skip
    return (out / "report" / "leaderboard.csv").read_bytes()


def test_more_than_a_thousand_objects_are_listed_by_pages_not_one_by_one(place: str, asked: Counter[str]) -> None:
    fs = s3fs.S3FileSystem()
    names = [f"{i:04}.png" for i in range(1200)]
    fs.pipe({f"{place}/hq/deep/{name}": b"x" for name in [*names, "notes.txt", ".hidden.png"]})
    asked.clear()
    samples = Folder(f"{place}/hq").samples()
    assert [sample.id for sample in samples] == [f"deep/{name[:-4]}" for name in names]
    assert str(samples[7].hq) == f"{place}/hq/deep/0007.png"
    assert sum(asked.values()) <= 4, asked


def test_a_run_on_a_bucket_equals_one_on_a_disk_and_a_second_one_computes_nothing(
    place: str, small_faces: Path, expected: bytes, command: Callable[..., object], asked: Counter[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    data, out, log = put(small_faces, f"{place}/hq"), f"{place}/out", tmp_path / "log"
    monkeypatch.setenv("FAKES_LOG", str(log))
    arguments = [*COMMAND, f"dataset.root={data}", f"out={out}"]
    first = command(*arguments)
    assert first.status == 0, first.stderr
    assert f"{out}/report/index.html" in first.stdout.replace("\n", "")
    assert get(f"{out}/report/leaderboard.csv") == expected
    done = restored(log)
    assert done == 20
    for home in ("home", "elsewhere"):  # with the index of the first run, and on a machine that has none
        monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / home))
        asked.clear()
        assert command(*arguments).status == 0
        assert restored(log) == done
        assert get(f"{out}/report/leaderboard.csv") == expected
        images = sum(name.endswith(".png") for name, _, _ in as_object(as_path(f"{out}/store/images")).below())
        assert images >= 20
        assert asked["head_object"] < 10, asked  # none for an image
    assert list(Store(as_path(out)).verify()) == []


def test_a_command_that_was_killed_goes_on_where_it_was(
    place: str, server: str, small_faces: Path, expected: bytes, tmp_path: Path
) -> None:
    log, out = tmp_path / "log", f"{place}/out"
    told = {**os.environ, "PYTHONPATH": str(PLUGINS), "FAKES_LOG": str(log), "COLUMNS": "160"}
    arguments = [sys.executable, "-m", "restorebench.bench.cli", *COMMAND, f"dataset.root={small_faces}", f"out={out}"]
    process = subprocess.Popen(arguments, env={**told, "FAKES_SLEEP": "0.3"}, start_new_session=True)
    deadline = time.monotonic() + 60
    while restored(log) < 7 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert as_path(f"{out}/store/.lock").exists()  # nobody could give it back
    assert not as_path(f"{out}/report/leaderboard.csv").exists()
    again = subprocess.run(arguments, env=told, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert get(f"{out}/report/leaderboard.csv") == expected
    assert 20 <= restored(log) <= 20 + 2  # the shard that was killed, two images, may have been restored twice
    assert not as_path(f"{out}/store/.lock").exists()


def test_folders_of_results_are_scored_where_they_lie(
    place: str, small_faces: Path, command: Callable[..., object], tmp_path: Path
) -> None:
    reference, mine, other = (put(small_faces, f"{place}/{name}") for name in ("reference", "mine", "other"))
    local = [f"restored={{mine: {small_faces}, other: {small_faces}}}", f"reference={small_faces}"]
    remote = [f"restored={{mine: {mine}, other: {other}}}", f"reference={reference}"]
    tables = []
    for name, arguments in (("local", local), ("remote", remote)):
        done = command("score", *arguments, "metric=[psnr,ssim]", f"out={tmp_path / name}", "mlflow.enabled=false")
        assert done.status == 0, done.stderr
        tables.append((tmp_path / name / "report" / "leaderboard.csv").read_bytes())
    assert tables[0] == tables[1]


def test_a_damaged_object_is_found_and_made_again(
    place: str, small_faces: Path, command: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, log = f"{place}/out", tmp_path / "log"
    monkeypatch.setenv("FAKES_LOG", str(log))
    small = [
        "run",
        "dataset=folder",
        "adapter=[]",
        "+adapter.blend._target_=fakes.Blend",
        "degradation=[mild]",
        "limit=3",
    ]
    arguments = [*small, f"dataset.root={small_faces}", f"out={out}", "mlflow.enabled=false", "report.enabled=false"]
    assert command(*arguments, "metric=[psnr]").status == 0
    store = Store(as_path(out))
    tables = {table.cell.restorer: table for table in results.load(store).tables}
    first, second, _ = tables["blend"].texts("restored")
    whole = store.image_path(first).read_bytes()
    write_atomic(store.image_path(first), whole[: len(whole) // 2])
    write_atomic(
        store.image_path(second), bytes([*whole[:-40], whole[-40] ^ 1, *whole[-39:]])
    )  # another picture's bytes
    problems = list(Store(as_path(out)).verify())
    assert [sha256 in " ".join(problems) for sha256 in (first, second)] == [True, True]
    before = restored(log)
    assert command(*arguments, "metric=[psnr,ssim]").status == 0
    assert restored(log) == before + 2
    assert list(Store(as_path(out)).verify()) == []
    (commit, *_) = sorted(name for name, _, _ in as_object(as_path(f"{out}/store/commits")).below())
    write_atomic(as_path(f"{out}/store/commits/{commit}"), b"{}")
    assert any(commit in problem for problem in Store(as_path(out)).verify())
    assert command(*arguments, "metric=[psnr,ssim]").status == 0


def test_a_commit_is_one_object_and_a_killed_put_leaves_nothing(place: str) -> None:
    store = Store(as_path(f"{place}/out"))
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    sha256, length = store.put_image(image)
    assert not Store(store.out).has_image(sha256)  # no commit names it
    store.commit(Commit(images={sha256: length}, features={"f": np.arange(3, dtype=np.float32)}))
    again = Store(store.out)
    assert again.has_image(sha256)
    assert (again.image(sha256) == image).all()
    assert np.concatenate(list(again.features(["f"]).blocks())).tolist() == [[0, 1, 2]]
    commits = [name for name, _, _ in as_object(store.root / "commits").below()]
    assert [name.endswith(".json") for name in commits] == [True]


class TestLock:
    def test_the_second_waits_for_the_first(self, place: str, capsys: pytest.CaptureFixture[str]) -> None:
        out, order = as_path(f"{place}/out"), []

        def second() -> None:
            with locking.locked(out):
                order.append("second")

        waiting = threading.Thread(target=second)
        with locking.locked(out):
            waiting.start()
            time.sleep(1.5)
            order.append("first")
        waiting.join(timeout=20)
        assert order == ["first", "second"]
        assert "waiting" in capsys.readouterr().out
        assert not (out / "store" / ".lock").exists()

    def test_one_that_gives_no_sign_of_life_is_taken_over(self, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locking, "DEAD", 1.0)
        out = as_path(f"{place}/out")
        write_atomic(out / "store" / ".lock", json.dumps({"host": "another machine", "pid": 1, "token": "x"}).encode())
        start = time.monotonic()
        with locking.locked(out):
            assert time.monotonic() - start >= 1
            assert b"another machine" not in (out / "store" / ".lock").read_bytes()

    def test_a_living_holder_gives_signs(self, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(locking, "RENEWED", 0.2)
        out = as_path(f"{place}/out")
        with locking.locked(out):
            first = (out / "store" / ".lock").read_bytes()
            time.sleep(1)
            assert (out / "store" / ".lock").read_bytes() != first


@pytest.mark.parametrize("executor", ["processes", "ray"])
def test_workers_write_to_the_bucket_what_one_process_does(
    place: str, executor: str, small_faces: Path, expected: bytes, tmp_path: Path
) -> None:
    """In a process of its own: Ray reads its token once, when it is imported."""
    data = put(small_faces, f"{place}/hq")
    arguments = [*COMMAND, f"dataset.root={data}", f"executor={executor}", "executor.workers=2", f"out={place}/out"]
    done = subprocess.run(
        [sys.executable, "-m", "restorebench.bench.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(PLUGINS), "COLUMNS": "200"},
        cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.strip() == ""
    assert get(f"{place}/out/report/leaderboard.csv") == expected
    assert not [path for path in tmp_path.iterdir() if path.name != "home"]  # nothing was left on the disk


class TestErrors:
    def test_somebody_without_permission(self, place: str, server: str, command: Callable[..., object]) -> None:
        def allow(count: str) -> None:
            urllib.request.urlopen(
                urllib.request.Request(f"{server}/moto-api/reset-auth", count.encode(), {"Content-Type": "text/plain"})
            ).close()

        allow("0")  # from now on the server looks at keys, and nobody's are known
        s3fs.S3FileSystem.clear_instance_cache()
        try:
            with pytest.raises(DatasetError, match="AWS_ACCESS_KEY_ID"):
                Folder(f"{place}/hq").samples()
            done = command("run", "adapter=[input]", "limit=1", "metric=[psnr]", f"out={place}/out")
        finally:
            allow("inf")
            s3fs.S3FileSystem.clear_instance_cache()
        assert done.status == 2
        assert "AWS_ACCESS_KEY_ID" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1

    def test_a_bucket_that_is_not_there(self, place: str, command: Callable[..., object]) -> None:
        with pytest.raises(DatasetError, match="no such bucket"):
            Folder("s3://nobody-has-this/faces").samples()
        done = command("run", "adapter=[input]", "limit=1", "metric=[psnr]", "out=s3://nobody-has-this/out")
        assert done.status == 2
        assert "no such bucket" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_server_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        s3fs.S3FileSystem.clear_instance_cache()
        try:
            with pytest.raises(StoreError, match="AWS_ENDPOINT_URL"):
                Store(as_path(f"{place}/out"))
        finally:
            s3fs.S3FileSystem.clear_instance_cache()

    def test_a_folder_that_is_not_there(self, place: str) -> None:
        with pytest.raises(DatasetError, match="no images in s3://"):
            Folder(f"{place}/nothing").samples()

    def test_the_library_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "restorebench.bench.storage.objects", None)
        with pytest.raises(ConfigError, match=r"restorebench\[s3\]"):
            as_path("s3://bucket/folder")

    def test_mlflow_has_no_place_there(self, place: str, small_faces: Path, command: Callable[..., object]) -> None:
        arguments = [
            "run",
            "dataset=folder",
            f"dataset.root={small_faces}",
            "adapter=[input]",
            "limit=1",
            "metric=[psnr]",
        ]
        with pytest.warns(UserWarning, match="mlflow.uri"):
            done = command(*arguments, "degradation=[mild]", f"out={place}/out")
        assert done.status == 0


def test_data_on_a_bucket_and_results_on_a_disk(place: str, faces: Path, command: Callable[..., object]) -> None:
    data = put(faces, f"{place}/hq")
    shutil.rmtree(faces)
    arguments = ["run", "dataset=folder", f"dataset.root={data}", "adapter=[input]", "limit=2", "metric=[psnr]"]
    assert command(*arguments, "degradation=[mild]", f"out={faces.parent / 'out'}", "mlflow.enabled=false").status == 0
