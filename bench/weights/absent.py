"""What to say of weights that are not here: which file, from where, which licence, which command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from .catalogue import Entry, Manual


def missing(items: Sequence[Entry]) -> str:
    """Return one line, a clause for each group of entries (`dfdnet/...`); it names no place of this machine."""
    groups: dict[str, list[Entry]] = {}
    for item in items:
        groups.setdefault(item.name.partition("/")[0], []).append(item)
    return "; ".join(_line(name, group) for name, group in groups.items())


def _line(group: str, items: Sequence[Entry]) -> str:
    first = items[0]
    file = PurePosixPath(first.file).name
    what = f"{file} ({first.what})" if len(items) == 1 else f"{file} and {len(items) - 1} more files ({first.what})"
    source = f"from {first.sources[0]}" if first.sources else "from nowhere known"
    get = f"get it with: restorebench weights fetch {first.name if len(items) == 1 else group}"
    if all(isinstance(found, Manual) for found in first.sources):
        get = "by hand only: put it into a folder named in RESTOREBENCH_WEIGHTS, then: restorebench weights verify"
    return f"no {what}; {source}; licence: {first.licence}; {get}"
