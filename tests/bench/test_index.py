"""The index is a cache: whatever happens to it, the store gives the same answers."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from restorebench.bench.files import write_atomic
from restorebench.bench.storage import index as index_module
from restorebench.bench.storage import store as store_module
from restorebench.bench.storage.store import Commit, Store

COMMITS = 6
RESTORED = {"image": ["a" * 64, 8, 9], "seconds": 0.5, "note": "", "cost": {"parameters": None}}


def fill(out: Path) -> None:
    store = Store(out)
    for i in range(COMMITS):
        scores = {f"s{i}": {"psnr": i / 7}, "shared": {"psnr": 30.0}}
        rows = {f"{i:031}{j}": np.full(3, 10 * i + j, np.float32) for j in range(3)}
        store.commit(Commit(scores=scores, restored={f"r{i}": RESTORED}, features=rows))
    store.close()


def answers(store: Store) -> list[object]:
    keys = [f"{i:031}{j}" for i in range(COMMITS) for j in range(3)]
    rows = np.concatenate(list(store.features(keys).blocks())).tolist()
    store.close()
    return [*(store.scores.get(f"s{i}") for i in range(COMMITS)), store.scores["shared"], store.restored["r3"], rows]


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / "home"))
    fill(tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def expected(out: Path) -> list[object]:
    found = answers(Store(out))
    assert found[2] == {"psnr": 2 / 7}
    return found


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the commits that were read."""
    names: list[str] = []
    fetch = Store._fetch

    def watched(self, several):
        names.extend(several)
        return fetch(self, several)

    monkeypatch.setattr(Store, "_fetch", watched)
    return names


def test_opening_a_store_reads_only_commits_that_are_new(out: Path, read: list[str]) -> None:
    Store(out)
    assert read == []
    other = Store(out)
    other.commit(Commit(scores={"new": {"psnr": 1.0}}))  # and its process dies before the index is written
    assert Store(out).scores["new"] == {"psnr": 1.0}
    assert len(set(read)) == 1


def test_a_record_costs_one_commit_which_is_kept_open(out: Path, read: list[str]) -> None:
    store = Store(out)
    for _ in range(3):
        assert store.scores["s4"] == {"psnr": 4 / 7}
    assert store.restored["r4"]
    assert store.scores.get("nobody has this") is None
    assert len(set(read)) == 1


def gone(path: Path) -> None:
    path.unlink()


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 999)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def scrambled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = np.random.default_rng(0).integers(0, 256, len(data) - 4096, dtype=np.uint8).tobytes()
    path.write_bytes(bytes(data))


def emptied(path: Path) -> None:
    with sqlite3.connect(path) as database:
        for table in ("commits", "keys", "files", "rows"):
            database.execute(f"DELETE FROM {table}")


def of_another_version(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")


def of_another_version_in_use(path: Path) -> None:
    """The version stands in the log beside the tables only, for a connection that lasts keeps it there."""
    IN_USE.append(sqlite3.connect(path))
    IN_USE[-1].execute("PRAGMA user_version = 99")


IN_USE: list[sqlite3.Connection] = []
DAMAGES = [gone, garbage, empty, halved, scrambled, emptied, of_another_version, of_another_version_in_use]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_made_again(out: Path, expected: list[object], damage, read: list[str]) -> None:
    damage(out / "store" / "index.sqlite")
    assert answers(Store(out)) == expected
    assert len(read) >= COMMITS  # what was there is not believed
    while IN_USE:
        IN_USE.pop().close()
    read.clear()
    assert answers(Store(out)) == expected
    assert len(read) <= COMMITS  # the index is back: nothing is read but what is asked for


def test_rows_that_point_elsewhere_give_nothing_rather_than_something_else(out: Path) -> None:
    with sqlite3.connect(out / "store" / "index.sqlite") as database:
        database.execute("UPDATE keys SET number = 1")
        database.execute("UPDATE rows SET row = (row + 1) % 3")
    store = Store(out)
    held = [store.scores.get(f"s{i}") for i in range(COMMITS)]
    assert all(found in (None, {"psnr": i / 7}) for i, found in enumerate(held))
    assert not store.find_features([f"{i:031}{j}" for i in range(COMMITS) for j in range(3)]).present.any()


def test_equal_hashes_of_different_keys_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "short", lambda *_: 7)
    fill(tmp_path / "out")
    store = Store(tmp_path / "out")
    assert all(store.scores.get(f"s{i}") in (None, {"psnr": i / 7}) for i in range(COMMITS))
    found = store.find_features([f"{i:031}0" for i in range(COMMITS)])
    assert np.concatenate(list(found.take(found.present).blocks())).tolist() in (
        [[10.0 * i] * 3] for i in range(COMMITS)
    )


