"""Trained files by name: where they are looked for, what is trusted, and what is said when they are absent."""

import errno
import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from restorebench.bench import weights
from restorebench.bench.errors import WeightsError
from restorebench.bench.weights.unpickle import load_numpy_pickle

DATA = bytes(range(256)) * 2000
SHA = hashlib.sha256(DATA).hexdigest()
Known = Callable[..., None]


def from_url(url: str, **fields: object) -> dict[str, object]:
    return {"file": "net.bin", "sha256": SHA, "size": len(DATA), "sources": [{"url": url}], **fields}


def test_a_file_is_fetched_once_and_verified(known: Known, server, home: Path) -> None:
    server.files["/net.bin"] = DATA
    known({"net": from_url(f"{server.url}/net.bin")})
    first = weights.resolve({"net": None})["net"]
    assert first.path == home / "weights" / "net.bin"
    assert first.path.read_bytes() == DATA
    assert (first.sha256, first.verified, first.licence) == (SHA, True, "CC0-1.0")
    assert weights.path("net") == first.path
    assert len(server.asked) == 1


def test_a_user_folder_is_asked_before_the_network(known: Known, home: Path, tmp_path: Path, monkeypatch) -> None:
    wrong, right = tmp_path / "wrong", tmp_path / "right"
    for folder, data in ((wrong, b"something else"), (right, DATA)):
        folder.mkdir()
        (folder / "net.bin").write_bytes(data)
    monkeypatch.setenv("RESTOREBENCH_WEIGHTS", f"{wrong}{os.pathsep}{right}")
    known({"net": from_url("http://127.0.0.1:9/net.bin")})
    assert weights.path("net") == right / "net.bin"
    assert not home.exists()  # used where it lies


def test_a_file_of_the_right_name_and_wrong_content_is_named(known: Known, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "net.bin").write_bytes(b"something else")
    monkeypatch.setenv("RESTOREBENCH_WEIGHTS", str(tmp_path / "mine"))
    known({"net": from_url("http://127.0.0.1:9/net.bin")})
    with pytest.raises(WeightsError) as caught:
        weights.resolve({"net": None}, fetch=False)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert SHA in str(caught.value)


def test_what_is_missing_is_named_with_source_licence_and_command(known: Known) -> None:
    manual = {"file": "m.pth", "sha256": "unknown", "sources": [{"manual": "ask the authors, put it into a folder"}]}
    known({"net": from_url("https://example.org/net.bin"), "byhand": manual})
    with pytest.raises(WeightsError) as caught:
        weights.resolve({"net": None, "byhand": None}, fetch=False)
    message = str(caught.value)
    for part in ("net.bin", "https://example.org/net.bin", "CC0-1.0", "restorebench weights fetch net"):
        assert part in message
    assert caught.value.summary.count("\n") == 0
    for part in ("m.pth", "ask the authors", "by hand only", "RESTOREBENCH_WEIGHTS"):
        assert part in message


def test_every_entry_is_tried_before_the_error(known: Known, server) -> None:
    server.files["/net.bin"] = DATA
    absent = from_url(f"{server.url}/absent.bin", file="absent.bin")
    known({"absent": absent, "net": from_url(f"{server.url}/net.bin")})
    with pytest.raises(WeightsError, match="HTTP 404"):
        weights.fetch()
    assert weights.path("net").read_bytes() == DATA


def test_an_unknown_name_gets_a_suggestion(known: Known) -> None:
    known({"realesrgan-x4plus": from_url("https://example.org/net.bin")})
    with pytest.raises(WeightsError, match="Did you mean 'realesrgan-x4plus'"):
        weights.fetch(["realesrgan-x4plu"])


def test_a_wrong_download_is_refused_naming_both_digests(known: Known, server, home: Path) -> None:
    server.files["/net.bin"] = b"not the file"
    known({"net": from_url(f"{server.url}/net.bin")})
    with pytest.raises(WeightsError) as caught:
        weights.path("net")
    assert SHA in str(caught.value)
    assert hashlib.sha256(b"not the file").hexdigest() in str(caught.value)
    assert [file for file in (home / "weights").rglob("*") if file.is_file()] == []


