"""The worker's side: evaluates the tasks it is sent until the driver has no more."""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from ..errors import RestorebenchError
from ..evaluate import ShardResult, Worker, device_of
from ..memory import give_back_freed_memory, is_out_of_memory
from ..restoring import HALVED
from ..storage.store import Store
from .messages import Done, Fatal, Kept, Loss, Lost, Ready, Retired, Setup, Task
from .processtree import descendants, resident_bytes

GROWN = 1.25
"""A worker retires when it holds this many times what it held after its first shard, and more than allowed."""


def serve(descriptor: int) -> None:
    """Work until the driver closes the connection, a plugin ends this process, or it is time to be replaced."""
    faulthandler.enable()
    connection: Connection[Any, Any] = Connection(descriptor)
    try:
        setup = connection.recv()
        session = Session(setup)
        connection.send(Ready())
        ahead = 0  # results that the driver has not committed yet
        while True:
            message = connection.recv()
            if isinstance(message, Kept):
                ahead -= 1
                continue
            for event in session.run(message):
                while isinstance(event, ShardResult) and ahead:
                    connection.recv()
                    ahead -= 1
                connection.send(event)
                ahead += isinstance(event, ShardResult)
                if isinstance(event, Retired | Lost):
                    return
    except RestorebenchError as error:
        connection.send(Fatal(error))
    except (EOFError, ConnectionError):  # the driver has no more work, or is gone
        pass
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


class Session:
    """One worker and what it keeps between tasks."""

    def __init__(self, setup: Setup) -> None:
        self._job = setup.job
        self._store = Store(setup.job.out, setup.index)
        self._retire_bytes = setup.retire_bytes
        self._first_bytes = 0
        self._batch = setup.job.options.batch
        self._worker: Worker | None = Worker(setup.job, self._store)

    def run(self, task: Task) -> Iterator[ShardResult | Done | Retired | Lost]:
        """Yield the results of a task's shards, then how it ended.

        Raises:
            RestorebenchError: nothing can go on, such as on a full disk.
        """
        try:
            if task.load:
                self._job.adapters[task.load].build().load(device_of(self._job.options.device))
            for result in self._worker_for(task.batch).run(task.shards):
                self._store.learn(result.commit)
                yield _marked(result) if task.batch else result
                if self._leaks():
                    sys.stdout.write(f"restorebench: this worker holds {_resident() / 2**30:.1f} GiB and is replaced\n")
                    yield Retired()
                    return
        except RestorebenchError:
            raise
        except GeneratorExit:
            raise
        except BaseException as error:  # a plugin may raise anything, SystemExit included
            if task.load and isinstance(error, Exception):  # told image by image when it restores
                yield Done()
                return
            traceback.print_exc()
            reason = f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no message'])[0][:500]}"
            yield Lost(Loss(reason, "memory" if is_out_of_memory(error) else "crash"), began=True)
            return
        yield Done()

    def _worker_for(self, batch: int) -> Worker:
        """Return the worker, built anew where the batch changes."""
        batch = batch or self._job.options.batch
        if self._worker is None or batch != self._batch:
            self._worker = None  # its networks go before the new one's come
            gc.collect()
            options = replace(self._job.options, batch=batch)
            self._worker, self._batch = Worker(replace(self._job, options=options), self._store), batch
        return self._worker

    def _leaks(self) -> bool:
        """Say whether this process has grown far beyond what its first shard needed, on the CPU or on its GPU."""
        if not self._retire_bytes:
            return False
        held = _resident()
        if not self._first_bytes:
            self._first_bytes = held
        allowed = max(self._retire_bytes, int(self._first_bytes * GROWN))
        if held > allowed:
            give_back_freed_memory()
            held = _resident()
        return held > allowed


def _resident() -> int:
    return resident_bytes({os.getpid(), *descendants(os.getpid())})


def _marked(result: ShardResult) -> ShardResult:
    """Say in the rows, and in the store, that the batch was smaller than planned."""
    for record in result.commit.restored.values():
        record["note"] = record["note"] or HALVED
    return replace(result, rows=tuple({**row, "note": row["note"] or HALVED} for row in result.rows))
