"""`environment()` says with what and where, quickly, and invents nothing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from restorebench.bench import provenance


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_versions_are_those_of_the_loaded_libraries() -> None:
    versions = provenance.environment()["versions"]
    assert versions["numpy"] == np.__version__
    assert versions["python"] == sys.version.split()[0]
    assert all(versions.values()), "every library named is one that restorebench depends on"


def test_the_description_is_plain_data() -> None:
    about = provenance.environment()
    assert json.loads(json.dumps(about)) == about
    assert about["cores"] >= 1
    assert about["memory_gib"] > 0
    assert about["cpu"]


def test_asking_loads_no_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys; from restorebench.bench.provenance import environment; about = environment();"
        "print(about['torch_threads'], sorted({'torch', 'numpy', 'cv2', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "None []"


def test_threads_are_known_once_torch_is_loaded() -> None:
    import torch

    assert provenance.environment()["torch_threads"] == torch.get_num_threads()


def test_a_clean_checkout_has_a_commit_and_no_changes(checkout: Path) -> None:
    commit, dirty = provenance._checkout(checkout)
    assert commit is not None
    assert len(commit) == 40
    assert dirty is False


def test_a_changed_file_makes_a_checkout_dirty(checkout: Path) -> None:
    (checkout / "file").write_text("two")
    assert provenance._checkout(checkout)[1] is True


def test_a_package_inside_somebody_elses_repository_is_no_checkout(checkout: Path) -> None:
    (checkout / "site-packages").mkdir()
    assert provenance._checkout(checkout / "site-packages") == (None, None)


def test_without_git_there_is_no_commit_and_no_failure(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert shutil.which("git") is None
    assert provenance._checkout(checkout) == (None, None)
