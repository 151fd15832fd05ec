"""Arrows go down only: which room may import which, and which libraries are declared."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

GROUND = {"bench.api", "bench.errors", "bench.images", "bench.seeds", "bench.spec"}
"""Imported by everybody; import only each other."""

ROOF = {
    "bench.cli",
    "bench.commands",
    "bench.reference_command",
    "bench.align_command",
    "bench.study.command",
    "bench.study.server",
    "bench.sharing.submit_command",
    "bench.sharing.verification",
    "bench.sharing.verify_command",
    "bench.sharing.leaderboard_command",
}
"""Import anybody; imported by nobody below."""

PLUGINS = ("adapters", "datasets", "bench.metrics")
UPSTAIRS = ("bench.plan", "bench.evaluate", "bench.executors", "bench.storage", "bench.tracking", *ROOF, "reports")


def within(module: str, rooms: tuple[str, ...] | set[str]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


@pytest.fixture(scope="module")
def modules(root: Path, tree: list[str]) -> dict[str, Path]:
    """Dotted name below the package -> file."""
    files = [p for p in tree if p.endswith(".py") and not p.startswith(("tests/", "docs/")) and p != "__init__.py"]
    return {p.removesuffix(".py").removesuffix("/__init__").replace("/", "."): root / p for p in files}


def imports(file: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Yield `(level, module, names)` of each import, those inside functions included."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]


def own_imports(module: str, modules: dict[str, Path]) -> set[str]:
    """Return the modules of the package that `module` imports, as names below the package."""
    file = modules[module]
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    found = set()
    for level, name, names in imports(file):
        if level == 0:
            if name.split(".")[0] != "restorebench":
                continue
            base = name.split(".")[1:]
        else:
            base = [*package[: len(package) - level + 1], *filter(None, name.split("."))]
        for part in names or [""]:
            inner = ".".join([*base, part]) if part else ".".join(base)
            found.add(inner if inner in modules else ".".join(base))
    return found - {"", module}


def arrows(modules: dict[str, Path]) -> Iterator[tuple[str, str]]:
    for module in modules:
        for target in own_imports(module, modules):
            yield module, target


def test_the_ground_floor_imports_nothing_but_itself(modules: dict[str, Path]) -> None:
    assert modules.keys() >= GROUND
    assert [(m, t) for m, t in arrows(modules) if m in GROUND and t not in GROUND] == []


def test_the_engine_imports_no_concrete_adapter_dataset_or_metric(modules: dict[str, Path]) -> None:
    engine = [m for m in modules if within(m, {"bench"}) and m not in ROOF and not within(m, PLUGINS)]
    assert [(m, t) for m, t in arrows(modules) if m in engine and within(t, PLUGINS)] == []


def test_only_the_roof_of_the_engine_knows_the_reports(modules: dict[str, Path]) -> None:
    below = [m for m in modules if within(m, {"bench"}) and m not in ROOF]
    assert [(m, t) for m, t in arrows(modules) if m in below and within(t, {"reports"})] == []


def test_plugins_know_neither_the_floors_above_nor_each_other(modules: dict[str, Path]) -> None:
    crossed = []
    for module, target in arrows(modules):
        room = next((room for room in PLUGINS if within(module, {room})), None)
        if room and (within(target, UPSTAIRS) or within(target, {*PLUGINS} - {room})):
            crossed.append((module, target))
    assert crossed == []


def test_reports_read_the_store_and_run_nothing(modules: dict[str, Path]) -> None:
    running = {"bench.evaluate", "bench.executors", *ROOF, *PLUGINS}
    assert [(m, t) for m, t in arrows(modules) if within(m, {"reports"}) and within(t, running)] == []


def test_imports_inside_the_package_are_relative(modules: dict[str, Path]) -> None:
    absolute = [
        m for m, file in modules.items() for _, name, _ in imports(file) if name.split(".")[0] == "restorebench"
    ]
    assert absolute == []


def undeclared(files: list[Path], wanted: list[str], own: set[str]) -> set[tuple[str, str]]:
    """Return `(file, library)` of each import that no requirement of `wanted` brings."""
    declared = {name_of(requirement) for requirement in wanted}
    # the wheel of dlib names only its extension module
    distributions = {"dlib": ["dlib-bin"], **metadata.packages_distributions()}
    return {
        (file.name, top)
        for file in files
        for level, name, _ in imports(file)
        if level == 0 and (top := name.split(".")[0]) not in sys.stdlib_module_names | own
        if not declared & {name_of(owner) for owner in distributions.get(top, [top])}
    }


def name_of(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def for_development(project: dict[str, Any]) -> list[str]:
    """Return the requirements of `dev`, those of the other extras it names among them."""
    extras = project["optional-dependencies"]
    found = [text for text in extras["dev"] if name_of(text) != "restorebench"]
    named = [text for text in extras["dev"] if name_of(text) == "restorebench"]
    return found + [more for text in named for name in re.findall(r"\w+", text)[1:] for more in extras[name]]


def test_every_library_that_the_package_imports_is_declared(project: dict[str, Any], modules: dict[str, Path]) -> None:
    extras = [text for name, texts in project["optional-dependencies"].items() if name != "dev" for text in texts]
    assert undeclared([*modules.values()], [*project["dependencies"], *extras], own=set()) == set()


def test_every_library_that_the_tests_import_is_declared(project: dict[str, Any], root: Path, tree: list[str]) -> None:
    files = [root / path for path in tree if path.startswith("tests/") and path.endswith(".py")]
    own = {"restorebench", *(file.stem for file in files)}
    wanted = [*project["dependencies"], *for_development(project)]
    assert undeclared(files, wanted, own) == set()


def test_every_declared_library_is_pinned(project: dict[str, Any], root: Path) -> None:
    wanted = [*project["dependencies"], *for_development(project)]
    lines = (root / "constraints.txt").read_text().splitlines()
    pinned = {name_of(line) for line in lines if "==" in line}
    assert {name_of(requirement) for requirement in wanted} <= pinned
