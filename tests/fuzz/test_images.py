"""Image files from anywhere are read or refused in one line: no crash, no code, no flood of memory."""

from __future__ import annotations

import resource
import tracemalloc
from pathlib import Path

import hostile
import numpy as np
import pytest
from hypothesis import given, settings

from restorebench.bench.errors import ImageError
from restorebench.bench.images import MAX_PIXELS, decode


def read(data: bytes) -> np.ndarray | str:
    """Return the pixels, or the line that refuses them."""
    try:
        pixels = decode(data, "x.png")
    except ImageError as error:
        return hostile.one_line(error, "x.png: ")
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert 0 < pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS
    assert pixels.flags.c_contiguous
    return pixels


@settings(max_examples=600, deadline=None, derandomize=True, database=None)
@given(hostile.image_files())
def test_any_bytes_are_an_image_or_one_line(data: bytes) -> None:
    read(data)


@pytest.mark.parametrize("what", hostile.special_files())
def test_files_made_to_hurt_are_refused_or_harmless(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        found = read(hostile.special_files()[what])
    finally:
        tracemalloc.stop()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 500 * 1024, f"{grown // 1024} MiB"
    assert list(tmp_path.iterdir()) == []
    if not isinstance(found, str):
        assert found.size < 1000


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(hostile.image_files())
def test_equal_bytes_give_equal_pixels(data: bytes) -> None:
    first, second = read(data), read(data)
    if isinstance(first, str):
        assert first == second
    else:
        np.testing.assert_array_equal(first, second)