def test_the_next_source_is_tried_after_a_wrong_one(known: Known, server) -> None:
    server.files |= {"/wrong.bin": b"no", "/net.bin": DATA}
    sources = [{"url": f"{server.url}/wrong.bin"}, {"url": f"{server.url}/net.bin"}]
    known({"net": from_url("", sources=sources)})
    assert weights.path("net").read_bytes() == DATA


def test_an_official_archive_gives_one_member(known: Known, server, home: Path) -> None:
    server.serve("/all.zip", "all.zip", {"models/net.bin": DATA, "models/other.bin": b"other"})
    known({"net": from_url("", sources=[{"url": f"{server.url}/all.zip", "member": "models/net.bin"}])})
    assert weights.path("net").read_bytes() == DATA
    assert sorted(file.name for file in home.rglob("*.*") if file.is_file()) == ["net.bin", "net.bin.lock"]


def test_a_damaged_cached_file_is_reported_and_fetched_again(known: Known, server) -> None:
    server.files["/net.bin"] = DATA
    known({"net": from_url(f"{server.url}/net.bin")})
    file = weights.path("net")
    file.write_bytes(DATA[:-1] + b"!")
    [check] = weights.verify(["net"])
    assert check.state == "damaged"
    assert SHA in check.detail
    with pytest.raises(WeightsError, match="weights fetch net"):
        weights.resolve({"net": None}, fetch=False)
    assert weights.path("net").read_bytes() == DATA
    assert weights.verify()[0].state == "verified"


def test_an_unknown_digest_is_recorded_and_held_to(known: Known, server) -> None:
    server.files["/net.bin"] = DATA
    known({"net": from_url(f"{server.url}/net.bin", sha256="unknown")})
    with pytest.raises(WeightsError, match="weights fetch net"):
        weights.identity({"net": None})
    assert weights.verify()[0].state == "absent"
    found = weights.resolve({"net": None})["net"]
    assert (found.verified, found.sha256) == (False, SHA)
    assert weights.expected_sha256("net") is None
    assert weights.identity({"net": None}) == {"net": SHA}
    found.path.write_bytes(b"changed")
    with pytest.raises(WeightsError, match=SHA):
        weights.resolve({"net": None}, fetch=False)


def test_identities_need_no_file(known: Known, home: Path) -> None:
    known({"net": from_url("https://example.org/net.bin")})
    assert weights.identity({"net": None}) == {"net": SHA}
    assert not home.exists()


def test_a_file_of_ones_own_is_taken_as_it_is(known: Known, tmp_path: Path) -> None:
    known({"net": from_url("https://example.org/net.bin")})
    mine, same = tmp_path / "mine.pth", tmp_path / "same.pth"
    mine.write_bytes(b"my own training")
    same.write_bytes(DATA)
    found = weights.resolve({"net": str(mine), "unlisted": str(same)})
    assert found["net"].sha256 == hashlib.sha256(b"my own training").hexdigest()
    assert (found["net"].verified, found["net"].licence) == (False, "the user's own file")
    assert found["unlisted"].verified is False
    assert weights.resolve({"net": str(same)})["net"].verified is True
    assert weights.identity({"net": str(mine)}) == {"net": found["net"].sha256}
    with pytest.raises(WeightsError, match="does not exist"):
        weights.resolve({"net": str(tmp_path / "nowhere.pth")})
    with pytest.raises(WeightsError, match="not a file"):
        weights.identity({"net": str(tmp_path)})


def test_groups_are_fetched_by_their_first_name(known: Known, server) -> None:
    server.files["/net.bin"] = DATA
    entries = {f"set/{i}": from_url(f"{server.url}/net.bin", file=f"set/{i}.bin") for i in (1, 2)}
    known({**entries, "net": from_url(f"{server.url}/net.bin")})
    assert [item.name for item in weights.fetch(["set"], progress=False)] == ["set/1", "set/2"]


