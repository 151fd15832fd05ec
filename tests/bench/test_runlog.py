"""The log of a run: one JSON object an event, bounded, never in the way; and `-v`, which tells the same to people."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from restorebench.bench import runlog
from restorebench.bench.runlog import recorded, tell

SELECTION = ("degradation=mild", "metric=[]", "+metric.mae._target_=fakes.Mae", "threads=1", "mlflow.enabled=false",
             "report.enabled=false")  # fmt: skip
BROKEN = ("adapter=[input]", "+adapter.broken._target_=fakes.Broken", "+adapter.broken.victim=b")


def events(out: Path) -> list[dict[str, object]]:
    (path,) = (out / "logs").glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_tells_what_it_did_and_with_which_versions(command: Callable, faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = ("dataset=folder", f"dataset.root={faces}", f"out={out}", "shard=2")
    assert command("run", "adapter=[input]", *data, *SELECTION).status == 0
    told = events(out)
    assert [e["event"] for e in told][:2] == ["start", "plan"]
    assert told[0]["environment"]["versions"]["torch"]
    assert told[1]["images"] == 10
    shards = [e for e in told if e["event"] == "shard"]
    assert sum(e["images"] for e in shards) == 10
    assert all(
        {"time", "level", "cell", "restorer", "split", "restored", "found", "seconds"} <= e.keys() for e in shards
    )
    assert [e["restorer"] for e in told if e["event"] == "cell"] == ["input", "reference"]
    assert told[-1]["event"] == "end"


def test_a_failed_image_is_told_with_its_reason(command: Callable, faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert command("run", *BROKEN, "dataset=folder", f"dataset.root={faces}", f"out={out}", *SELECTION).status == 3
    (failed,) = (e for e in events(out) if e["event"] == "failed")
    assert (failed["level"], failed["restorer"], failed["sample"], failed["stage"]) == (
        "warning",
        "broken",
        "b",
        "restoring",
    )
    assert "the network fell over" in failed["reason"]


def test_a_repeated_run_tells_that_it_found_everything(command: Callable, faces: Path, tmp_path: Path) -> None:
    arguments = ("run", "adapter=[input]", "dataset=folder", f"dataset.root={faces}", *SELECTION)
    command(*arguments, f"out={tmp_path / 'out'}")
    again = command(*arguments, f"out={tmp_path / 'out'}", "-v")
    assert "0 restored, 5 found, 0 failed, 0 scores" in again.stderr
    assert len(list((tmp_path / "out" / "logs").glob("*.jsonl"))) in (1, 2)


def test_nothing_is_explained_unless_somebody_asks(command: Callable, faces: Path, tmp_path: Path) -> None:
    arguments = (
        "run",
        "adapter=[input]",
        "dataset=folder",
        f"dataset.root={faces}",
        *SELECTION,
        f"out={tmp_path / 'out'}",
    )
    assert command(*arguments).stderr == ""
    assert "plan" in command(*arguments, "-v").stderr
    assert command(*arguments).stderr == ""
    assert "wrote" in command("-vv", *arguments).stderr


def test_an_error_is_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), recorded(tmp_path, "test", {}):
        raise RuntimeError("the roof fell in")
    last = events(tmp_path)[-1]
    assert (last["event"], last["level"]) == ("error", "error")
    assert "the roof fell in" in last["reason"]
    assert "test_runlog.py" in last["trace"]


def test_the_log_is_bounded_but_keeps_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "LOG_BYTES", 5000)
    with recorded(tmp_path, "test", {}):
        for number in range(1000):
            tell("shard", "x" * 50_000, number=number, reason="y" * 50_000)
        tell("end", "done")
    told = events(tmp_path)
    assert told[-1]["event"] == "end"
    assert sum(path.stat().st_size for path in (tmp_path / "logs").iterdir()) < 20_000
    assert len(told) < 10


def test_only_the_newest_logs_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "LOGS", 3)
    (tmp_path / "logs").mkdir()
    for year in range(1990, 2000):
        (tmp_path / "logs" / f"{year}0101T000000-1.jsonl").write_text("{}\n")
    with recorded(tmp_path, "test", {}):
        tell("end", "done")
    assert len(list((tmp_path / "logs").iterdir())) == 3


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    with recorded(tmp_path, "test", {}):
        tell("shard", "the work goes on")


def test_names_that_are_no_unicode_can_be_told(tmp_path: Path) -> None:
    with recorded(tmp_path, "test", {}):
        tell("failed", "bad name \udcff", sample="\udcff\n")
    assert events(tmp_path)[-1]["event"] == "failed"


def test_a_program_around_us_hears_what_it_asked_for_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("restorebench")
    assert not logger.handlers
    with recorded(tmp_path, "test", {}):
        tell("plan", "quiet")
        tell("failed", "loud", level=logging.WARNING)
    assert [record.getMessage() for record in caplog.records] == ["loud"]
    assert not logger.handlers
    assert logger.level == logging.NOTSET
