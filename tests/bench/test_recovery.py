"""What becomes of the work a lost worker leaves behind, without any worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from restorebench.bench.api import Sample
from restorebench.bench.cell import Cell
from restorebench.bench.errors import ExecutorError
from restorebench.bench.evaluate import ShardResult
from restorebench.bench.executors.messages import Done, Loss, Lost, Retired, Task
from restorebench.bench.executors.recovery import PATIENCE, Agenda, Place
from restorebench.bench.shards import Shard
from restorebench.bench.storage.store import Commit

CRASH = Loss("fell over", "crash")
KILLED = Loss("was killed", "killed")
MEMORY = Loss("held too much", "memory")
SLOW = Loss("took too long", "time")

Verdict = Callable[[str, str, Task], Loss | None]
"""What happens to a worker at a restorer's image: it is lost, or not."""


def shard(restorer: str, samples: str, start: int = 0) -> Shard:
    cell = Cell(restorer, f"{restorer} v1", "faces", "mild", "mild")
    return Shard(cell, tuple(Sample(f"{start}{letter}" if start else letter, Path(letter)) for letter in samples))


class Simulation:
    """Runs an agenda's tasks one after another; `verdict` says which images end their worker."""

    def __init__(self, groups: list[list[Shard]], verdict: Verdict, batch: int = 4) -> None:
        self.agenda = Agenda(groups, batch)
        self.place = Place(self.agenda, "executor=test")
        self.verdict = verdict
        self.ok: list[tuple[str, str, int]] = []
        self.failed: dict[tuple[str, str], str] = {}
        self.losses = 0
        while task := self.place.take():
            for event in self.events(task):
                rows = self.place.follow(event)
                if isinstance(event, Lost):
                    self.losses += 1
                if rows is not None:
                    self.note(rows)

    def events(self, task: Task) -> Iterator[ShardResult | Done | Lost]:
        if task.load and (loss := self.verdict(task.load, "load", task)):
            yield Lost(loss, began=True)
            return
        for one in task.shards:
            name = one.cell.restorer
            losses = [self.verdict(name, s.id, task) for s in one.samples if not one.failed]
            loss = next((loss for loss in losses if loss), None)
            if loss:
                yield Lost(loss, began=True)
                return
            rows = tuple(
                {"sample": s.id, "status": "failed" if one.failed else "ok", "error": one.failed, "batch": task.batch}
                for s in one.samples
            )
            yield ShardResult(one.cell, rows, Commit())
        yield Done()

    def note(self, rows: ShardResult) -> None:
        for row in rows.rows:
            key = rows.cell.restorer, row["sample"]
            assert key not in self.failed
            assert key not in {(name, sample) for name, sample, _ in self.ok}
            if row["status"] == "failed":
                self.failed[key] = row["error"]
            else:
                self.ok.append((*key, row["batch"]))


def kills(restorer: str, samples: Sequence[str], loss: Loss = CRASH) -> Verdict:
    def verdict(name: str, sample: str, _: Task) -> Loss | None:
        return loss if name == restorer and sample in samples else None

    return verdict


GROUP = [shard("good", "abcdefgh"), shard("bad", "abcdefgh"), shard("last", "abcdefgh")]


@pytest.mark.parametrize("loss", [CRASH, KILLED, MEMORY, SLOW])
def test_only_the_image_that_ends_its_worker_fails(loss: Loss) -> None:
    done = Simulation([GROUP], kills("bad", "c", loss))
    assert done.failed == {("bad", "c"): loss.reason}
    assert len(done.ok) == 3 * 8 - 1


def test_batches_without_the_culprit_are_cut_as_planned() -> None:
    sizes = []

    def verdict(name: str, sample: str, task: Task) -> Loss | None:
        if name == "bad" and sample == "e":
            sizes.append([len(one.samples) for one in task.shards])
        return CRASH if name == "bad" and sample == "c" else None

    done = Simulation([GROUP], verdict)
    assert sizes[-1] == [4]
    assert done.losses == 4  # the chunk, the shard alone, its first batch, the image


def test_one_unlucky_worker_changes_nothing() -> None:
    unlucky = iter([KILLED])

    def verdict(name: str, sample: str, task: Task) -> Loss | None:
        return next(unlucky, None) if name == "bad" and sample == "c" else None

    done = Simulation([GROUP], verdict)
    assert not done.failed
    assert {batch for *_, batch in done.ok} == {0}
    assert done.losses == 1


def test_short_memory_halves_the_batch_and_goes_on() -> None:
    def verdict(name: str, sample: str, task: Task) -> Loss | None:
        return MEMORY if name == "bad" and sample == "c" and (task.batch or 4) > 1 else None

    done = Simulation([GROUP], verdict)
    assert not done.failed
    assert {batch for name, _, batch in done.ok if name == "bad"} == {1}
    assert {batch for name, _, batch in done.ok if name != "bad"} == {0}


def test_a_restorer_that_cannot_even_load_costs_a_handful_of_workers() -> None:
    groups = [[shard("good", "abcdefgh", n), shard("bad", "abcdefgh", n)] for n in range(1, 50)]
    everything = ("load", *(f"{n}{letter}" for n in range(1, 50) for letter in "abcdefgh"))
    done = Simulation(groups, kills("bad", everything))
    assert len(done.failed) == 49 * 8
    assert done.failed["bad", "9a"] == "fell over, while bad was loaded"
    assert len(done.ok) == 49 * 8
    assert done.losses <= 6


def test_a_restorer_that_fails_every_image_is_given_up_in_the_end() -> None:
    groups = [[shard("good", "abcdefgh", n), shard("bad", "abcdefgh", n)] for n in range(1, 50)]
    done = Simulation(groups, kills("bad", [f"{n}{letter}" for n in range(1, 50) for letter in "abcdefgh"]))
    assert len(done.failed) == len(done.ok) == 49 * 8
    assert "not tried" in done.failed["bad", "49h"]
    assert done.losses < 3 * PATIENCE


def test_one_good_image_keeps_a_restorer_going() -> None:
    groups = [[shard("bad", "abcdefgh", n)] for n in range(1, 20)]
    done = Simulation(groups, kills("bad", [f"{n}{letter}" for n in range(1, 20) for letter in "bcdefgh"]))
    assert not [reason for reason in done.failed.values() if "not tried" in reason]
    assert len(done.ok) == 19


def test_inputs_that_nobody_survives_become_bare_rows() -> None:
    agenda = Agenda([[shard("good", "a")]], 4)
    place = Place(agenda, "executor=test")
    rows = None
    while place.take():
        rows = place.follow(Lost(CRASH, began=True))
    assert rows is not None
    assert [(row["sample"], row["status"], row["error"]) for row in rows.rows] == [("a", "failed", "fell over")]


def test_a_worker_that_retires_hands_the_rest_of_its_chunk_on() -> None:
    place = Place(Agenda([GROUP], 4), "executor=test")
    task = place.take()
    assert task is not None
    place.follow(ShardResult(task.shards[0].cell, (), Commit()))
    place.follow(Retired())
    assert place.take() == Task(task.shards[1:])


def test_workers_that_never_begin_end_the_run() -> None:
    place = Place(Agenda([GROUP], 4), "executor=test")
    place.take()
    place.follow(Lost(CRASH, began=False))
    assert place.take() == Task(tuple(GROUP))
    place.follow(Lost(CRASH, began=False))
    place.take()
    with pytest.raises(ExecutorError, match=r"executor=test: workers end before they begin: fell over"):
        place.follow(Lost(CRASH, began=False))
