"""Submissions: exported, measured again by others, refused when they would run anything, published as pages."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import restorebench
from restorebench.bench.errors import ConfigError, InputError
from restorebench.bench.sharing import choice, leaderboard_command, submission
from restorebench.bench.sharing.choice import Choice, configure, describe
from restorebench.bench.sharing.shipped import choices
from restorebench.bench.spec import Spec

Command = Callable[..., tuple[int, str, str]]
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def ran(small_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shipped adapters, one with a setting of its own, on a folder of faces."""
    out = tmp_path_factory.mktemp("ran")
    restorebench.run(
        "adapter=[lanczos]", "+adapter@adapter.strong=nlmeans", "adapter.strong.h=20", "metric=[psnr,ssim]",
        "dataset=folder", f"dataset.folder.root={small_faces}", "dataset.folder.name=faces", "degradation=[mild,severe]",
        "+metric.mae._target_=fakes.Mae", "mlflow.enabled=false", "report.enabled=false", "threads=1", "executor=inline", out=out,
    )  # fmt: skip
    return out


@pytest.fixture
def sent(ran: Path, tmp_path: Path, command: Command) -> Path:
    """What its authors send."""
    file = tmp_path / "strong.json"
    status, _, error = command("submit", f"out={ran}", "adapter=strong", "--name", "NLM, h = 20", "--output", file)
    assert status == 0
    assert "left out: metric 'mae': cannot be named to others: fakes.Mae does not ship with restorebench" in error
    return file


def edited(file: Path, edit: Edit) -> Path:
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))
    return file


def test_a_submission_says_all_that_is_needed_and_no_path(sent: Path, ran: Path, small_faces: Path) -> None:
    text = sent.read_text()
    content = json.loads(text)
    assert content["adapter"] == {"name": "nlmeans", "settings": {"h": 20.0}}
    assert content["weights"] == {}
    assert content["datasets"] == {"faces": {"name": "folder", "settings": {"name": "faces"}}}
    assert content["degradations"] == {split: {"name": split, "settings": {}} for split in ("mild", "severe")}
    assert {(claim["split"], claim["metric"]) for claim in content["claims"]} == {
        (split, metric) for split in ("mild", "severe") for metric in ("psnr", "ssim")
    }
    assert all(len(claim["dataset_digest"]) == 32 and len(claim["lq_digest"]) == 32 for claim in content["claims"])
    assert content["restorebench"] == restorebench.__version__
    assert str(ran) not in text
    assert str(small_faces) not in text


def test_it_is_verified_by_somebody_who_has_the_data(sent: Path, small_faces: Path, command: Command) -> None:
    status, told, _ = command("verify", sent, "--data", small_faces, "--threads", "1")
    assert status == 0
    assert "NLM, h = 20: 4 of 4 numbers verified" in told
    result = json.loads(sent.with_name("strong.verified.json").read_text())
    assert [one["status"] for one in result["checked"]] == ["verified"] * 4
    assert result["submission"] == json.loads(sent.read_text())
    assert command("verify", sent.with_name("strong.verified.json"), "--data", small_faces)[0] == 0


def test_a_number_that_does_not_come_out_is_marked_with_what_came_out(
    sent: Path, small_faces: Path, command: Command
) -> None:
    def better(content: dict[str, Any]) -> None:
        content["claims"][0]["value"] += 1

    status, told, _ = command("verify", edited(sent, better), "--data", f"faces.root={small_faces}")
    assert status == 3
    assert "measured minus claimed is -1" in told
    one = json.loads(sent.with_name("strong.verified.json").read_text())["checked"][0]
    assert one["status"] == "differs"
    assert one["tolerance"] == pytest.approx(0.005)
    assert "3 of 4 numbers verified" in told


def test_a_number_printed_with_the_digits_of_our_tables_is_verified(
    sent: Path, small_faces: Path, command: Command
) -> None:
    def rounded(content: dict[str, Any]) -> None:
        for claim in content["claims"]:
            claim["value"] = round(claim["value"], 2 if claim["metric"] == "psnr" else 4)

    assert command("verify", edited(sent, rounded), "--data", small_faces)[0] == 0


