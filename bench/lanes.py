"""Lanes: threads that compute on one core each, beside the main thread, whose networks use all of them for one batch.

Decoding, hashing, degrading, PNG files and metrics without a network are quickest side by side, one image or one batch
a lane.  On a CPU lanes and networks take turns, so that they do not fight for the cores; on a GPU they work at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

Result = TypeVar("Result")


class Lanes:
    """A few threads and what they have to do.

    Args:
        count: number of threads.
        at_once: whether work starts when it is added; else it waits for `finish`.
    """

    def __init__(self, count: int, *, at_once: bool) -> None:
        self._at_once = at_once
        self._held: list[Callable[[], None]] = []
        self._begun: list[Future[None]] = []
        started = threading.Barrier(count + 1)
        self._pool = ThreadPoolExecutor(count, "restorebench-lane", _compute_on_one_core)
        for _ in range(count):
            self._pool.submit(started.wait)
        started.wait()  # torch remembers the number of threads that was set last: it must not be a lane's

    def add(self, work: Callable[[], Result]) -> Future[Result]:
        """Have some work done; what it returns or raises is in the future once `finish` has returned."""
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # the owner of the future decides
                future.set_exception(error)

        if self._at_once:
            self._begun.append(self._pool.submit(run))
        else:
            self._held.append(run)
        return future

    def finish(self) -> None:
        """Return when everything that was added is done; raises nothing."""
        # the long pieces, which come last, first: all lanes end at about one time
        self._begun += [self._pool.submit(run) for run in reversed(self._held)]
        self._held.clear()
        wait(self._begun)
        self._begun.clear()

    def drop(self) -> None:
        """Forget what waits; what is being done goes on by itself."""
        self._held.clear()
        for begun in self._begun:
            begun.cancel()
        self._begun.clear()


def _compute_on_one_core() -> None:
    """Torch counts its threads per thread (`omp_set_num_threads`)."""
    import torch

    torch.set_num_threads(1)