def test_the_index_of_another_store_is_not_believed(out: Path, expected: list[object], tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    other.commit(Commit(scores={"s0": {"psnr": -1.0}}))
    other.close()
    shutil.copy(tmp_path / "other" / "store" / "index.sqlite", out / "store" / "index.sqlite")
    assert answers(Store(out)) == expected


def test_what_a_removed_commit_held_is_found_in_another_that_holds_it_too(out: Path) -> None:
    for _ in range(COMMITS - 1):
        holder = Store(out)._index.find("scores", "shared")
        (out / "store" / "commits" / f"{holder}.json").unlink()
        assert Store(out).scores["shared"] == {"psnr": 30.0}


def test_a_commit_that_was_damaged_after_it_was_indexed_is_reported_and_forgotten(out: Path) -> None:
    store = Store(out)
    path = out / "store" / "commits" / f"{store._index.find('scores', 's3')}.json"
    path.write_bytes(path.read_bytes().replace(b"0.42857", b"0.92857"))
    assert store.scores.get("s3") is None
    assert [path.name in line for line in store.unreadable] == [True]
    store.commit(Commit(scores={"s3": {"psnr": 0.5}}))  # computed again
    store.close()
    again = Store(out)
    assert again.scores["s3"] == {"psnr": 0.5}
    assert len(again.unreadable) == 1


def test_a_folder_that_cannot_be_written_has_its_index_in_the_cache(
    out: Path, expected: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    (out / "store" / "index.sqlite").unlink()
    monkeypatch.setattr(store_module.os, "access", lambda *_: False)
    assert answers(Store(out)) == expected
    assert not (out / "store" / "index.sqlite").exists()
    assert len(list((tmp_path / "home" / "index").glob("*.sqlite"))) == 1
    read.clear()
    Store(out)
    assert read == []


def test_without_any_place_for_an_index_answers_come_from_memory(
    out: Path, expected: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (out / "store" / "index.sqlite").unlink()
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(store_module, "_index_path", lambda _: tmp_path / "file" / "index.sqlite")
    assert answers(Store(out)) == expected


def test_memory_is_bounded_by_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_WAITING", 50)
    store = Store(tmp_path)
    for i in range(40):
        store.commit(Commit(scores={f"{i} {j}": {"psnr": float(j)} for j in range(9)}))
        assert len(store._index._keys) < 50
    assert all(store.scores[f"{i} 5"] == {"psnr": 5.0} for i in range(40))


def test_a_reader_sees_what_another_process_commits(out: Path) -> None:
    reader, writer = Store(out), Store(out)
    assert reader.scores.get("late") is None
    writer.commit(Commit(scores={"late": {"psnr": 2.0}}))
    writer.close()
    assert reader.scores["late"] == {"psnr": 2.0}


def test_what_was_learnt_is_known_until_there_is_too_much_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_LEARNT", 3)
    store = Store(tmp_path)
    for i in range(5):
        store.learn(Commit(scores={f"s{i}": {"psnr": float(i)}}, features={f"{i:032}": np.zeros(2, np.float32)}))
    assert [store.scores.get(f"s{i}") for i in range(5)] == [None, None, *({"psnr": float(i)} for i in (2, 3, 4))]
    assert [store.has_features(f"{i:032}") for i in range(5)] == [False, False, True, True, True]
    assert len(store._learnt) == 6


def test_threads_may_ask_while_another_commits(out: Path, expected: list[object]) -> None:
    store, wrong = Store(out), []

    def ask() -> None:
        for _ in range(20):
            wrong.extend(i for i in range(COMMITS) if store.scores.get(f"s{i}") != {"psnr": i / 7})

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(20):
        store.commit(Commit(scores={f"more {i}": {"psnr": 1.0}}))
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_store_of_the_first_version_still_opens(tmp_path: Path) -> None:
    """As the first release wrote it: no index beside the commits."""
    content = {
        "version": 1, "files": {"f" * 64: ["a" * 64, 8, 9]}, "degraded": {}, "images": {"a" * 64: 123},
        "restored": {"r": RESTORED},
        "scores": {"s": {"psnr": "inf"}}, "features": {},
    }  # fmt: skip
    data = json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
    write_atomic(tmp_path / "store" / "commits" / f"{hashlib.sha256(data).hexdigest()}.json", data)
    store = Store(tmp_path)
    assert store.files["f" * 64] == ["a" * 64, 8, 9]
    assert store.scores["s"] == {"psnr": float("inf")}
    assert "r" in store.restored
