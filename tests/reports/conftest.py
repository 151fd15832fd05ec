"""A store below a temporary folder, to be filled by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from handmade import Writer


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "out")
