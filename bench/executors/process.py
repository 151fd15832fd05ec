"""The driver's side of one worker process: starting it, what it says, its limits, and how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import Any

from ..errors import ExecutorError
from ..evaluate import ShardResult
from .messages import Event, Fatal, Kept, Loss, Lost, Ready, Retired, Setup, Task
from .output import Output
from .processtree import descendants, end, resident_bytes

START_SECONDS = 600
"""A worker that needs longer to import its libraries will not come."""

LOOK_SECONDS = 0.1
"""How often the memory of a worker is looked at where it is limited; a fast plugin takes some 0.3 GiB in that time."""

_PROGRAM = f"""\
import json, sys
sys.path[:] = json.loads(sys.argv.pop())
from {__package__}.guard import main
main(int(sys.argv[1]), int(sys.argv[2]))
"""


@dataclass(frozen=True)
class Limits:
    """What a shard may cost; 0 = no limit.

    Attributes:
        seconds: from the start of a shard to its end.
        memory: GiB that the worker and all it started hold.
    """

    seconds: float = 0
    memory: float = 0


class WorkerProcess:
    """A worker in a process of its own, behind its guard.

    Args:
        setup: what it is told first.
        limits: what a shard may cost.
        output: where what it prints goes.
        environment: changes to this process's environment; None takes a variable out.
        path: where modules are found besides this process's own `sys.path`.
    """

    def __init__(
        self,
        setup: Setup,
        limits: Limits,
        output: Output,
        environment: Mapping[str, str | None],
        path: Sequence[str] = (),
    ) -> None:
        self._limits = limits
        self._task: Task | None = None
        self._ready = False
        self._ended = False
        self._owed = False
        self._since = time.monotonic()
        self.connection: Connection[Any, Any]
        self.connection, theirs = Pipe()
        lifeline, self._lifeline = os.pipe()
        said, saying = os.pipe()
        modules = json.dumps([*map(str, sys.path), *(place for place in path if place not in sys.path)])
        try:
            self._guard = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), str(lifeline), modules],
                stdin=subprocess.DEVNULL,
                stdout=saying,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(), lifeline),
                start_new_session=True,  # the driver decides what an interrupt means
                env={key: value for key, value in {**os.environ, **environment}.items() if value is not None},
            )
        finally:
            theirs.close()
            os.close(lifeline)
            os.close(saying)
        output.drain(said)
        with suppress(ConnectionError):  # it ended already; `event` will say so
            self.connection.send(setup)

    @property
    def look_again(self) -> float:
        """Seconds after which the limits should be looked at."""
        if self._limits.memory:
            return LOOK_SECONDS
        return min(max(self._limits.seconds / 20, 0.05), 1.0) if self._limits.seconds else 1.0

    def give(self, task: Task) -> None:
        """Send a task, now or when the worker is ready to listen."""
        self._task = task
        if self._ready:
            self._since = time.monotonic()
            with suppress(ConnectionError):  # it ended; `event` will say so
                self.connection.send(task)

    def kept(self) -> None:
        """Tell the worker that its last result is committed, if it has not been told."""
        if self._owed:
            self._owed = False
            self._since = time.monotonic()
            with suppress(OSError):  # it ended; `event` will say so
                self.connection.send(Kept())

    def event(self, timeout: float) -> Event | None:
        """Return what the worker says within `timeout` seconds, or that it was lost; None where there is nothing.

        Whoever asks again has committed what was returned before.

        Raises:
            RestorebenchError: nothing can go on.
        """
        self.kept()
        try:
            message = self.connection.recv() if self.connection.poll(timeout) else None
        except (EOFError, OSError):
            return self._lost(self._post_mortem())
        if message is None:
            return self._beyond_limits()
        self._since = time.monotonic()
        if isinstance(message, Ready):
            self._ready = True
            if self._task is not None:
                self.give(self._task)
            return None
        if isinstance(message, Fatal):
            self.stop()
            raise message.error
        self._owed = isinstance(message, ShardResult)
        if not isinstance(message, ShardResult | Lost):
            self._task = None
        if isinstance(message, Retired | Lost):
            self.stop()
        return message  # type: ignore[no-any-return]

    @property
    def ended(self) -> bool:
        """Whether the worker is gone and another one is needed."""
        return self._ended

    def _lost(self, loss: Loss) -> Lost:
        self.stop()
        return Lost(loss, self._ready)

    def _beyond_limits(self) -> Lost | None:
        seconds = time.monotonic() - self._since
        if not self._ready:
            if seconds > START_SECONDS:
                return self._lost(Loss(f"not ready after {START_SECONDS} seconds", "time"))
            return None
        if self._task is None:
            return None
        if self._limits.seconds and seconds > self._limits.seconds:
            reason = f"took longer than executor.seconds={self._limits.seconds:g} for its shard and was stopped"
            return self._lost(Loss(reason, "time"))
        if self._limits.memory and self._resident() > self._limits.memory * 2**30:
            reason = f"held more than executor.memory={self._limits.memory:g} GiB and was stopped"
            return self._lost(Loss(reason, "memory"))
        return None

    def _resident(self) -> int:
        return resident_bytes(descendants(self._guard.pid))

    def _post_mortem(self) -> Loss:
        """Say how the worker ended; the guard ends in the same way."""
        try:
            status = self._guard.wait(timeout=15)
        except subprocess.TimeoutExpired:
            return Loss("closed its connection and did not end", "crash")
        if status == -signal.SIGKILL:
            return Loss("its process was killed by the system (SIGKILL), probably out of memory", "killed")
        if status < 0:
            number = signal.Signals(-status)
            return Loss(f"its process was killed by {number.name} ({signal.strsignal(number)})", "crash")
        return Loss(f"its process ended with exit code {status}", "crash")

    def stop(self) -> None:
        """End the worker and all it started; an idle one ends by itself, in order."""
        if self._ended:
            return
        self._ended = True
        self.connection.close()
        if self._ready and self._task is None:
            with suppress(subprocess.TimeoutExpired):
                self._guard.wait(timeout=2)
        os.close(self._lifeline)
        try:
            self._guard.wait(timeout=20)
        except subprocess.TimeoutExpired:
            end([*descendants(self._guard.pid), self._guard.pid])
            with suppress(subprocess.TimeoutExpired):
                self._guard.wait(timeout=20)
                return
            raise ExecutorError("a worker cannot be ended, it hangs in the kernel") from None
