"""`import restorebench` is light, says what it offers, and hides nobody else's package."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import restorebench

HEAVY = ("torch", "torchvision", "numpy", "pandas", "cv2", "PIL", "hydra", "mlflow", "matplotlib", "rich")


def python(code: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_loads_no_heavy_library(tmp_path: Path) -> None:
    loaded = python("import sys, restorebench; print(*sys.modules)", cwd=tmp_path).split()
    assert "restorebench" in loaded
    assert not set(HEAVY) & set(loaded)


def test_the_public_names_are_these_and_all_of_them_load() -> None:
    assert set(restorebench.__all__) == {
        "Dataset",
        "PairMetric",
        "Restorer",
        "SetMetric",
        "__version__",
        "report",
        "run",
        "score",
        "synthesize",
    }
    for name in restorebench.__all__:
        assert getattr(restorebench, name) is not None


def test_a_misspelt_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="leaderbord"):
        restorebench.leaderbord  # noqa: B018


def test_the_version_is_the_one_of_the_distribution() -> None:
    assert metadata.version("restorebench") == restorebench.__version__


def test_hugging_face_datasets_is_found_from_the_root_of_the_repository(root: Path) -> None:
    file = Path(python("import datasets; print(datasets.__file__)", cwd=root))
    assert root / "datasets" not in file.parents
    assert file.name == "__init__.py"


def test_our_own_datasets_room_is_found_under_the_package(tmp_path: Path) -> None:
    path = python("import restorebench.datasets as room; print(*room.__path__)", cwd=tmp_path)
    assert Path(path) == Path(restorebench.__file__).parent / "datasets"
