"""Options of `make bench`, such as `make bench ARGS="--pairs 8 --rounds 1"`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .measuring import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("restorebench", "make bench")
    group.addoption("--pairs", type=int, default=32, help="pairs of 512 x 512 that are scored (default 32)")
    group.addoption("--rounds", type=int, default=3, help="times that everything is measured, in turns (default 3)")
    group.addoption("--write", type=Path, default=None, help="page whose tables are replaced: docs/performance.md")


@pytest.fixture(scope="session")
def pairs(request: pytest.FixtureRequest) -> int:
    """Number of pairs to score."""
    return int(request.config.getoption("--pairs"))


@pytest.fixture(scope="session")
def rounds(request: pytest.FixtureRequest) -> int:
    """Number of rounds to measure."""
    return int(request.config.getoption("--rounds"))


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Where tables go."""
    made = Report(request.config.getoption("--write"))
    yield made
    made.write()