def test_without_the_data_or_on_other_data_nothing_is_verified(sent: Path, faces: Path, command: Command) -> None:
    status, told, _ = command("verify", sent)
    assert status == 3
    assert "say where it lies: --data root=DIR" in told
    (faces / "a.png").unlink()
    status, told, _ = command("verify", sent, "--data", faces)
    assert status == 3
    assert "the references here have digest" in told
    assert command("verify", sent, "--data", faces / "nowhere")[0] == 2
    assert command("verify", sent, "--data", f"other.root={faces}")[0] == 2


def test_a_metric_that_was_another_is_not_compared(sent: Path, small_faces: Path, command: Command) -> None:
    def other(content: dict[str, Any]) -> None:
        content["claims"][0]["metric_id"] = "psnr(rgb,peak=1,crop=4) v1"

    status, told, _ = command("verify", edited(sent, other), "--data", small_faces)
    assert status == 3
    assert "the metric here is psnr(rgb,peak=1,crop=0) v1, that of the claim psnr(rgb,peak=1,crop=4) v1" in told


# -- hostile ones -------------------------------------------------------------------------------


def put(*path: Any, value: Any) -> Edit:
    def edit(content: Any) -> None:
        for part in path[:-1]:
            content = content[part]
        content[path[-1]] = value

    return edit


