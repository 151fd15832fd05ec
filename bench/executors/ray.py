"""Shards on Ray: on this machine, or on every node of a cluster; the driver commits and reports."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ExecutorError
from ..evaluate import ShardResult
from ..files import is_remote
from ..plan import Job
from ..provenance import cores
from ..shards import Shard
from ..storage.store import Store
from .messages import Fatal, Loss, Lost, Setup
from .process import Limits
from .processes import check_importable, retire_bytes
from .ray_host import Home, Host
from .recovery import FALSE_STARTS, Agenda, Place

_NAME = "executor=ray"

WAITING_SECONDS = 600
"""How long no actor may be at work before the run ends: Ray found no room for one."""

_KNOCK_SECONDS = 10

_ARITHMETIC = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "CUBLAS_WORKSPACE_CONFIG",
)
"""Variables that can change the last digits."""


@dataclass(frozen=True)
class Ray:
    """Actors that each hold one worker; a node that dies loses the shards it was at to the others.

    Attributes:
        address: `local` = a Ray of our own on this machine; `auto` = the one that runs here (or `RAY_ADDRESS`); or an
            address such as `ray://head:10001`.
        workers: actors; 0 = as many as the cluster has room for.
        num_gpus: GPUs of each actor, a fraction to share them; None = one where the cluster has any.
        num_cpus: processors Ray keeps for each actor; 0 = `threads`.
        seconds: time a shard may take before its worker is stopped; 0 = no limit.
        memory: GiB that a worker, and what it starts, may hold; 0 = no limit.
    """

    address: str = "local"
    workers: int = 0
    num_gpus: float | None = None
    num_cpus: float = 0
    seconds: float = 0
    memory: float = 0

    def run(self, job: Job, groups: Sequence[Sequence[Shard]], store: Store) -> Generator[ShardResult]:  # noqa: ARG002
        """Yield the rows of every sample of every shard, in any order and in any number of pieces.

        Raises:
            ConfigError: Ray is not installed, a plugin cannot be imported elsewhere, or no node has the resources.
            ExecutorError: the cluster cannot be reached, or its nodes do not see the data.
        """
        check_importable(job)
        cpus = self.num_cpus or job.options.threads
        with _connected(self.address, max(1, self.workers) * cpus) as ray, _home(job, groups) as home:
            gpus = _gpus(ray, self.num_gpus, job.options.device)
            _check_room(ray, cpus, gpus)
            setup = Setup(job, retire_bytes(self.memory, 1))
            actor = ray.remote(Host).options(num_cpus=cpus, num_gpus=gpus, max_restarts=0, scheduling_strategy="SPREAD")
            team = _Team(ray, actor, (setup, Limits(self.seconds, self.memory)), home)
            agenda = Agenda(groups, job.options.batch)
            seats = [_Seat(team, Place(agenda, _NAME)) for _ in range(self.workers or _room(ray, cpus, gpus))]
            try:
                yield from _work(ray, seats, agenda)
            finally:
                for seat in seats:
                    seat.leave()


@dataclass
class _Team:
    """Hires hosts."""

    ray: Any
    actor: Any
    arguments: tuple[Setup, Limits]
    home: Home
    hired: int = 0

    def hire(self) -> Any:
        self.hired += 1
        return self.actor.remote(self.hired - 1, *self.arguments)


class _Seat:
    """A place at the agenda and the actor that works there; `pending` is what it was asked last."""

    def __init__(self, team: _Team, place: Place) -> None:
        self._team = team
        self._place = place
        self._host: Any = None
        self._open = False
        self._false_starts = 0
        self.pending: Any = None

    @property
    def at_work(self) -> bool:
        return self._place.task is not None

    def ask(self) -> None:
        """Ask the host for the next thing, if it is free."""
        if self.pending is not None:
            return
        if self._host is None:
            self._host, self._open = self._team.hire(), False
            self.pending = self._host.open.remote(self._team.home)
        elif self._open and self._place.task is None:
            task = self._place.take()
            if task is not None:
                self.pending = self._host.work.remote(task)
        elif self._open:
            self.pending = self._host.work.remote(None)

    def follow(self) -> ShardResult | None:
        """Act on the answer, which has come.

        Raises:
            RestorebenchError: nothing can go on.
        """
        ray, pending, self.pending = self._team.ray, self.pending, None
        try:
            answer = ray.get(pending)
        except ray.exceptions.RayActorError:
            self._host = None
            if self._open:
                return self._place.follow(Lost(Loss("the Ray actor or node it was on was lost", "crash"), began=True))
            self._false_starts += 1
            if self._false_starts == FALSE_STARTS:
                raise ExecutorError(f"{_NAME}: actors end before they begin; see Ray's own logs") from None
            return None
        except ray.exceptions.RayError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            raise ExecutorError(
                f"{_NAME}: an actor cannot work: {lines[-1]}; is this restorebench installed on every node?"
            ) from None
        if not self._open:
            if answer:
                raise ExecutorError(f"{_NAME}: {answer}")
            self._open = True
            return None
        if isinstance(answer, Fatal):
            raise answer.error
        return self._place.follow(answer)

    def leave(self) -> None:
        """End the actor; an idle one puts its log in order first."""
        if self._host is not None:
            if self._open and not self.at_work:
                with contextlib.suppress(self._team.ray.exceptions.RayError):
                    self._team.ray.get(self._host.close.remote(), timeout=10)
            self._team.ray.kill(self._host)
            self._host = None


def _work(ray: Any, seats: Sequence[_Seat], agenda: Agenda) -> Iterator[ShardResult]:
    """Keep every actor busy until nothing is left."""
    idle_since = time.monotonic()
    while agenda or any(seat.at_work for seat in seats):
        for seat in seats:
            seat.ask()
        waiting = {seat.pending: seat for seat in seats if seat.pending is not None}
        ready, _ = ray.wait(list(waiting), num_returns=1, timeout=1.0)
        for answered in ready:
            rows = waiting[answered].follow()
            if rows is not None:
                yield rows
        if any(seat.at_work for seat in seats):
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since > WAITING_SECONDS:
            raise ExecutorError(f"{_NAME}: Ray has had no room for a worker in the last {WAITING_SECONDS} seconds")


@contextlib.contextmanager
def _connected(address: str, cpus: float) -> Iterator[Any]:
    """Give the library, connected; a Ray that the caller is connected to already is used and left as it is.

    Raises:
        ConfigError: Ray is not installed.
        ExecutorError: there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "local" and "RAY_AUTH_MODE" not in os.environ and "ray" not in sys.modules:
        # A token for this process, so that Ray writes none into the home directory; Ray reads it when it is imported.
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    try:
        import ray
    except ImportError:
        raise ConfigError(f"{_NAME}: Ray is not installed; install it with: pip install 'restorebench[ray]'") from None
    if ray.is_initialized():
        yield ray
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "namespace": "restorebench"}
    with contextlib.ExitStack() as stack:
        if address == "local":
            scratch = tempfile.mkdtemp(prefix="ray-")  # short: Ray puts sockets there
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            quiet |= {"include_dashboard": False, "num_cpus": int(max(cores(), cpus)), "_temp_dir": scratch}
        _knock(os.environ.get("RAY_ADDRESS", "") if address == "auto" else address)
        stack.callback(ray.shutdown)
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ExecutorError(
                f"executor.address={address}: no Ray cluster can be reached there: {lines[0]}"
            ) from None
        yield ray


