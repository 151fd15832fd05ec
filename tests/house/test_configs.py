"""Every configuration file says where it belongs and builds what it names."""

import re
from pathlib import Path

import pytest
import yaml

from restorebench.bench.spec import Spec

CONF = Path(__file__).resolve().parents[2] / "conf"
FILES = sorted(CONF.glob("*/*.yaml"))
GLOBAL = {"experiment", "protocol"}
"""Groups whose files set values all over the tree instead of making one object."""
BELOW = {"table": "report.table"}
"""Groups whose choices land elsewhere than below the group's own name."""
ONE_OF = {"executor"}
"""Groups of which one file is chosen; Hydra's own package, the group, is right for them."""


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def target_of(path: Path) -> str | None:
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("_target_")


def test_there_are_configurations() -> None:
    assert {path.parent.name for path in FILES} >= {"adapter", "dataset", "degradation", "metric"}


@pytest.mark.parametrize("path", [p for p in FILES if p.parent.name not in ONE_OF], ids=name_of)
def test_the_first_line_names_the_package(path: Path) -> None:
    found = re.match(r"# @package (\S+)\n", path.read_text(encoding="utf-8"))
    assert found, f"{path.name} must start with '# @package ...'"
    group = path.parent.name
    if group in GLOBAL:
        assert found[1] == "_global_"
    elif found[1] == group:  # a choice that builds nothing, such as `given: null`
        assert yaml.safe_load(path.read_text(encoding="utf-8")) == {path.stem: None}
    else:
        assert found[1] == f"{BELOW.get(group, group)}.{path.stem}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_comment_says_what_it_is(path: Path) -> None:
    text = re.sub(r"# @package .*\n", "", path.read_text(encoding="utf-8"))
    assert re.search(r"#\s*\S+ \S+", text), f"{path.name} has no comment that says what it is"


@pytest.mark.parametrize("path", [p for p in FILES if p.parent.name not in GLOBAL and target_of(p)], ids=name_of)
def test_the_target_can_be_imported_and_takes_the_arguments(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    required = {key for key, value in content.items() if value == "???"}
    given = {key: value for key, value in content.items() if key not in required}
    spec = Spec.of({**given, **dict.fromkeys(required, "somewhere")}, path.stem)
    assert spec.target.startswith("restorebench.")
    assert set(content) - {"_target_"} <= set(spec.arguments)
