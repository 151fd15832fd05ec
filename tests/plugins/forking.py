"""A process that has imported everything and forks a command line in milliseconds.

`python forking.py` reads one JSON line per request and answers with one.  Every command of a request runs in a child
of its own, all of them at once.  The process lives in mount and user namespaces of its own where the system allows
it, so that full and read-only disks can be mounted without touching anything else.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import faults

TIMEOUT = 120
"""Seconds after which a child that hangs is killed by its own alarm."""


@dataclass(frozen=True)
class Command:
    """One command line.

    Attributes:
        arguments: of `restorebench`.
        environment: variables it gets besides those of the server.
        fault: where it dies.
        passages: file that gets the number of passages of each fault point, and the modules that were needed.
        clock: seed of a wall clock that jumps; None: a clock as usual.
        largest_file: bytes, where a full disk can only be played.
    """

    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    fault: faults.Fault | None = None
    passages: str | None = None
    clock: int | None = None
    largest_file: int | None = None


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status (negative: the signal that killed it) and what it printed."""

    status: int
    output: str


class Server:
    """The other end: starts the process and talks to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        places = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        environment |= {"MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false", "NO_PROXY": "127.0.0.1", "PIP_NO_INDEX": "1"}
        environment |= {"PIP_CONFIG_FILE": os.devnull}
        apart = ["unshare", "--map-root-user", "--mount"] if os.geteuid() else ["unshare", "--mount"]
        self.mounts = (
            shutil.which("unshare") is not None
            and not subprocess.run(
                [*apart, "mount", "-t", "tmpfs", "tmpfs", str(folder)], check=False, capture_output=True
            ).returncode
        )
        prefix = apart if self.mounts else []
        self._process = subprocess.Popen(
            [*prefix, sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment, cwd=folder,
        )  # fmt: skip
        self._said()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.stdin.close()
        self._process.wait(30)

    def run(self, *commands: Command) -> list[Ended]:
        """Run commands side by side and return how each ended."""
        outputs = [self._folder / f"output-{os.urandom(4).hex()}" for _ in commands]
        jobs = [{**asdict(command), "output": str(output)} for command, output in zip(commands, outputs, strict=True)]
        statuses = self._ask({"jobs": jobs})
        return [Ended(s, o.read_text(errors="replace")) for s, o in zip(statuses, outputs, strict=True)]

    def shell(self, *command: str | Path) -> str:
        """Run a program where the mounts are seen; return what it prints."""
        return str(self._ask({"shell": [str(word) for word in command]}))

    def _ask(self, request: dict[str, Any]) -> Any:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._said()

    def _said(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server of forks ended with status {self._process.wait(10)}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]


def serve() -> None:
    """Import what the commands import, then fork for every request until the input ends."""
    _import_everything()
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer: dict[str, Any]) -> None:
        told.write(json.dumps(answer) + "\n")
        told.flush()

    say({"value": "ready"})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "shell" in request:
                done = subprocess.run(request["shell"], capture_output=True, text=True, check=True, timeout=60)
                say({"value": done.stdout})
                continue
            children = [_fork(job) for job in request["jobs"]]
            statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            for job in request["jobs"]:
                _import_what_was_needed(job)
            say({"value": statuses})
        except subprocess.CalledProcessError as error:
            say({"error": f"{error}: {error.stderr}"})
        except Exception as error:
            say({"error": repr(error)})


def _import_what_was_needed(job: dict[str, Any]) -> None:
    """Import what a child imported late, so that the next one finds it."""
    if job["passages"] and Path(job["passages"]).exists():
        for name in json.loads(Path(job["passages"]).read_text())["modules"]:
            if name not in sys.modules:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)


def _fork(job: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = (open(fd, "w", buffering=1, closefd=False) for fd in (1, 2))  # noqa: SIM115
        status = _run(job)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _run(job: dict[str, Any]) -> int:
    from restorebench.bench import cli
    from restorebench.bench.weights import catalogue

    signal.alarm(TIMEOUT)
    os.environ.update(job["environment"])
    if "FRAGILE_CATALOGUE" in os.environ:
        catalogue.CATALOGUE = Path(os.environ["FRAGILE_CATALOGUE"])
    if job["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"],) * 2)
    if job["clock"] is not None:
        faults.jump_clocks(job["clock"])
    faults.install(faults.Fault(*job["fault"]) if job["fault"] else None)
    status = cli.main(job["arguments"])
    if job["passages"]:
        content = {"passages": faults.passages(), "modules": sorted(sys.modules)}
        Path(job["passages"]).write_text(json.dumps(content))
    return status


def _import_everything() -> None:
    import fragile  # noqa: F401
    import mlflow.tracking.client  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import restorebench.bench.commands
    import restorebench.bench.reference_command
    import restorebench.bench.synthesis
    import restorebench.bench.tracking.projection
    import restorebench.reports.build  # noqa: F401


if __name__ == "__main__":
    serve()
