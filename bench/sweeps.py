"""The jobs of one sweep (`-m`): each leaves a note, wherever it ran, and one report is built from the notes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .errors import ConfigError
from .files import as_path, is_remote, write_atomic

_PLUGIN = "hydra_plugins.hydra_submitit_launcher"


@dataclass(frozen=True)
class Note:
    """How one job ended.

    Attributes:
        status: its exit status.
        out: what it wrote to, or empty where it wrote nothing that a report could show.
        config: its configuration.
        error: why it was refused, or empty.
    """

    status: int
    out: str
    config: Mapping[str, Any]
    error: str


def leave(note: Note) -> None:
    """Write the note of the job that Hydra is running."""
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    name = f"{int(hydra.job.num):06}.json"
    write_atomic(Path(hydra.sweep.dir) / "notes" / name, json.dumps(asdict(note), default=str).encode())


def notes(folder: Path) -> list[Note]:
    """Return the notes of every job that ended, in the order of the sweep."""
    return [Note(**json.loads(path.read_bytes())) for path in sorted((folder / "notes").glob("*.json"))]


def launcher(overrides: Sequence[str], sweep: bool) -> str:
    """Return which launcher the jobs of a sweep are given to; `basic` = one after another in this process.

    Raises:
        ConfigError: it is not installed, or there is no sweep to launch.
    """
    chosen = "basic"
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "hydra/launcher":
            chosen = value
        elif key == "executor" and value == "slurm":
            chosen = "submitit_slurm"
            if not sweep:
                raise ConfigError(
                    "executor=slurm: runs the jobs of a sweep; add -m, such as -m adapter=[input],[lanczos]"
                )
    if chosen.startswith("submitit") and not (find_spec("hydra_plugins") and find_spec(_PLUGIN)):
        raise ConfigError(
            f"hydra/launcher={chosen}: needs a plugin; install it with: pip install 'restorebench[slurm]'"
        )
    return chosen


def is_launched(error: BaseException) -> bool:
    """Say whether the launcher tells of a job that ended without a result."""
    return type(error).__module__.startswith("submitit.")


@contextmanager
def folder(overrides: Sequence[str], launched_by: str) -> Iterator[Path]:
    """Give the folder of a sweep's notes; launchers that run jobs elsewhere keep their scripts and logs there.

    It lies below `out`, which every job can write to, or below this folder where `out` is object storage.
    """
    if launched_by == "basic":
        with TemporaryDirectory() as scratch:
            yield Path(scratch)
        return
    out = as_path(_first_out(overrides))
    place = (Path.cwd() if is_remote(out) else out.absolute()) / "logs" / f"sweep-{time.strftime('%Y%m%dT%H%M%S')}"
    yield place


def _first_out(overrides: Sequence[str]) -> str:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    found = "out"
    for override in OverridesParser.create().parse_overrides([o for o in overrides if o.startswith("out=")]):
        values = override.sweep_string_iterator() if override.is_sweep_override() else [override.value()]
        found = str(next(iter(values)))
    return found
