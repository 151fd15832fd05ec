"""What runs inside a Ray actor: a worker behind its guard, on whatever node Ray chose.

The actor itself imports no plugin.  So a plugin that crashes ends its worker and not the actor, and the driver gets the same
reason as from a worker on its own machine.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import RestorebenchError
from .logs import worker_logs
from .messages import Event, Fatal, Setup, Task
from .output import Output
from .process import Limits, WorkerProcess

Heard = Event | Fatal


@dataclass(frozen=True)
class Home:
    """What a host must find on its node to be of use.

    Attributes:
        folder: where the driver was started; relative paths start there.
        path: the driver's `sys.path`; what is not there is left out.
        seen: files that must be there, with what to say of each that is not.
        version: of restorebench.
        environment: the driver's settings of arithmetic and of this project; None where it has none.  Ray sets some
            of its own, which would change the last digits.
    """

    folder: str
    path: Sequence[str]
    environment: Mapping[str, str | None]
    seen: Mapping[Path, str]
    version: str


class Host:
    """One worker's place on a node.

    Args:
        number: of its log.
        setup: what its workers are told first.
        limits: what a shard may cost.
    """

    def __init__(self, number: int, setup: Setup, limits: Limits) -> None:
        self._number = number
        self._setting = setup, limits
        self._environment: Mapping[str, str | None] = {}
        self._path: Sequence[str] = ()
        self._process: WorkerProcess | None = None
        self._output: Output | None = None
        self._stack = ExitStack()

    def open(self, home: Home) -> str:
        """Look around; return what is wrong here, or nothing."""
        from ... import __version__

        node = socket.gethostname()
        if __version__ != home.version:
            return f"node {node} has restorebench {__version__}, this is {home.version}; install the same on every node"
        if Path(home.folder).is_dir():
            os.chdir(home.folder)
        for place, missing in home.seen.items():
            if not place.exists():
                return f"node {node} does not see {missing}"
        self._environment = home.environment
        self._path = [place for place in home.path if Path(place).exists()]
        setup, limits = self._setting
        scratch = Path(self._stack.enter_context(TemporaryDirectory(prefix="restorebench-")))
        self._setting = replace(setup, index=scratch / "index.sqlite"), limits
        self._output = self._stack.enter_context(worker_logs(setup.job.out, [self._number]))[0]
        return ""

    def work(self, task: Task | None) -> Heard:
        """Begin a task, or go on with the one at hand, and return what happens next."""
        try:
            if self._process is None or self._process.ended:
                if self._output is None:
                    raise RuntimeError("a host is opened before it works")
                self._process = WorkerProcess(*self._setting, self._output, self._environment, self._path)
            if task is not None:
                self._process.give(task)
            while True:
                event = self._process.event(self._process.look_again)
                if event is not None:
                    return event
        except RestorebenchError as error:
            return Fatal(error)

    def close(self) -> None:
        """End the worker and put its log in order."""
        if self._process is not None:
            self._process.stop()
        self._stack.close()
