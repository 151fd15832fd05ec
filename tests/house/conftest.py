"""The tree as a fresh clone would hold it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """Top of the repository, which is the package."""
    return ROOT


@pytest.fixture(scope="session")
def tree() -> list[str]:
    """Every file git tracks or would track, as `/`-separated paths below the root."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted(path for path in listed if path and (ROOT / path).is_file())
