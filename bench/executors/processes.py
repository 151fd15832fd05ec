"""Shards in processes of their own: a plugin that ends its process, hangs or leaks costs its own rows only."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from ..errors import ConfigError
from ..evaluate import ShardResult
from ..plan import Job
from ..provenance import cores
from ..shards import Shard
from ..storage.store import Store
from .logs import worker_logs
from .messages import Setup
from .output import Output
from .process import Limits, WorkerProcess
from .recovery import Agenda, Place

_NAME = "executor=processes"


@dataclass(frozen=True)
class Processes:
    """Worker processes on this machine, each with a queue of one chunk at a time.

    Attributes:
        workers: how many; 0 = one per GPU, or on the CPU as many as `threads` leaves room for.
        seconds: time a shard may take before its worker is stopped; 0 = no limit.
        memory: GiB that a worker, and what it starts, may hold; 0 = no limit.
    """

    workers: int = 0
    seconds: float = 0
    memory: float = 0

    def run(self, job: Job, groups: Sequence[Sequence[Shard]], store: Store) -> Generator[ShardResult]:
        """Yield the rows of every sample of every shard, in any order and in any number of pieces.

        Raises:
            ConfigError: a plugin is defined in the program that was started, where no other process can import it.
            ExecutorError: workers end before they begin.
        """
        check_importable(job)
        gpus = _gpus(job.options.device)
        count = self.workers or len(gpus) or max(1, cores() // max(1, job.options.threads))
        setup = Setup(job, retire_bytes(self.memory, count))
        agenda = Agenda(groups, job.options.batch)
        with worker_logs(store.out, range(count)) as outputs:
            pool = [
                _Seat(Place(agenda, _NAME), setup, Limits(self.seconds, self.memory), output, _environment(gpus, i))
                for i, output in enumerate(outputs)
            ]
            try:
                while busy := [seat for seat in pool if seat.occupied()]:
                    yield from _turn(busy)
            finally:
                for seat in pool:
                    seat.leave()


class _Seat:
    """A place at the agenda, and the process that works there at the moment."""

    def __init__(
        self, place: Place, setup: Setup, limits: Limits, output: Output, environment: Mapping[str, str | None]
    ) -> None:
        self._place = place
        self._setting = setup, limits, output, environment
        self.process: WorkerProcess | None = None

    def occupied(self) -> bool:
        """Say whether there is work here, having begun the next task if there was none."""
        if self._place.task is None:
            task = self._place.take()
            if task is not None:
                self.process = self.process or WorkerProcess(*self._setting)
                self.process.give(task)
        return self._place.task is not None

    def follow(self, timeout: float) -> ShardResult | None:
        """Act on what the process says next."""
        event = None if self.process is None else self.process.event(timeout)
        if self.process and self.process.ended:
            self.process = None
        return None if event is None else self._place.follow(event)

    def leave(self) -> None:
        """End the process."""
        if self.process:
            self.process.stop()
            self.process = None


def _turn(seats: Sequence[_Seat]) -> Iterator[ShardResult]:
    """Wait until a worker says something, or its limits must be looked at, and hear each one once."""
    processes = [seat.process for seat in seats if seat.process]
    for process in processes:
        process.kept()
    wait([process.connection for process in processes], min(process.look_again for process in processes))
    for seat in seats:
        rows = seat.follow(0)
        if rows is not None:
            yield rows


def check_importable(job: Job) -> None:
    """Refuse plugins of `__main__`.

    Raises:
        ConfigError: there is one.
    """
    named = {f"adapter.{name}": spec for name, spec in job.adapters.items()}
    named |= {f"metric.{metric.name}": metric.spec for metric in job.metrics}
    named |= {f"degradation.{name}": spec for name, spec in job.splits.items() if spec is not None}
    for where, spec in named.items():
        if spec.target.startswith("__main__."):
            raise ConfigError(
                f"{where}: {spec.target} is known to this program only; move it to a module of its own, or run with "
                "executor=inline"
            )


def retire_bytes(memory: float, workers: int) -> int:
    """Resident bytes above which a worker that has grown is replaced between two shards."""
    if memory:
        return int(0.8 * memory * 2**30)
    return _machine_bytes() // 2 // workers


def _machine_bytes() -> int:
    """Memory this process may use: the machine's, or what a container leaves of it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(text)) if text.isdigit() else total


def _gpus(device: str) -> list[str]:
    """Names by which each GPU can be made the only one that a process sees; none where one was chosen or there is none."""
    if device not in ("auto", "cuda"):
        return []
    import torch

    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return visible or [str(index) for index in range(torch.cuda.device_count())]


def _environment(gpus: Sequence[str], worker: int) -> dict[str, str | None]:
    return {"CUDA_VISIBLE_DEVICES": gpus[worker % len(gpus)]} if gpus else {}
