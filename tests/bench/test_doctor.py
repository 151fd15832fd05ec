"""`restorebench doctor` finds what is missing or damaged and says what helps."""

import json
from pathlib import Path

import numpy as np
import pytest

from restorebench.bench import doctor, machine
from restorebench.bench.errors import StoreError
from restorebench.bench.storage.store import Commit, Store
from restorebench.bench.weights.catalogue import entry

NIQE = "niqe-parameters"


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that never ran restorebench."""
    home = tmp_path / "home"
    monkeypatch.setenv("RESTOREBENCH_HOME", str(home))
    monkeypatch.delenv("RESTOREBENCH_WEIGHTS", raising=False)
    return home


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A store with one image."""
    store = Store(tmp_path / "out")
    sha256, size = store.put_image(np.full((8, 8, 3), 7, np.uint8))
    store.commit(Commit(images={sha256: size}))
    return tmp_path / "out"


def found(checks: list[doctor.Check], name: str) -> doctor.Check:
    (check,) = (check for check in checks if check.name == name)
    return check


def test_a_machine_without_weights_is_usable_and_told_how_to_fetch_them(empty_home: Path) -> None:
    checks = doctor.examine()
    weights = found(checks, "weights")
    assert weights.status == "warn"
    assert "absent" in weights.found
    assert "restorebench weights fetch" in weights.advice
    assert {check.name for check in checks if check.status == "fail"} == set()


def test_a_damaged_weights_file_fails_and_is_named(empty_home: Path) -> None:
    file = empty_home / "weights" / entry(NIQE).file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not the parameters")
    weights = found(doctor.examine(), "weights")
    assert weights.status == "fail"
    assert f"restorebench weights fetch {NIQE}" in weights.advice


def test_a_folder_that_does_not_exist_yet_is_judged_by_the_disk_it_would_be_on(tmp_path: Path) -> None:
    check = found(doctor.examine(tmp_path / "not" / "yet"), "space for results")
    assert check.status in {"ok", "warn"}
    assert "GiB free" in check.found


def test_a_check_that_breaks_is_a_finding_and_the_others_are_still_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[object]:
        raise OSError("disk on fire")

    monkeypatch.setattr(machine.weights, "verify", broken)
    checks = doctor.examine()
    assert found(checks, "weights").status == "fail"
    assert "disk on fire" in found(checks, "weights").found
    assert found(checks, "torch").status in {"ok", "warn"}


def test_the_json_form_carries_checks_and_environment(empty_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {check["name"] for check in data["checks"]} >= {"python", "torch", "opencv", "mlflow", "weights"}
    assert data["environment"]["versions"]["torch"]


def test_the_json_form_is_stable(empty_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doctor.main(["--json"])
    data = json.loads(capsys.readouterr().out)
    assert (data["schema"], data["ok"]) == (1, True)
    assert [set(check) for check in data["checks"]] == [{"name", "status", "found", "advice"}] * len(data["checks"])
    names = [
        "python",
        "torch",
        "gpu",
        "memory",
        "opencv",
        "mlflow",
        "space for results",
        "space for weights",
        "weights",
    ]
    assert [check["name"] for check in data["checks"]][:10] == [*names, "data sets"]
    assert {check["status"] for check in data["checks"]} <= {"ok", "warn", "fail"}


def test_an_extra_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine.EXTRAS, "ray", ("no_such_module", "executor=ray"))
    extra = found(doctor.examine(), "extra ray")
    assert extra.status == "ok"
    assert "not installed" in extra.found
    assert extra.advice == "pip install 'restorebench[ray]'"


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_memory_gib", lambda: (0.5, 8.0))
    memory = found(doctor.examine(), "memory")
    assert memory.status == "warn"
    assert "batch" in memory.advice


def test_a_folder_that_refuses_a_file_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **more: object) -> object:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(machine.tempfile, "NamedTemporaryFile", refuse)
    room = found(doctor.examine(tmp_path), "space for results")
    assert room.status == "fail"
    assert "Read-only file system" in room.found


def test_a_damaged_record_of_a_command_is_found(out: Path) -> None:
    plans = out / "store" / "plans"
    plans.mkdir()
    (plans / "a.json").write_text("{")
    (problem,) = doctor.examine_store(out)
    assert "a.json" in problem.found


def test_an_intact_store_passes(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["store", str(out)]) == 0
    assert "ok" in capsys.readouterr().out


def test_one_changed_byte_in_a_stored_image_is_found(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (image,) = (out / "store" / "images").rglob("*.png")
    data = bytearray(image.read_bytes())
    data[-20] ^= 1
    image.write_bytes(data)
    assert doctor.main(["store", str(out), "--json"]) == 3
    (problem,) = json.loads(capsys.readouterr().out)["checks"]
    assert image.name in problem["found"]
    assert "again" in problem["advice"]


def test_a_changed_commit_is_found(out: Path) -> None:
    (commit,) = (out / "store" / "commits").glob("*.json")
    commit.write_bytes(commit.read_bytes() + b" ")
    assert [check.status for check in doctor.examine_store(out)] == ["fail"]


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        doctor.main(["store", str(tmp_path)])
