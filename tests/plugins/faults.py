"""Named fault points: a process that kills itself with SIGKILL at a chosen passage of a chosen point.

Production code carries no hooks.  `install` wraps, in the process that is to die, what every stage has to call
(renames, the blocks of a download, the client of MLflow); the light plugins of `fragile.py` call `passed` themselves.
"""

from __future__ import annotations

import datetime
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

PLACES = {
    "/store/images/": "image",
    "/store/features/": "feature file",
    "/store/commits/": "commit",
    "/store/cells/": "cell table",
    "/store/plans/": "plan record",
    "/report/": "report file",
    "/weights/": "weights file",
    "/references/": "statistics file",
    "/lq/": "synthesized file",
    "/native/": "synthesized file",
}
"""What a renamed file is, by a part of its path; the first that fits."""

MLFLOW = ("create_experiment", "create_run", "set_tag", "log_batch", "log_inputs", "log_text", "log_artifacts",
          "set_terminated")  # fmt: skip


class Fault(NamedTuple):
    """Where a process is to die.

    Attributes:
        point: name of the fault point.
        passage: at which passage of it, from 1.
        how: `before` the work, `after` it, or `torn`: a file is half written and not yet renamed.
    """

    point: str
    passage: int
    how: str


def _of_worker() -> Fault | None:
    """Return the fault that a worker process finds in its environment when it imports this module."""
    told = os.environ.get("FRAGILE_WORKER_FAULT")
    if not told:
        return None
    point, passage, how = told.split(",")
    return Fault(point, int(passage), how)


_planned: Fault | None = _of_worker()
_passages: Counter[str] = Counter()


def install(fault: Fault | None) -> None:
    """Wrap the fault points of this process, and plan its death at one of them."""
    global _planned  # noqa: PLW0603 - one plan per process
    _planned = fault
    _passages.clear()
    os.replace = _renaming(os.replace)  # type: ignore[assignment]
    os.rename = _renaming(os.rename)  # type: ignore[assignment]
    import requests
    from mlflow.tracking import MlflowClient

    blocks = requests.Response.iter_content

    def iter_content(self: Any, *arguments: Any, **more: Any) -> Iterator[bytes]:
        for block in blocks(self, *arguments, **more):
            with passing("download"):
                yield block

    requests.Response.iter_content = iter_content  # type: ignore[method-assign]
    for name in MLFLOW:
        setattr(MlflowClient, name, _tracking(getattr(MlflowClient, name)))


def passages() -> dict[str, int]:
    """Return how often each point was passed."""
    return dict(_passages)


@contextmanager
def passing(point: str) -> Iterator[None]:
    """Mark a piece of work as a passage of a point."""
    _passages[point] += 1
    mine = _planned is not None and (point, _passages[point]) == _planned[:2]
    if mine and _planned.how == "before":
        die()
    yield
    if mine:
        die()


def die() -> None:
    """Kill this process, as the system does when memory is short: nothing is flushed or cleaned up.

    With FRAGILE_ONCE, the name of a file, only the first process that comes here dies.
    """
    once = os.environ.get("FRAGILE_ONCE")
    if once:
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)


def _renaming(real: Callable[..., None]) -> Callable[..., None]:
    def rename(source: Any, target: Any, **more: Any) -> None:
        where = f"/{Path(os.fspath(target)).as_posix()}"
        point = next((name for part, name in PLACES.items() if part in where), "")
        if not point and where.endswith("/parameters.parquet"):
            point = "synthesized file"
        if not point:
            real(source, target, **more)
            return
        if _planned is not None and _planned == (point, _passages[point] + 1, "torn"):
            if Path(source).stat().st_nlink == 1:  # a second name of a finished file is never half written
                os.truncate(source, Path(source).stat().st_size // 2)
            die()
        with passing(point):
            real(source, target, **more)

    return rename


def _tracking(real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **more: Any) -> Any:
        with passing("MLflow"):
            return real(*arguments, **more)

    return call


def jump_clocks(seed: int) -> None:
    """From now on the wall clock jumps by up to ten years back and forth whenever somebody looks."""
    draw, real, real_ns, real_datetime = random.Random(seed), time.time, time.time_ns, datetime.datetime
    decade = 10 * 365 * 86400

    class Jumping(real_datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real_datetime.now(tz) + datetime.timedelta(seconds=draw.randint(-decade, decade))

    time.time = lambda: real() + draw.randint(-decade, decade)
    time.time_ns = lambda: real_ns() + draw.randint(-decade, decade) * 10**9
    datetime.datetime = Jumping  # type: ignore[misc]
