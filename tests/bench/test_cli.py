"""What the command line says when something is wrong, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pandas as pd
import pytest

import restorebench

FAKE = ["metric=[]", "+metric.mae._target_=fakes.Mae", "mlflow.enabled=false"]
INPUT = ["adapter=[input]", "degradation=[mild]"]


def no_traceback(text: str) -> bool:
    return "Traceback" not in text and "HYDRA_FULL_ERROR" not in text


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["run", "adapter=[lancos]"], ["adapter: no choice 'lancos'", "Did you mean 'lanczos'?"]),
        (["run", "bathc=2"], ["bathc: no such setting", "Did you mean 'batch'?"]),
        (["run", "mlflow.uir=x"], ["mlflow.uir: no such setting", "Did you mean 'mlflow.uri'?"]),
        (["run", "batch=two"], ["batch: 'two' is not of type integer"]),
        (["run", "batch=0"], ["batch: 0 is too small"]),
        (["run", "device=tpu"], ["device: 'tpu' is not auto, cpu"]),
        (["run", "device=cuda:99", *INPUT, *FAKE, "limit=1"], ["device=cuda:99: torch finds"]),
        (["run", "adapter.nlmeans.h=abc"], ["adapter.nlmeans.h: 'abc' is not float"]),
        (["run", "adapter.nlmeans.hh=3"], ["adapter.nlmeans.hh: no such setting"]),
        (["run", "+adapter.nlmeans.hh=3"], ["adapter.nlmeans.hh: no such setting", "Did you mean 'h'?"]),
        (["run", "adapter.realesrgan.checkpoint=/nowhere.pth"], ["checkpoint: /nowhere.pth is not a file"]),
        (["run", "adapter=[]", *FAKE], ["adapter: nothing selected"]),
        (["run", "experiment=nope"], ["experiment: no choice 'nope'"]),
        (["run", "+adapter.x._target_=no.such.Thing"], ["adapter.x: cannot import no.such.Thing"]),
        (["run", "+adapter.x.a=1"], ["adapter.x: has no _target_"]),
        (["run", "dataset=folder"], ["dataset.folder.root: a value is needed"]),
        (["run", "dataset=folder", "dataset.root=/nowhere"], ["/nowhere"]),
        (["run", "degradation=given", *FAKE], ["degradation=given", "brings no LQ images"]),
        (["score"], ["restored: a folder of restored images is needed"]),
        (["report", "out=/nowhere"], ["/nowhere: no finished results", "restorebench run out="]),
        (["rnu"], ["no command 'rnu'", "Did you mean 'run'?"]),
        (["run", "hello"], ["'hello' is not an override"]),
    ],
)
def test_a_wrong_word_is_one_clear_line(
    arguments: list[str], parts: list[str], command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command(*arguments)
    assert outcome.status == 2
    assert len(outcome.stderr.strip().splitlines()) == 1
    for part in parts:
        assert part in outcome.stderr
    assert no_traceback(outcome.stderr)


def test_an_empty_folder_is_refused(command: Callable, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = command("run", "dataset=folder", f"dataset.root={tmp_path / 'empty'}", f"out={tmp_path / 'out'}")
    assert outcome.status == 2
    assert "no images" in outcome.stderr


def test_names_that_differ_are_listed(command: Callable, faces: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    for old, new in (("a", "a"), ("b", "bb"), ("c", "c")):
        cv2.imwrite(str(results / f"{new}.png"), cv2.imread(str(faces / f"{old}.png")))
    outcome = command("score", f"restored={results}", f"reference={faces}", f"out={tmp_path / 'out'}", *FAKE)
    assert outcome.status == 2
    for name in ("b", "d", "e", "bb"):
        assert name in outcome.stderr.split("pair;")[1]


def test_an_out_that_cannot_be_written_is_named_before_any_work(command: Callable, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    outcome = command("run", *INPUT, *FAKE, f"out={tmp_path / 'file'}")
    assert outcome.status == 2
    assert "choose another folder with out=DIR" in outcome.stderr


def test_bad_images_among_good_ones_cost_their_rows_only(command: Callable, faces: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    for path in faces.glob("*.png"):
        cv2.imwrite(str(results / path.name), cv2.imread(str(path)))
    (results / "a.png").write_bytes((results / "a.png").read_bytes()[:500])
    cv2.imwrite(str(results / "b.png"), cv2.imread(str(results / "b.png"))[:32])
    outcome = command("score", f"restored={results}", f"reference={faces}", f"out={tmp_path / 'out'}", *FAKE)
    assert outcome.status == 3
    rows = pd.read_parquet(tmp_path / "out" / "report" / "per_image.parquet")
    rows = rows[rows["restorer"] == "results"].set_index("sample")
    assert rows["status"].to_dict() == {"a": "failed", "b": "failed", "c": "ok", "d": "ok", "e": "ok"}
    assert "damaged image" in rows.loc["a", "error"]
    assert "32 x 64" in rows.loc["b", "error"]
    assert "64 x 64" in rows.loc["b", "error"]


def test_a_sweep_shares_one_folder_and_one_report(command: Callable, faces: Path, tmp_path: Path) -> None:
    data = ["dataset=folder", f"dataset.root={faces}", f"out={tmp_path / 'out'}"]
    outcome = command("run", "-m", "adapter=input,lanczos", "degradation=mild,severe", *data, *FAKE)
    assert outcome.status == 0
    assert outcome.stdout.count("report: ") == 1
    board = pd.read_csv(tmp_path / "out" / "report" / "leaderboard.csv")
    assert set(board["restorer"]) == {"input", "lanczos", "reference"}
    assert set(board["split"]) == {"mild", "severe"}


def test_one_job_of_a_sweep_may_fail(command: Callable, faces: Path, tmp_path: Path) -> None:
    data = ["dataset=folder", f"dataset.root={faces}", f"out={tmp_path / 'out'}"]
    outcome = command("run", "-m", "batch=0,2", *INPUT, *data, *FAKE)
    assert outcome.status == 2
    assert "batch: 0 is too small" in outcome.stderr
    assert (tmp_path / "out" / "report" / "index.html").exists()


def test_a_second_instance_stands_beside_the_first(command: Callable, faces: Path, tmp_path: Path) -> None:
    twice = ["adapter=[nlmeans]", "+adapter@adapter.strong=nlmeans", "adapter.strong.h=30", "degradation=[severe]"]
    outcome = command("run", *twice, "dataset=folder", f"dataset.root={faces}", f"out={tmp_path / 'out'}", *FAKE)
    assert outcome.status == 0
    value = pd.read_csv(tmp_path / "out" / "report" / "leaderboard.csv").set_index("restorer")["value"]
    assert value["nlmeans"] != value["strong"]


def test_help_teaches_and_costs_nothing(command: Callable) -> None:
    assert "restorebench synthesize" in command("--help").stdout
    for name in ("run", "score", "synthesize", "report"):
        outcome = command(name, "--help")
        assert outcome.status == 0
        assert f"restorebench {name}" in outcome.stdout
        assert "out: " in outcome.stdout
    assert "limit: 3" in command("run", "limit=3", "--cfg", "job").stdout


def test_the_recorded_command_asks_for_the_same_again(command: Callable, faces: Path, tmp_path: Path) -> None:
    """It stands on the page under How to reproduce, also where the command was given in Python."""
    out = tmp_path / "my out"
    quick = ["device=cpu", "report.enabled=false", f"out={out}"]
    command("run", "adapter=[input]", "dataset=folder", f"dataset.root={faces}", "degradation=[mild]", *FAKE, *quick)
    restorebench.score(faces, faces, [], *FAKE[1:], *quick[:2], out=out)
    recorded = [json.loads(path.read_text())["command"] for path in sorted((out / "store" / "plans").glob("*.json"))]
    assert sorted(words[:2] for words in recorded) == [["restorebench", "run"], ["restorebench", "score"]]
    for words in recorded:
        assert command(*words[1:]).status == 0
    again = sorted((out / "store" / "plans").glob("*.json"))
    assert len(again) == 2  # a repeated command replaces its record
