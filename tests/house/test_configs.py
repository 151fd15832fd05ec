"""Every configuration file says where it belongs and builds what it names."""

import re
from pathlib import Path

import pytest
import yaml

from restorebench.bench.spec import Spec

CONF = Path(__file__).resolve().parents[2] / "conf"
FILES = sorted(CONF.glob("*/*.yaml"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in FILES]
GLOBAL = {"experiment", "protocol"}
"""Groups whose files set values all over the tree instead of making one object."""


def test_there_are_configurations() -> None:
    assert {path.parent.name for path in FILES} >= {"adapter", "dataset", "degradation", "metric"}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_the_first_line_names_the_package(path: Path) -> None:
    found = re.match(r"# @package (\S+)\n", path.read_text(encoding="utf-8"))
    assert found, f"{path.name} must start with '# @package ...'"
    expected = "_global_" if path.parent.name in GLOBAL else f"{path.parent.name}.{path.stem}"
    assert found[1] == expected


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_comment_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8").partition("\n")[2]
    assert re.search(r"#\s*\w+ \w+", text), f"{path.name} has no comment that says what it is"


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.parent.name not in GLOBAL], ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_the_target_can_be_imported_and_takes_the_arguments(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    target = str(content["_target_"])
    assert target.startswith("restorebench.")
    given = {key: value for key, value in content.items() if value != "???" and "${" not in str(value)}
    required = [key for key, value in content.items() if value == "???"]
    spec = Spec.of({**given, **dict.fromkeys(required, "somewhere")}, path.stem)
    assert spec.target == target
    assert set(content) - {"_target_"} <= set(spec.arguments) | set(required)
