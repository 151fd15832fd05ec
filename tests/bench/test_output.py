"""The log of a worker that prints without end."""

from __future__ import annotations

import os
from pathlib import Path

from restorebench.bench.executors.output import Output


def printed(path: Path, *pieces: bytes, head: int = 100, tail: int = 50) -> bytes:
    output = Output(path, head, tail)
    for piece in pieces:
        output.write(piece)
    assert not path.exists() or path.stat().st_size <= head + tail
    output.close()
    return path.read_bytes()


def test_what_is_short_is_kept_whole(tmp_path: Path) -> None:
    assert printed(tmp_path / "log", b"a" * 90, b"b" * 60) == b"a" * 90 + b"b" * 60


def test_of_what_is_long_head_and_tail_are_kept(tmp_path: Path) -> None:
    lines = [b"%06d\n" % number for number in range(1000)]
    log = printed(tmp_path / "log", *lines)
    everything = b"".join(lines)
    assert log.startswith(everything[:100])
    assert log.endswith(everything[-50:])
    assert b"... 6850 bytes left out here ..." in log
    assert len(log) < 200


def test_one_piece_may_be_longer_than_everything_that_is_kept(tmp_path: Path) -> None:
    data = os.urandom(10_000)
    log = printed(tmp_path / "log", data)
    assert log.startswith(data[:100])
    assert log.endswith(data[-50:])


def test_a_worker_that_prints_nothing_leaves_no_file(tmp_path: Path) -> None:
    Output(tmp_path / "log").close()
    assert not (tmp_path / "log").exists()


def test_several_workers_share_a_log_and_their_pipes_are_read_to_the_end(tmp_path: Path) -> None:
    output = Output(tmp_path / "log")
    for text in (b"first\n", b"second\n"):
        reading, writing = os.pipe()
        output.drain(reading)
        os.write(writing, text)
        os.close(writing)
    output.close()
    assert sorted((tmp_path / "log").read_bytes().splitlines()) == [b"first", b"second"]
