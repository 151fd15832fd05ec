"""Full and read-only disks, damaged files, jumping clocks and company: one plain re-run puts everything right."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import faults
import forking
import pytest
from worlds import World, files

SEED = random.SystemRandom().randrange(10**6)


@pytest.fixture
def draw() -> random.Random:
    print(f"seed {SEED}")
    return random.Random(SEED)


def one_line(ended: forking.Ended) -> str:
    """Return the one line with which a command gave up."""
    assert ended.status == 2, ended.output
    assert "Traceback" not in ended.output
    told = [line for line in ended.output.splitlines() if line.startswith("restorebench: ")]
    assert len(told) == 1, ended.output
    return told[0]


def test_a_full_disk_stops_with_one_line_and_loses_nothing(world: World, undisturbed: World) -> None:
    """A tmpfs where mounts are allowed; else a limit on the size of files, which writes meet in the same place."""
    world.out.mkdir()
    evaluation = world.evaluation()
    if world.server.mounts:
        world.server.shell("mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", world.out)
        ended = world.run(*evaluation)
        assert "no space left on the disk; free some and run the same command again" in one_line(ended)
        begun = sum(forking_log(world).values())
        world.server.shell("mount", "-o", "remount,size=64m", world.out)
    else:
        ended = world.run(*evaluation, largest_file=1500)
        assert "cannot be written" in one_line(ended)
        begun = sum(forking_log(world).values())
    assert begun > 0
    again = world.run(*evaluation)
    assert again.status == 0, again.output
    world.server.shell("cp", world.out / "report" / "leaderboard.csv", world.folder / "board.csv")
    if world.server.mounts:
        world.server.shell("umount", world.out)
    assert (world.folder / "board.csv").read_bytes() == undisturbed.board
    repeated = world.repeated(undisturbed.log)
    assert sum(repeated.values()) <= 10, repeated  # the shard that did not fit: 2 images in each of its stages


def forking_log(world: World):
    import fragile

    return fragile.work(world.log)


@pytest.mark.parametrize("kilobytes", [16, 40, 200])
def test_a_full_disk_is_met_wherever_it_fills(kilobytes: int, world: World, undisturbed: World) -> None:
    if not world.server.mounts:
        kilobytes = 4 * kilobytes
    world.out.mkdir()
    if world.server.mounts:
        world.server.shell("mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", world.out)
        ended = world.run(*world.evaluation())
        world.server.shell("mount", "-o", "remount,size=64m", world.out)
    else:
        ended = world.run(*world.evaluation(), largest_file=kilobytes * 64)
    one_line(ended)
    again = world.run(*world.evaluation())
    assert again.status == 0, again.output
    world.server.shell("cp", world.out / "report" / "leaderboard.csv", world.folder / "board.csv")
    if world.server.mounts:
        world.server.shell("umount", world.out)
    assert (world.folder / "board.csv").read_bytes() == undisturbed.board


def test_a_read_only_folder_stops_with_one_line(damaged_copy: Callable[[], World], undisturbed: World) -> None:
    world = damaged_copy()
    before = files(world.out)
    if world.server.mounts:
        world.server.shell("mount", "--bind", world.out, world.out)
        world.server.shell("mount", "-o", "remount,bind,ro", world.out)
        ended = world.run(*world.evaluation())
        world.server.shell("umount", world.out)
    elif os.geteuid():
        world.out.chmod(0o500)
        (world.out / "store").chmod(0o500)
        ended = world.run(*world.evaluation())
        (world.out / "store").chmod(0o700)
        world.out.chmod(0o700)
    else:  # a folder that not even root can write
        ended = world.run(*world.evaluation(), "out=/sys/restorebench")
    assert "cannot be written" in one_line(ended)
    assert files(world.out) == before
    assert world.run(*world.evaluation()).status == 0
    assert world.board == undisturbed.board


KINDS = {"images": ".png", "features": ".npz", "commits": ".json", "cells": ".parquet", "plans": ".json"}


def damage(path: Path, how: str, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(bytes(data[: draw.randrange(len(data))]))
        return
    if how == "emptied":
        path.write_bytes(b"")
        return
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("kind", KINDS)
def test_damage_inside_the_store_is_found_and_made_good(
    kind: str, undisturbed: World, tmp_path: Path, draw: random.Random
) -> None:
    """With a metric more, so that the stored images are looked at."""
    for number, how in enumerate(("truncated", "bit flipped", "emptied")):
        world = undisturbed.at(tmp_path / str(number))
        shutil.copytree(undisturbed.out, world.out)
        victims = sorted((world.out / "store" / kind).rglob(f"*{KINDS[kind]}"))
        for victim in draw.sample(victims, min(2, len(victims))):
            damage(victim, how, draw)
        again = world.run(*world.evaluation())
        assert again.status == 0, (how, again.output)
        assert "Traceback" not in again.output
        assert world.board == undisturbed.board, how


def test_a_damaged_image_is_restored_again_when_a_new_metric_looks_at_it(
    undisturbed: World, tmp_path: Path, draw: random.Random
) -> None:
    more = "+metric.far._target_=fragile.Distance", "+metric.far.power=2"
    calm = undisturbed.at(tmp_path / "calm")
    assert calm.run(*calm.evaluation(*more)).status == 0
    for number, how in enumerate(("truncated", "bit flipped", "emptied")):
        world = undisturbed.at(tmp_path / str(number))
        shutil.copytree(undisturbed.out, world.out)
        for victim in draw.sample(sorted((world.out / "store" / "images").rglob("*.png")), 4):
            damage(victim, how, draw)
        again = world.run(*world.evaluation(*more))
        assert again.status == 0, (how, again.output)
        assert world.board == calm.board, how


def test_any_file_below_out_may_be_lost_or_damaged(undisturbed: World, tmp_path: Path, draw: random.Random) -> None:
    """Whatever file it is, the index and the report included."""
    everything = [p for p in sorted(undisturbed.out.rglob("*")) if p.is_file() and p.parent.name != "logs"]
    for number in range(6):
        world = undisturbed.at(tmp_path / str(number))
        shutil.copytree(undisturbed.out, world.out)
        for victim in draw.sample(everything, 5):
            copy = world.out / victim.relative_to(undisturbed.out)
            if draw.random() < 0.3:
                copy.unlink()
            elif copy.stat().st_size:
                damage(copy, draw.choice(["truncated", "bit flipped", "emptied"]), draw)
        again = world.run(*world.evaluation())
        assert again.status == 0, again.output
        assert world.board == undisturbed.board


def test_a_clock_that_jumps_changes_nothing(world: World, undisturbed: World, draw: random.Random) -> None:
    passages = json.loads((undisturbed.folder / "passages").read_text())["passages"]
    point = draw.choice(["restoring", "commit", "report file"])
    fault = faults.Fault(point, draw.randint(1, passages[point]), "before")
    assert world.run(*world.evaluation(), fault=fault, clock=draw.randrange(1000)).status == -signal.SIGKILL
    for path in world.out.rglob("*"):  # files of the future and of the beginning of time
        os.utime(path, (when := draw.choice([1, 4e9]), when))
    again = world.run(*world.evaluation(), clock=draw.randrange(1000))
    assert again.status == 0, again.output
    assert world.board == undisturbed.board
    assert sum(world.repeated(undisturbed.log).values()) <= 10
    assert world.run(*world.evaluation(), clock=draw.randrange(1000)).status == 0
    assert world.board == undisturbed.board
    assert world.run("report", f"out={world.out}").status == 0
    assert world.board == undisturbed.board


def test_two_processes_on_one_folder_take_turns(world: World, undisturbed: World) -> None:
    both = world.server.run(world.command(*world.evaluation()), world.command(*world.evaluation()))
    assert [ended.status for ended in both] == [0, 0], both
    assert world.board == undisturbed.board
    assert not world.repeated(undisturbed.log)


def test_a_second_process_goes_on_when_the_first_is_killed(
    world: World, undisturbed: World, draw: random.Random
) -> None:
    """Whoever comes first dies at a commit in the second half of twelve; to the other one too few are left to die."""
    fault = faults.Fault("commit", draw.randint(7, 10), "after")
    command = world.command(*world.evaluation(), fault=fault)
    statuses = {ended.status for ended in world.server.run(command, command)}
    assert statuses == {-signal.SIGKILL, 0}
    assert world.board == undisturbed.board
    assert sum(world.repeated(undisturbed.log).values()) <= 10


def test_a_report_beside_a_run_never_sees_half_a_file(world: World, undisturbed: World) -> None:
    for _ in range(2):
        ended = world.server.run(world.command(*world.evaluation()), world.command("report", f"out={world.out}"))
        assert ended[0].status == 0, ended[0].output
        assert ended[1].status in (0, 2), ended[1].output
        assert "Traceback" not in ended[1].output
        assert "unexpected" not in ended[1].output
    assert world.board == undisturbed.board
