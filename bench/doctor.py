"""`restorebench doctor`: what this machine can do, what is missing, and what helps.

`doctor` looks at the machine; `doctor store OUT` reads every result below OUT and checks its digest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from . import weights
from .errors import StoreError, listing
from .provenance import cores, environment
from .store import Store

ROOM_GIB = 2.0
"""Free space below which a folder is worth a warning: the weights of all restorers and metrics take about 1 GiB."""


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: what it is.
        status: `ok`; `warn` = something is slower or will be fetched; `fail` = something will not work.
        found: what is there.
        advice: what helps, empty where nothing is needed.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def main(arguments: Sequence[str]) -> int:
    """Run `restorebench doctor [store OUT] [--json]` and return its exit status.

    Raises:
        StoreError: there is no store to check.
    """
    parser = argparse.ArgumentParser(prog="restorebench doctor", description=__doc__.partition("\n\n")[2])
    parser.add_argument("what", nargs="?", choices=["store"], help="check the digests of a store, not the machine")
    parser.add_argument("out", nargs="?", type=Path, default=Path("out"), help="folder of the store (default: out)")
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    given = parser.parse_args(arguments)
    return doctor_store(given.out, as_json=given.json) if given.what == "store" else doctor(as_json=given.json)


def doctor(*, as_json: bool = False) -> int:
    """Examine the machine and print what was found.

    Returns:
        Exit status: 0, or 3 when a check failed.
    """
    return _report(examine(), as_json=as_json, about=environment())


def doctor_store(out: Path, *, as_json: bool = False) -> int:
    """Check the digest of every file in a store and print the problems.

    Returns:
        Exit status: 0, or 3 when something is damaged.

    Raises:
        StoreError: there is no store below `out`.
    """
    return _report(examine_store(out), as_json=as_json)


def examine(folder: Path | None = None) -> list[Check]:
    """Check everything a run relies on.

    Args:
        folder: where results would be written; default: the working directory.
    """
    where = folder or Path.cwd()
    checks: Sequence[Callable[[], Check]] = (
        _python,
        _torch,
        _opencv,
        _mlflow,
        lambda: _room("space for results", where),
        lambda: _room("space for weights", weights.home()),
        _weights,
    )
    return [_guarded(check) for check in checks]


def examine_store(out: Path) -> list[Check]:
    """Check every file that the store below `out` names.

    Raises:
        StoreError: there is no store below `out`.
    """
    if not (out / "store").is_dir():
        raise StoreError(f"{out}: no store here; give the folder that a command had as out=...")
    help_ = "run the command that made it again: only what is damaged is computed anew"
    problems = [Check("damaged", "fail", line, help_) for line in Store(out).verify()]
    return problems or [Check("store", "ok", f"{out}: every file is what its digest says")]


def _guarded(check: Callable[[], Check]) -> Check:
    """A check that breaks is itself a finding."""
    try:
        return check()
    except (Exception, SystemExit) as error:
        name = getattr(check, "__name__", "check").strip("_")
        return Check(name, "fail", f"{type(error).__name__}: {error}", "make install, or reinstall restorebench")


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()}, {cores()} cores")


def _torch() -> Check:
    import torch

    if not torch.cuda.is_available():
        return Check("torch", "warn", f"{torch.__version__}, no GPU", "everything works on the CPU, networks slowly")
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Check("torch", "ok", f"{torch.__version__}, {listing(gpus)}")


def _opencv() -> Check:
    try:
        import cv2
    except ImportError as error:  # the build with windows needs libGL, which servers do not have
        command = "pip install --force-reinstall --no-deps opencv-python-headless"
        return Check("opencv", "fail", str(error), command)
    return Check("opencv", "ok", str(cv2.__version__))


def _mlflow() -> Check:
    import mlflow

    return Check("mlflow", "ok", str(mlflow.__version__))


def _room(name: str, folder: Path) -> Check:
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free / 2**30
    found = f"{free:.1f} GiB free in {folder}"
    if not os.access(there, os.W_OK):
        return Check(name, "fail", f"{folder} cannot be written", "choose another: out=DIR, RESTOREBENCH_HOME=DIR")
    if free < ROOM_GIB:
        return Check(name, "warn", found, f"make room: below {ROOM_GIB:g} GiB downloads and results may not fit")
    return Check(name, "ok", found)


def _weights() -> Check:
    checks = weights.verify()
    states = Counter(check.state for check in checks)
    found = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) + f" in {weights.home()}"
    damaged = [check.detail for check in checks if check.state == "damaged"]
    if damaged:
        return Check("weights", "fail", found, "; ".join(damaged))
    if states["absent"]:
        return Check("weights", "warn", found, "fetched on first use; all at once: restorebench weights fetch all")
    return Check("weights", "ok", found)


def _report(checks: Sequence[Check], *, as_json: bool, about: dict[str, object] | None = None) -> int:
    if as_json:
        data = {"checks": [asdict(check) for check in checks], **({"environment": about} if about else {})}
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    else:
        _print_table(checks)
    return 3 if any(check.status == "fail" for check in checks) else 0


def _print_table(checks: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    table = Table(box=None)
    for heading in ("", "check", "found", "what helps"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        status = f"[{colours[check.status]}]{check.status}[/]"
        table.add_row(status, check.name, escape(check.found), escape(check.advice))
    Console().print(table)