HOSTILE = {
    "a target": put("adapter", "settings", value={"_target_": "os.system"}),
    "a nested target": put("adapter", "settings", value={"enhancer._target_": "os.system"}),
    "a target instead of a name": put("adapter", value={"_target_": "os.system", "command": "touch pwned"}),
    "a command": put("adapter", value={"name": "command", "settings": {"command": "touch pwned"}}),
    "a command without settings": put("adapter", "name", value="command"),
    "spandrel": put("adapter", value={"name": "spandrel", "settings": {"checkpoint": "evil"}}),
    "onnx": put("adapter", "name", value="onnx"),
    "exported": put("adapter", "name", value="exported"),
    "a folder": put("adapter", value={"name": "folder", "settings": {"path": "results"}}),
    "a metric by name": put("metrics", "psnr", value={"name": "pyiqa", "settings": {"name": "qalign"}}),
    "a checkpoint": put("adapter", value={"name": "realesrgan", "settings": {"checkpoint": "evil.pth"}}),
    "landmarks from a file": put("adapter", value={"name": "dfdnet", "settings": {"landmarks": "evil"}}),
    "a path as a name": put("adapter", "name", value="../../conf/adapter/command"),
    "an absolute path": put("datasets", "faces", value={"name": "folder", "settings": {"root": "/etc"}}),
    "a path below": put("datasets", "faces", "settings", value={"name": "../faces"}),
    "an interpolation": put("datasets", "faces", "settings", value={"name": "${oc.env:HOME}"}),
    "an interpolation of a number": put("adapter", "settings", value={"h": "${oc.env:HOME}"}),
    "override characters": put("adapter", "name", value="nlmeans,+adapter=command"),
    "override characters in a value": put("adapter", "settings", value={"h": "1,2"}),
    "a list": put("adapter", "settings", value={"h": [1, 2]}),
    "a mapping": put("adapter", "settings", value={"h": {"_target_": "os.system"}}),
    "a degradation's steps": put("degradations", "mild", value={"name": "mild", "settings": {"steps": 1}}),
    "a setting that is not there": put("adapter", "settings", value={"zzz": 1}),
    "another key": put("pickle", value="gASV"),
    "another format": put("format", value="restorebench-submission-2"),
    "a wrong type": put("limit", value="0"),
    "a script as an address": put("url", value="javascript:alert(1)"),
    "weights that are not asked for": put("weights", value={"gfpgan-1.4": "0" * 64}),
    "no digest": put("claims", 0, "lq_digest", value="../../etc/passwd"),
    "a split nobody makes": put("claims", 0, "split", value="x8"),
    "a set that is not described": put("claims", 0, "dataset", value="other"),
    "no claims": put("claims", value=[]),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_submission_is_one_line_and_runs_nothing(
    what: str, sent: Path, small_faces: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("something was run"))
    monkeypatch.setattr("os.system", lambda *_: pytest.fail("something was run"))
    edited(sent, HOSTILE[what])
    status, _, error = command("verify", sent, "--data", small_faces, "--no-fetch")
    assert status == 2
    assert error.startswith("restorebench: ")
    assert error.count("\n") == 1
    assert [*Path().iterdir()] == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '{"format": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, "\x00\xff", '{"format": 1e999}'],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_no_submission_is_one_line(text: str, tmp_path: Path, command: Command) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(text.encode("latin-1"))
    for arguments in (["verify", file], ["leaderboard", "add", file, tmp_path / "board"]):
        status, _, error = command(*arguments)
        assert status == 2
        assert error.count("\n") == 1
    assert not (tmp_path / "board").exists()


def test_a_file_that_is_not_there_or_too_large_is_one_line(tmp_path: Path, command: Command) -> None:
    assert command("verify", tmp_path / "nothing.json")[0] == 2
    (tmp_path / "large.json").write_bytes(b" " * (submission.MOST_BYTES + 1))
    with pytest.raises(InputError, match="larger than 4 MiB"):
        submission.read(tmp_path / "large.json")


def test_only_what_needs_nothing_from_elsewhere_can_be_named() -> None:
    def nameable(group: str) -> Iterator[str]:
        for name, content in choices(group).items():
            if "_target_" in content:
                try:
                    configure(group, Choice(name=name))
                except ConfigError:
                    continue
                yield name

    adapters = set(nameable("adapter"))
    assert {*choices("adapter")} - adapters == {"command", "exported", "folder", "onnx", "spandrel"}
    assert {*choices("metric")} - {*nameable("metric")} == {"pyiqa"}


@pytest.mark.parametrize("group", ["adapter", "metric", "degradation"])
def test_what_ships_is_described_as_itself_and_built_the_same(group: str) -> None:
    for name, content in choices(group).items():
        if "_target_" not in content or name in ("command", "exported", "folder", "onnx", "spandrel", "pyiqa"):
            continue
        described = describe(group, name, content)
        assert described == Choice(name=name)
        assert choice.spec(group, described) == Spec.of(content, name)


def test_weights_are_the_claimed_ones_or_the_ones_the_checker_brings(tmp_path: Path, command: Command) -> None:
    claim = {
        "dataset": "builtin", "split": "mild", "protocol": "standard", "metric": "psnr", "of": "psnr",
        "metric_id": "psnr(rgb,peak=1,crop=0) v1", "value": 20.0, "n": 1, "dataset_digest": "0" * 32, "lq_digest": "0" * 32,
    }  # fmt: skip
    content = {
        "format": "restorebench-submission-1", "system": "own", "restorebench": "0.1.0",
        "adapter": {"name": "dncnn", "settings": {}}, "weights": {}, "datasets": {"builtin": {"name": "builtin"}},
        "degradations": {"mild": {"name": "mild"}}, "metrics": {"psnr": {"name": "psnr"}},
        "degradation_seed": 0, "restorer_seeds": [0], "limit": 1, "claims": [claim],
    }  # fmt: skip
    (name,) = choice.spec("adapter", Choice(name="dncnn")).build().weights
    content["weights"] = {name: "1" * 64}
    file = tmp_path / "own.json"
    file.write_text(json.dumps(content))
    status, told, _ = command("verify", file, "--no-fetch")
    assert status == 3
    assert f"the claim is about a file with sha256 {'1' * 64}" in told
    assert "--checkpoint FILE" in told
    other = tmp_path / "other.pth"
    other.write_bytes(b"something else")
    status, _, error = command("verify", file, "--no-fetch", "--checkpoint", other)
    assert status == 2
    assert f"{other}: has sha256 " in error


# -- the folder ---------------------------------------------------------------------------------


@pytest.fixture
def verified(sent: Path, small_faces: Path, command: Command) -> Path:
    assert command("verify", sent, "--data", small_faces)[0] == 0
    return sent.with_name("strong.verified.json")


def test_a_leaderboard_is_pages_that_need_nothing(
    sent: Path, verified: Path, ran: Path, tmp_path: Path, command: Command
) -> None:
    board = tmp_path / "board"
    assert command("submit", f"out={ran}", "adapter=lanczos", "--output", tmp_path / "lanczos.json")[0] == 0
    assert command("leaderboard", "add", sent, tmp_path / "lanczos.json", board)[0] == 0
    assert "replaces the entry" in command("leaderboard", "add", verified, board)[1]
    assert "is there already, and verified" in command("leaderboard", "add", sent, board)[1]
    assert "is there already\n" in command("leaderboard", "add", verified, board)[1]
    assert len([*(board / "entries").iterdir()]) == 2
    (page,) = board.glob("board-*.html")
    text = page.read_text()
    assert text.count("✓ verified</span>") == 4
    assert text.count(">claimed</span>") == 4
    assert page.name in (board / "index.html").read_text()
    for html in (text, (board / "index.html").read_text()):
        assert "default-src 'none'" in html
        assert "http" not in html.replace("http-equiv", "")
    before = {path: path.read_bytes() for path in board.rglob("*") if path.is_file()}
    assert command("leaderboard", "build", board)[0] == 0
    assert {path: path.read_bytes() for path in board.rglob("*") if path.is_file()} == before


def test_numbers_of_other_identity_have_a_column_or_a_table_of_their_own(
    sent: Path, tmp_path: Path, command: Command
) -> None:
    def other_metric(content: dict[str, Any]) -> None:
        content["system"] = "other"
        content["claims"][0]["metric_id"] = "psnr(y,peak=1,crop=4) v1"

    def other_pixels(content: dict[str, Any]) -> None:
        content["system"] = "third"
        for claim in content["claims"]:
            claim["lq_digest"] = "a" * 32

    def other_set(content: dict[str, Any]) -> None:
        content["system"] = "fourth"
        for claim in content["claims"]:
            claim["dataset_digest"] = "b" * 32

    files = [sent]
    for number, edit in enumerate((other_metric, other_pixels, other_set)):
        files.append(edited(Path(shutil.copy(sent, tmp_path / f"{number}.json")), edit))
    assert command("leaderboard", "add", *files, tmp_path / "board")[0] == 0
    pages = sorted((tmp_path / "board").glob("board-*.html"), key=lambda path: len(path.read_text()))
    assert len(pages) == 2  # one per pixels of the references
    text = pages[1].read_text()
    assert text.count("<h2>mild (LQ ") == 2
    assert len(set(re.findall(r"PSNR \((\w{4})\)", text))) == 2  # two columns
    assert "PSNR <" not in text


def test_texts_of_a_submission_do_nothing_on_the_page(sent: Path, tmp_path: Path, command: Command) -> None:
    evil = "<img src=x onerror=alert(1)>"

    def hostile(content: dict[str, Any]) -> None:
        content |= {"system": evil, "paper": f"</table>{evil}", "contact": "\"'><script>alert(1)</script>"}
        for claim in content["claims"]:
            claim |= {"dataset": evil, "protocol": "../../x", "split": evil, "metric": evil}
        content["datasets"] = {evil: content["datasets"]["faces"]}
        for number, claim in enumerate(content["claims"]):
            claim["metric_id"] = f"{evil}{number}"

    edited(sent, hostile)
    assert command("leaderboard", "add", sent, tmp_path / "board")[0] == 0
    for page in (tmp_path / "board").glob("*.html"):
        assert "<img" not in page.read_text()
        assert "<script>alert" not in page.read_text()
    assert {path.parent for path in tmp_path.rglob("*.html")} == {tmp_path / "board"}


def test_an_entry_that_was_changed_is_named(sent: Path, tmp_path: Path, command: Command) -> None:
    board = tmp_path / "board"
    command("leaderboard", "add", sent, board)
    (entry,) = (board / "entries").iterdir()
    entry.write_bytes(entry.read_bytes().replace(b'"system": "NLM', b'"system": "XXX'))
    status, _, error = command("leaderboard", "build", board)
    assert status == 2
    assert f"{entry}: its bytes are not what its name says" in error
    with pytest.raises(InputError):
        leaderboard_command.add(sent, board)


def test_a_verification_that_contradicts_itself_is_refused(verified: Path) -> None:
    edited(verified, put("checked", 0, "measured", value=99.0))
    with pytest.raises(InputError, match=r"checked\.0: is 'verified', but 99\.0 is not"):
        submission.read(verified)


def test_results_of_a_folder_cannot_be_submitted(small_faces: Path, tmp_path: Path, command: Command) -> None:
    restorebench.score(
        small_faces, small_faces, ["psnr"], "mlflow.enabled=false", "report.enabled=false", out=tmp_path / "out"
    )
    status, _, error = command("submit", f"out={tmp_path / 'out'}", f"adapter={small_faces.name}")
    assert status == 2
    assert "nobody can make them again" in error
