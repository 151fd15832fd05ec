"""Submission files come from anywhere: they are read or refused in one line, and run nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import World

from restorebench.bench.errors import RestorebenchError
from restorebench.bench.sharing import submission

SETTINGS = settings(
    max_examples=150, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
FIELDS = sorted(submission.Submission.model_fields)

SPECIAL = {
    "nothing": b"",
    "not text": b"\xff\xfe\x00",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "deep mapping": b'{"a":' * 50_000,
    "twice the same key": b'{"format": 1, "format": 2}',
    "no number": b'{"format": NaN}',
    "a huge number": b'{"format": ' + b"9" * 10_000 + b"}",
    "huge": b'{"a": "' + b"x" * (5 * 2**20) + b'"}',
    "a target": json.dumps({"format": submission.FORMAT, "adapter": {"_target_": "os.system"}}).encode(),
}


def reads_or_refuses(data: bytes) -> None:
    try:
        submission.parse(data, "x.json")
    except RestorebenchError as error:
        hostile.one_line(error, "x.json")


@SETTINGS
@given(JSON)
def test_any_json_is_a_submission_or_one_line(content: object) -> None:
    reads_or_refuses(json.dumps(content).encode())


@SETTINGS
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=len(FIELDS)))
def test_fields_of_any_kind_are_refused_in_one_line(content: dict[str, object]) -> None:
    reads_or_refuses(json.dumps({"format": submission.FORMAT, **content}).encode())


@SETTINGS
@given(hostile.mutated(st.just(json.dumps({"format": submission.FORMAT, "adapter": "input"}).encode())))
def test_any_bytes_are_a_submission_or_one_line(data: bytes) -> None:
    reads_or_refuses(data)


@pytest.mark.parametrize("what", SPECIAL)
def test_files_made_to_hurt_are_refused(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(SPECIAL[what])
    with pytest.raises(RestorebenchError) as refused:
        submission.read(path)
    assert "\n" not in str(refused.value)


def test_verify_refuses_them_in_one_line(world: World, harmless: Callable) -> None:
    for number, data in enumerate(SPECIAL.values()):
        path = world.folder / f"{number}.json"
        path.write_bytes(data)
        harmless("verify", str(path), statuses=(2,))
    harmless("verify", str(world.folder / "nowhere.json"), statuses=(2,))
    harmless("verify", str(world.folder), statuses=(2,))