def test_an_unwritable_home_is_said_plainly(known: Known, server, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / "file" / "home"))
    known({"net": from_url(f"{server.url}/net.bin")})
    with pytest.raises(WeightsError, match="RESTOREBENCH_HOME"):
        weights.path("net")


def test_a_full_disk_is_said_plainly(known: Known, server, monkeypatch) -> None:
    server.files["/net.bin"] = DATA
    known({"net": from_url(f"{server.url}/net.bin")})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match=r"disk is full.*RESTOREBENCH_HOME"):
        weights.path("net")


def test_an_unreachable_host_is_asked_once(known: Known, home: Path) -> None:
    entries = {f"n{i}": from_url("http://127.0.0.1:9/net.bin", file=f"{i}.bin") for i in (1, 2)}
    known(entries)
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
        weights.fetch()
    assert str(caught.value).count("cannot be reached") == 1


def test_passwords_stay_out_of_messages(known: Known, server, monkeypatch) -> None:
    artifact = {"project": "thing", "version": "1.0", "file": "thing-1.0.tar.gz"}
    known({"net": from_url("", sources=[{"artifact": "thing", "member": "net.bin"}])}, {"thing": artifact})
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url.replace('//', '//ann:secret@')}/simple")
    with pytest.raises(WeightsError, match="HTTP 404") as caught:
        weights.path("net")
    assert "secret" not in str(caught.value)


def test_two_processes_download_once(known: Known, server, home: Path) -> None:
    from restorebench.bench.weights import catalogue

    server.files["/net.bin"], server.pause = DATA, 1.0
    known({"net": from_url(f"{server.url}/net.bin")})
    code = (
        "import sys; from pathlib import Path; from restorebench.bench import weights; from restorebench.bench.weights import catalogue;"
        "catalogue.CATALOGUE = Path(sys.argv[1]); print(weights.path('net'))"
    )
    command = [sys.executable, "-c", code, str(catalogue.CATALOGUE)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [one.communicate()[0].strip() for one in both] == [str(home / "weights" / "net.bin")] * 2
    assert len(server.asked) == 1


def test_the_catalogue_is_complete_and_keeps_to_the_cache() -> None:
    listed = weights.entries()
    assert {e.name for e in listed} >= {"lpips-alex-backbone", "fid-inception", "realesrgan-x4plus", "yunet"}
    assert len({e.file for e in listed}) == len(listed)
    for entry in listed:
        assert entry.sources, entry.name
        assert entry.licence, entry.name
        assert entry.sha256 is None or len(entry.sha256) == 64, entry.name


def test_a_cached_name_cannot_leave_the_cache(known: Known) -> None:
    known({"net": from_url("https://example.org/net.bin", file="../net.bin")})
    with pytest.raises(WeightsError, match="must stay below the cache"):
        weights.entries()


def test_a_numpy_pickle_is_read(tmp_path: Path) -> None:
    content = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": [np.float32(2), "text", (1, None)]}
    for protocol in (2, 4, 5):
        file = tmp_path / f"{protocol}.ckpt"
        file.write_bytes(pickle.dumps(content, protocol))
        read = load_numpy_pickle(file)
        assert np.array_equal(read["a"], content["a"])
        assert read["b"][1:] == ["text", (1, None)]


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: {"a": np.zeros(2), "b": [m]}, lambda m: np.array([m])])
def test_a_malicious_pickle_is_refused_and_does_not_run(tmp_path: Path, wrap) -> None:
    file, trace = tmp_path / "bad.ckpt", tmp_path / "it-ran"
    file.write_bytes(pickle.dumps(wrap(Malicious(trace))))
    with pytest.raises(WeightsError, match="not loaded"):
        load_numpy_pickle(file)
    assert not trace.exists()


def test_a_damaged_pickle_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.ckpt"
    file.write_bytes(pickle.dumps({"a": np.zeros(100)})[:-40])
    with pytest.raises(WeightsError, match="not loaded"):
        load_numpy_pickle(file)


def test_the_published_backbone_is_a_plain_numpy_pickle() -> None:
    content = load_numpy_pickle(weights.path("lpips-alex-backbone"))
    assert isinstance(content, dict)
