"""Threads that compute on one core each."""

from __future__ import annotations

import threading

import pytest
import torch

from restorebench.bench.lanes import Lanes


@pytest.fixture(params=[True, False], ids=["at once", "held"])
def lanes(request: pytest.FixtureRequest) -> Lanes:
    threads = torch.get_num_threads()
    made = Lanes(2, at_once=request.param)
    torch.set_num_threads(threads)
    return made


def test_everything_added_is_done_when_finish_returns(lanes: Lanes) -> None:
    futures = [lanes.add(lambda number=number: number * number) for number in range(20)]
    lanes.finish()
    assert [future.result(timeout=0) for future in futures] == [number * number for number in range(20)]


def test_what_fails_is_told_to_its_owner_alone(lanes: Lanes) -> None:
    def fail() -> None:
        raise ValueError("broken")

    bad, good = lanes.add(fail), lanes.add(lambda: 7)
    lanes.finish()
    assert good.result(timeout=0) == 7
    with pytest.raises(ValueError, match="broken"):
        bad.result(timeout=0)


def test_a_lane_computes_on_one_core_and_leaves_the_others_their_threads(lanes: Lanes) -> None:
    before = torch.get_num_threads()
    inside = lanes.add(torch.get_num_threads)
    lanes.finish()
    assert inside.result() == 1
    assert torch.get_num_threads() == before
    found: list[int] = []
    other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert found == [before]


def test_held_work_waits_for_finish_and_can_be_dropped() -> None:
    lanes = Lanes(1, at_once=False)
    done: list[int] = []
    lanes.add(lambda: done.append(1))
    lanes.drop()
    lanes.add(lambda: done.append(2))
    assert done == []
    lanes.finish()
    assert done == [2]
