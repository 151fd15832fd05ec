"""Between driver and worker: a small process that ends the worker, and all it started, when either side goes away.

    driver --lifeline--> guard --fork--> worker --> whatever a plugin starts

Nothing is left behind when the driver is killed with SIGKILL, when a worker crashes while its tools go on, and when
a worker hangs inside C code: the guard runs no plugin.  It forks before anything heavy is imported, so the fork is safe,
and ends the way the worker ended, so that the driver learns how that was.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import time

from .processtree import adopt_orphans, descendants, die_with, end, offer_to_the_system


def main(connection: int, lifeline: int) -> None:
    """Fork the worker and watch it.

    Args:
        connection: file descriptor over which driver and worker talk.
        lifeline: reading end of a pipe that the driver holds open and never writes to.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    guard = os.getpid()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    worker = os.fork()
    if worker == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (woken, wake, lifeline):
            os.close(descriptor)
        die_with(guard)
        offer_to_the_system()
        from .session import serve

        serve(connection)
        os._exit(0)
    os.close(connection)
    adopt_orphans()
    _end_as(_watch(worker, lifeline, woken))


def _watch(worker: int, lifeline: int, woken: int) -> int:
    """Wait for the worker or for the driver to end, end everything else, and return the worker's status."""
    status: int | None = None
    while status is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        if lifeline in ready:  # nothing is ever written: it was closed
            end([worker])
            status = _status(worker, wait=True)
        else:
            status = _status(worker, wait=False)
    deadline = time.monotonic() + 10
    while (left := descendants(os.getpid())) and time.monotonic() < deadline:
        end(left)
        _reap()
        time.sleep(0.01)
    return status


def _status(worker: int, *, wait: bool) -> int | None:
    """Return the worker's wait status once it has ended; adopted processes that ended are forgotten."""
    while True:
        try:
            pid, status = os.waitpid(worker if wait else -1, 0 if wait else os.WNOHANG)
        except ChildProcessError:
            return 1
        if pid == worker:
            return status
        if pid == 0:
            return None


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _end_as(status: int) -> None:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        time.sleep(10)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
