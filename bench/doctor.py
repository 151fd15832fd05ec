"""`restorebench doctor`: what this machine can do, what is missing, and what helps.

`doctor` looks at the machine; `doctor store OUT` reads every result below OUT and checks its digest.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from .errors import StoreError
from .files import as_path
from .machine import Check, examine
from .provenance import environment
from .storage import results
from .storage.store import Store

SCHEMA = 1
"""Version of the JSON form; keys may be added within one, never changed or removed."""


def main(arguments: Sequence[str]) -> int:
    """Run `restorebench doctor [store OUT] [--json]` and return its exit status.

    Raises:
        StoreError: there is no store to check.
    """
    parser = argparse.ArgumentParser(prog="restorebench doctor", description=__doc__.partition("\n\n")[2])
    parser.add_argument("what", nargs="?", choices=["store"], help="check the digests of a store, not the machine")
    parser.add_argument("out", nargs="?", default="out", help="folder or address of the store (default: out)")
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    given = parser.parse_args(arguments)
    return doctor_store(as_path(given.out), as_json=given.json) if given.what == "store" else doctor(as_json=given.json)


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


def examine_store(out: Path) -> list[Check]:
    """Check every file of the store below `out`: commits, what they name, tables and records of commands.

    Raises:
        StoreError: there is no store below `out`.
    """
    if not (out / "store").is_dir():
        raise StoreError(f"{out}: no store here; give the folder that a command had as out=...")
    store = Store(out)
    help_ = "run the command that made it again: only what is damaged is computed anew"
    problems = [Check("damaged", "fail", line, help_) for line in chain(store.verify(), results.verify(store))]
    looked_at = ", ".join(f"{count} {kind}" for kind, count in store.checked.items())
    return problems or [Check("store", "ok", f"{out}: every file is what its digest says ({looked_at})")]


def _report(checks: Sequence[Check], *, as_json: bool, about: dict[str, object] | None = None) -> int:
    if as_json:
        failed = any(check.status == "fail" for check in checks)
        found = {"schema": SCHEMA, "ok": not failed, "checks": [asdict(check) for check in checks]}
        data = {**found, **({"environment": about} if about else {})}
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
