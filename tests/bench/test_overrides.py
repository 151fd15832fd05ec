"""What the user types reaches Hydra as it was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from restorebench.bench.configuration import compose_config
from restorebench.bench.errors import ConfigError
from restorebench.bench.overrides import normalise


def parsed(*arguments: str) -> dict[str, object]:
    overrides = OverridesParser.create().parse_overrides(normalise(arguments))
    return {override.key_or_group: override.value() for override in overrides}


PATHS = [
    "my photos",
    "a=b",
    "l'été",
    "日本語",
    'say "hi"',
    "a,b",
    "[x]",
    "c:\\d\\",
    "50%",
    "${home}",
    "a'b\\'c",
    "~/x",
    "{y",
    "a b/",
    "1",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_arrives_unchanged(path: str) -> None:
    value = parsed(f"out={path}")["out"]
    assert str(value).replace("\\${", "${") == path


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text[0] not in "'\"{"))
def test_any_path_arrives_unchanged(path: str) -> None:
    if path in ("null", "???"):
        return
    assert str(parsed(f"out={path}")["out"]).replace("\\${", "${") == path


def test_folders_by_name_arrive_unchanged() -> None:
    found = parsed("restored={first:my photos/a=b,second:/data/日本,third:'c,d'}")["restored"]
    assert {str(name): str(path) for name, path in found.items()} == {
        "first": "my photos/a=b", "second": "/data/日本", "third": "c,d",
    }  # fmt: skip


def test_numbers_and_lists_stay_what_they_are() -> None:
    assert parsed("batch=4", "restorer.seeds=[0,1]") == {"batch": 4, "restorer.seeds": [0, 1]}


def test_the_only_data_set_need_not_be_named() -> None:
    assert normalise(["dataset=folder", "dataset.root=a"]) == ["dataset=folder", "dataset.folder.root='a'"]
    assert normalise(["dataset.note=x"], {"dataset": ["builtin"]}) == ["dataset.builtin.note=x"]
    assert normalise(["dataset=[folder,pairs]", "dataset.root=a"])[1] == "dataset.root='a'"
    assert normalise(["degradation=[mild]", "degradation.seed=3"])[1] == "degradation.seed=3"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["adapter=[input,lanczos,input]"], "'input' is selected twice"),
        (["adapter=input,lanczos"], r"adapter=\[input,lanczos\]"),
        (["adapter=[a]", "adapter=[b]"], "already given by adapter=\\[a\\]"),
        (["adapter=[input]", "+adapter@adapter.input=lanczos"], "'input' is selected already"),
        (["+adapter@adapter.x=a", "+adapter@adapter.x=b"], "already given"),
        (["hello"], "'hello' is not an override"),
    ],
)
def test_selections_that_would_be_lost_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        normalise(arguments)


def test_a_second_instance_and_a_sweep_are_allowed() -> None:
    assert normalise(["adapter=[input]", "+adapter@adapter.again=input"])
    assert normalise(["-m", "adapter=input,lanczos"]) == ["-m", "adapter=input,lanczos"]


def test_flags_keep_their_values() -> None:
    arguments = ["--config-dir", "my conf", "--cfg", "job", "--config-dir=x", "batch=2"]
    assert normalise(arguments) == arguments


class TestTables:
    def test_report_table_stands_for_the_group(self):
        assert normalise(["report.table=wide"]) == ["table=wide"]
        assert normalise(["report.table=[wide,dr2_table]"]) == ["table=[wide,dr2_table]"]

    def test_a_setting_may_be_written_for_the_one_table_that_is_selected(self):
        assert normalise(["report.table=wide", "report.table.digits.psnr=1"])[1] == "++report.table.wide.digits.psnr=1"
        assert normalise(["report.table=wide", "report.table.rows=[a]"])[1] == "report.table.wide.rows=[a]"
        several = ["report.table=[wide,default]", "report.table.wide.intervals=true"]
        assert normalise(several)[1] == "report.table.wide.intervals=true"

    def test_the_default_counts_as_selected(self):
        made = normalise(["report.table.intervals=true"], {"table": ["default"]})
        assert made == ["report.table.default.intervals=true"]

    def test_names_may_hold_any_character(self):
        (_, made) = normalise(["report.table=wide", "report.table.names.gfpgan=GFP-GAN, v1.4 (ours)"])
        assert made == "++report.table.wide.names.gfpgan='GFP-GAN, v1.4 (ours)'"

    def test_a_table_selected_twice_is_refused(self):
        with pytest.raises(ConfigError, match="'wide' is selected twice"):
            normalise(["report.table=[wide,wide]"])

    @pytest.mark.parametrize("command", ["run", "score", "report"])
    def test_every_command_that_reports_composes_every_preset_with_its_types(self, command):
        names = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "table").glob("*.yaml"))
        table = compose_config(command, normalise([f"report.table=[{','.join(names)}]"]))["report"]["table"]
        assert list(table) == names
        assert {settings["across"] for settings in table.values()} == {"split", "dataset", "none"}

    @pytest.mark.parametrize(
        ("argument", "message"),
        [
            ("report.table=wid", "table: no choice 'wid'.*Did you mean 'wide'"),
            ("report.table.default.acros=split", "report.table.default.acros: no such setting.*Did you mean.*across"),
            ("report.table.default.across=splits", "Invalid value 'splits', expected one of .split, dataset, none"),
            (
                "report.table.default.digits.psnr=many",
                "report.table.default.digits.psnr: 'many' is not of type integer",
            ),
        ],
    )
    def test_what_is_wrong_is_named(self, argument, message):
        with pytest.raises(ConfigError, match=message):
            compose_config("run", normalise([argument], {"table": ["default"]}))
