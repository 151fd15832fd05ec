"""The wheel holds the package and nothing else, and works away from the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

NOT_IN_THE_WHEEL = ("tests/", "docs/", ".")
PROJECT_FILES = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "NOTICE",
    "README.md",
    "constraints.txt",
    "pyproject.toml",
}


@pytest.fixture(scope="module")
def wheel(root: Path, tree: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tree, so that leftovers of other builds cannot slip in."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in tree:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, source / path)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(target), str(source)], check=True)
    (built,) = target.iterdir()
    return built


def test_the_wheel_is_the_tree_without_tests_and_docs(wheel: Path, tree: list[str]) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        f"restorebench/{path}" for path in tree if not path.startswith(NOT_IN_THE_WHEEL) and path not in PROJECT_FILES
    }
    assert names == expected


def test_the_wheel_carries_its_licence(wheel: Path) -> None:
    names = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/licenses/" in name}
    assert names == {"LICENSE", "NOTICE"}


def test_the_installed_wheel_lists_its_parts_from_any_directory(wheel: Path, root: Path, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "some where"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*command, str(wheel)], check=True)
    code = (
        "import restorebench, sys; print(restorebench.__file__); import restorebench.bench.cli as c; sys.exit(c.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "list", "adapters"],
        capture_output=True,
        text=True,
        check=False,
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    assert done.returncode == 0, done.stderr
    where, _, listed = done.stdout.partition("\n")
    assert Path(where).is_relative_to(site)
    for path in sorted(root.glob("conf/adapter/*.yaml")):
        assert path.stem in listed
    assert list(elsewhere.iterdir()) == []