def _knock(address: str) -> None:
    """Ask whether anybody listens there: Ray itself would go on asking for minutes.

    Raises:
        ExecutorError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ExecutorError(
            f"executor.address={address}: no Ray cluster can be reached there: {error}; start one with: ray start --head"
        ) from None


@contextlib.contextmanager
def _home(job: Job, groups: Sequence[Sequence[Shard]]) -> Iterator[Home]:
    """Leave a mark in the store that only a shared folder shows on other nodes, and name a file of the data."""
    from ... import __version__

    remedy = "put out on a folder that every node shares, or on object storage (out=s3://...)"
    mark = job.out / "store" / ("FORMAT" if is_remote(job.out) else f".reach-{secrets.token_hex(8)}")
    seen = {mark: f"out={job.out}; {remedy}"}
    first = next((shard for group in groups for shard in group), None)
    if first is not None:
        files = [file for file in (first.samples[0].hq, first.samples[0].lq) if file is not None and file.exists()]
        seen |= {file: f"{file}; every node must see the data under the same name" for file in files}
    if not is_remote(mark):
        mark.touch()
    try:
        yield Home(str(Path.cwd()), tuple(map(str, sys.path)), _environment(), seen, __version__)
    finally:
        if not is_remote(mark):
            mark.unlink(missing_ok=True)


def _environment() -> dict[str, str | None]:
    own = {key: value for key, value in os.environ.items() if key.startswith("RESTOREBENCH_")}
    return {**{name: os.environ.get(name) for name in _ARITHMETIC}, **own}


def _gpus(ray: Any, chosen: float | None, device: str) -> float:
    if chosen is not None:
        return chosen
    return 1 if device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1 else 0


def _check_room(ray: Any, cpus: float, gpus: float) -> None:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        most = f"{max((node.get('CPU', 0) for node in nodes), default=0):g} processors"
        raise ConfigError(
            f"{_NAME}: no node has {cpus:g} processors and {gpus:g} GPUs for one worker (the largest has {most}); "
            "set executor.num_cpus, executor.num_gpus or threads"
        )


def _room(ray: Any, cpus: float, gpus: float) -> int:
    """How many workers the cluster has room for."""
    room = 0
    for node in ray.nodes():
        if node["Alive"]:
            found = node["Resources"]
            fitting = found.get("CPU", 0) / cpus if cpus else found.get("GPU", 0) / max(gpus, 1e-9)
            if gpus:
                fitting = min(fitting, found.get("GPU", 0) / gpus)
            room += int(fitting)
    return max(1, room)
