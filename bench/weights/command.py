"""`restorebench weights list | fetch | verify`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from .. import weights
from ..errors import WeightsError


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 = all is well, 3 = something is missing or wrong."""
    parser = argparse.ArgumentParser(
        prog="restorebench weights",
        description="Weights of metrics and restorers: where they come from, under which licence, whether they are here.",
        epilog="They are cached below RESTOREBENCH_HOME (default: the user cache) and checked by sha256.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="list|fetch|verify")
    commands.add_parser("list", help="every known file, its licence and whether it is here")
    fetch = commands.add_parser("fetch", help="download what is missing")
    fetch.add_argument("names", nargs="+", metavar="NAME", help="names from the list, or all")
    verify = commands.add_parser("verify", help="check the sha256 of what is here")
    verify.add_argument("names", nargs="*", metavar="NAME")
    chosen = parser.parse_args(arguments)
    if chosen.command == "fetch":
        return _fetch(chosen.names)
    if chosen.command == "verify":
        return _verify(chosen.names)
    return _list()


def _list() -> int:
    table = Table("name", "state", "size", "licence", "what", "from", box=None, header_style="bold", pad_edge=False)
    for checks in _grouped(weights.verify()):
        item = checks[0].entry
        size = f"{sum(check.entry.size or 0 for check in checks) / 2**20:.1f} MiB" if item.size else ""
        states = Counter(check.state for check in checks)
        state = ", ".join(states) if len(checks) == 1 else ", ".join(f"{n} {name}" for name, n in states.items())
        name = item.name if len(checks) == 1 else f"{_group(item.name)} ({len(checks)} files)"
        what = item.what if len(checks) == 1 else item.what.partition(":")[0]
        table.add_row(name, state, size, item.licence, what, str(item.sources[0]) if item.sources else "")
    Console().print(table, markup=False)
    return 0


def _grouped(checks: Sequence[weights.Check]) -> list[list[weights.Check]]:
    """Put the files of one group, such as the pictures of a data set, into one row."""
    groups: dict[str, list[weights.Check]] = {}
    for check in checks:
        groups.setdefault(_group(check.entry.name), []).append(check)
    return list(groups.values())


def _group(name: str) -> str:
    return name.partition("/")[0]


def _fetch(names: Sequence[str]) -> int:
    """Fetch one by one, so that one absent file does not hide the others."""
    status = 0
    for name in [item.name for item in weights.entries()] if list(names) == ["all"] else names:
        try:
            for weight in weights.fetch([name]):
                print(f"{weight.name}: {weight.path}{'' if weight.verified else ' (unverified)'}")
        except WeightsError as error:
            print(error)
            status = 3
    return status


def _verify(names: Sequence[str]) -> int:
    damaged = False
    for check in weights.verify(names):
        print(f"{check.state}: {check.entry.name}: {check.detail}")
        damaged = damaged or check.state == "damaged" or (check.state == "absent" and bool(names))
    return 3 if damaged else 0
