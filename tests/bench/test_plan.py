"""A plan is as small as its list of samples, whatever it multiplies them by."""

from __future__ import annotations

from pathlib import Path

import pytest

from restorebench.bench import shards as shards_module
from restorebench.bench.api import Sample
from restorebench.bench.cell import Cell, digest, digest_of
from restorebench.bench.shards import Part, Shard, Shards


def cells(count: int, dataset: str = "faces") -> tuple[Cell, ...]:
    return tuple(Cell(f"r{i}", f"r{i} v1", dataset, "mild", "mild seed=0") for i in range(count))


def samples(count: int) -> list[Sample]:
    return [Sample(f"{i:03}", Path(f"{i:03}.png")) for i in range(count)]


@pytest.fixture
def groups() -> Shards:
    given = {"r1": {"001": Path("mine/001.png")}}
    return Shards([Part(cells(2), samples(5), given), Part(cells(3, "photos"), samples(4), {})], size=2)


def test_chunk_by_chunk_every_cell(groups: Shards) -> None:
    listed = [
        [(s.cell.dataset, s.cell.restorer, [sample.id for sample in s.samples]) for s in group] for group in groups
    ]
    assert len(groups) == len(listed) == 5
    assert listed[0] == [("faces", "r0", ["000", "001"]), ("faces", "r1", ["000", "001"])]
    assert listed[2] == [("faces", "r0", ["004"]), ("faces", "r1", ["004"])]
    assert listed[4] == [("photos", f"r{i}", ["002", "003"]) for i in range(3)]
    assert groups.images == sum(len(ids) for group in listed for *_, ids in group) == 22


def test_it_is_a_sequence(groups: Shards) -> None:
    whole = list(groups)
    assert [groups[i] for i in range(-5, 0)] == whole
    assert list(groups[1:4:2]) == whole[1:4:2]
    with pytest.raises(IndexError):
        groups[5]
    assert len({id(shard.samples) for shard in groups[3]}) == 1  # one chunk, not a copy for each cell


def test_results_that_are_given_go_with_their_chunk(groups: Shards) -> None:
    assert [shard.given for shard in groups[0]] == [None, {"001": Path("mine/001.png")}]
    assert [shard.given for shard in groups[1]] == [None, {}]


def test_counts_need_no_shards(groups: Shards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "Shard", None)
    assert len(groups) == 5
    assert groups.images == 22
    assert sorted(groups.images_by_cell().values()) == [4, 4, 4, 5, 5]


def test_names_are_those_of_the_shards(groups: Shards) -> None:
    expected = [f"{shard.cell.key}{sample.id}" for group in groups for shard in group for sample in shard.samples]
    assert list(groups.names()) == expected
    assert digest_of(iter(expected)) == digest(*expected)


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_a_digest_of_many_parts_is_that_of_all_together(count: int) -> None:
    parts = [str(i) for i in range(count)]
    assert digest_of(parts) == digest(*parts)


def test_a_million_images_are_planned_without_making_one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(shards_module, "Shard", lambda *args: made.append(1) or Shard(*args))
    groups = Shards([Part(cells(1000), samples(1000), {})], size=16)
    assert groups.images == 1_000_000
    assert len(groups) == 63
    assert made == []
    assert len(groups[62]) == 1000
    assert len(made) == 1000
