"""executor=processes: a worker or the driver is killed, and the table is that of an undisturbed inline run."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import faults
import pytest
from worlds import SHARD, World

SEED = random.SystemRandom().randrange(10**6)
WORKERS = ("executor=processes", "executor.workers=2")


def workers_of(out: Path) -> list[int]:
    """Return the processes that were told of an output folder and still live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"FRAGILE_LOG={out.parent / 'work.log'}".encode() in environment and state != "Z":
            found.append(int(folder.name))
    return found


def kill_a_worker(world: World, undisturbed: World, draw: random.Random) -> int:
    """Kill the first worker that comes to a point; return how much was computed twice."""
    fault = f"{draw.choice(['synthesis', 'restoring', 'scoring', 'features'])},{draw.randint(1, 4)},{draw.choice(['before', 'after'])}"
    more = {"FRAGILE_WORKER_FAULT": fault, "FRAGILE_ONCE": str(world.folder / "died")}
    ended = replace(world, more=more).run(*world.evaluation(*WORKERS))
    assert (world.folder / "died").exists(), fault
    assert ended.status == 0, (fault, ended.output)
    assert world.board == undisturbed.board, fault
    return sum(world.repeated(undisturbed.log).values())


def kill_the_driver(world: World, undisturbed: World, draw: random.Random) -> int:
    """Kill the driver in a commit; its workers end too, and the same command finishes."""
    fault = faults.Fault("commit", draw.randint(1, 10), draw.choice(["before", "torn", "after"]))
    killed = world.run(*world.evaluation(*WORKERS), fault=fault)
    assert killed.status == -signal.SIGKILL, killed.output
    for _ in range(100):
        if not workers_of(world.out):
            break
        time.sleep(0.1)
    assert not workers_of(world.out), "workers outlive their driver"
    again = world.run(*world.evaluation(*WORKERS))
    assert again.status == 0, again.output
    assert world.board == undisturbed.board, fault
    return sum(world.repeated(undisturbed.log).values())


MOST = 2 * 2 * 4 * SHARD
"""Two shards of each of two workers may be lost, one at hand and one not committed; of 4 kinds of work a sample."""


@pytest.mark.parametrize("kill", [kill_a_worker, kill_the_driver])
def test_a_killed_worker_or_driver_changes_nothing(kill, world: World, undisturbed: World) -> None:
    print(f"seed {SEED}")
    assert kill(world, undisturbed, random.Random(SEED)) <= MOST


@pytest.mark.crash
@pytest.mark.parametrize("kill", [kill_a_worker, kill_the_driver])
def test_ten_kills_of_workers_and_drivers(kill, undisturbed: World, tmp_path: Path) -> None:
    draw = random.Random(SEED)
    twice = [kill(undisturbed.at(tmp_path / str(number)), undisturbed, draw) for number in range(10)]
    print(f"\n| {kill.__name__.replace('_', ' ')} (executor=processes) | 10 | | 10 of 10 | {max(twice)} |")
