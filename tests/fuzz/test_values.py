"""Settings of any kind, on the command line and in YAML, are taken or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import World

from restorebench.bench import cli

SETTINGS = settings(
    max_examples=80, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip

KEYS = [
    "adapter", "dataset", "degradation", "metric", "out", "batch", "shard", "threads", "device", "keep", "limit", "fetch",
    "report", "report.sort", "report.select", "report.enabled", "mlflow", "mlflow.uri", "restorer.seeds",
    "degradation.seed", "executor", "protocol", "experiment", "adapter.nlmeans.h", "adapter.input", "dataset.root",
    "dataset.builtin", "metric.fid", "hydra.run.dir", "hydra.searchpath", "+adapter.x._target_", "+x", "~adapter", "++out.a",
    "+adapter@adapter.b", "+metric.m", "hydra.job.chdir", "reference_row", "degradation.mild.steps", "_target_", "", ".", "a.b.c",
]  # fmt: skip

VALUES = [
    "", "null", "true", "-1", "0", "1e400", "nan", "inf", "99999999999999999999", "1.5", "'", '"', "[", "]", "{", "}", "[]",
    "{}", "[[]]", "[1,2", "{a:1}", "{a:{b:c}}", "input", "[input,input]", "input,lanczos", "nope", "[nope]", "${out}",
    "${oc.env:HOME}", "${oc.env:NOPE}", "${nope}", "${oc.decode:1}", "${hydra:run.dir}", "${", "$", "\\", "range(1,3)",
    "choice(a,b)", "glob(*)", "os.system", "builtins.eval", "restorebench.nope", "subprocess.run", "a=b", "=", "==", "a b", "a;b",
    "é", "中", "\x1b[31m", "a\nb", "???", "/", "..", "~", "-m", "--help", "x" * 5000, "[" * 200, "cuda:99", "cpu", "../../canary",
    "builtins.open", "os.remove", "{_target_:os.system,command:'touch canary'}", "__import__('os')",
]  # fmt: skip

PRIMARY = ["run", "score", "synthesize", "reference", "report"]


def ends_well(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    printed = capsys.readouterr()
    said = f"{arguments}\n{printed.out}\n{printed.err}"
    assert status in (0, 2, 3), said
    assert "Traceback" not in said
    assert "restorebench: unexpected" not in said
    if status == 2:
        assert printed.err.strip(), said
    assert not list(Path.cwd().rglob("canary*")), said


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, and no run that starts real work: the data set is missing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESTOREBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@SETTINGS
@given(
    st.sampled_from(["score", "run", "synthesize", "report", "reference"]),
    st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), min_size=1, max_size=3),
)
def test_any_override_is_taken_or_refused(
    apart: Path, capsys: pytest.CaptureFixture[str], command: str, pairs: list[tuple[str, str]]
) -> None:
    overrides = [f"{key}={value}" for key, value in pairs]
    nothing = ["dataset=folder", "dataset.root=nowhere"] if command in ("run", "synthesize", "reference") else []
    dry = ["dry_run=true"] if command == "run" else []
    ends_well([command, *overrides, *nothing, *dry, *(["restored=nowhere"] if command == "score" else [])], capsys)


@SETTINGS
@given(
    st.lists(
        st.one_of(hostile.NAMES, st.sampled_from([*PRIMARY, "-m", "-v", "--cfg", "-p", "list", "weights"])), max_size=4
    )
)
def test_any_command_line_is_taken_or_refused(
    apart: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    if not words or words[0].startswith("-") or "=" in words[0] or words[0] == "run":  # would be the demo
        words = ["score", *words]
    ends_well(words, capsys)


YAML_VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(VALUES[:-1]), st.text(max_size=8),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


@settings(SETTINGS, max_examples=25)
@given(YAML_VALUES, st.sampled_from(["adapter", "metric", "dataset", "degradation"]))
def test_any_yaml_of_ones_own_is_taken_or_refused(
    apart: Path, capsys: pytest.CaptureFixture[str], content: object, group: str
) -> None:
    folder = apart / "conf" / group
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.yaml").write_text(f"# @package {group}.own\n{yaml.safe_dump(content, allow_unicode=True)}")
    data = ["dataset=folder", "dataset.root=nowhere"] if group != "dataset" else []
    ends_well(["run", f"--config-dir={apart / 'conf'}", f"{group}=own", *data, "dry_run=true"], capsys)


@pytest.mark.parametrize(
    "text",
    ["", "{", "- a\n- b", "a: [", "!!python/object/apply:os.system ['touch canary']", "a: *b", "&a [*a]", "\x00", "\t a: b",
     "# @package\na: b", "# @package ../..\na: b", "defaults: [nope]", "defaults:\n  - /adapter: own", "_target_: [1]",
     "_target_: os.system\ncommand: touch canary", "_target_: builtins.eval\nsource: 1", "_target_: subprocess.Popen\nargs: [touch, canary]",
     "_partial_: true\n_target_: os.system", "x: ${own}", "a: &x {b: *x}"],
)  # fmt: skip
def test_hostile_yaml_runs_nothing_that_is_no_plugin(
    text: str, apart: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A `_target_` names a plugin of the user's own; what offers no plugin's interface is not called."""
    folder = apart / "conf" / "adapter"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(f"# @package adapter.own\n{text}")
    where = (f"--config-dir={apart / 'conf'}", "adapter=own", "dataset=folder", "dataset.root=nowhere")
    ends_well(["run", *where, f"out={apart / 'out'}"], capsys)


def test_the_environment_is_not_shown(apart: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "do-not-tell")
    ends_well(["run", "out=${oc.env:SECRET_TOKEN}", "dataset=folder", "dataset.root=nowhere"], capsys)
    assert not (apart / "do-not-tell").exists()


def test_a_run_from_python_changes_no_working_directory(apart: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path.cwd()
    ends_well(
        ["run", "hydra.job.chdir=true", "hydra.run.dir=elsewhere", "dataset=folder", "dataset.root=nowhere"], capsys
    )
    assert Path.cwd() == before


def test_names_of_instances_lead_nowhere(world: World, harmless: Callable) -> None:
    data = ("dataset=folder", f"dataset.root={world.faces}", "degradation=mild", "metric=psnr", "limit=1", "threads=1")
    for name in ("../../evil", "/evil", "..", "x/../../y"):
        more = f"+adapter@adapter.{name}=lanczos"
        harmless("run", "adapter=input", more, *data, f"out={world.out}", "report.figures.enabled=false")
