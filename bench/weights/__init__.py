"""The weights manager: every trained file by name, fetched once, verified always.

Files live in `RESTOREBENCH_HOME` (default: the user's cache directory).  Before anything is fetched, the
folders of `RESTOREBENCH_WEIGHTS` (separated as in `PATH`) are searched by file name and sha256, so that a
machine without network needs only a folder of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..errors import WeightsError
from .absent import missing
from .cache import Weight, digest, home, obtain, present, recorded, refused
from .catalogue import Entry, entry, read
from .download import SourceError

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = [
    "Check",
    "Entry",
    "Weight",
    "entries",
    "expected_sha256",
    "fetch",
    "home",
    "identity",
    "path",
    "resolve",
    "verify",
]


class Check(NamedTuple):
    """What `verify` found; `detail` says more in words."""

    entry: Entry
    state: Literal["verified", "unverified", "absent", "damaged"]
    detail: str


def entries() -> list[Entry]:
    """Return every known entry, in the order of the registry."""
    return list(read().values())


def resolve(weights: Mapping[str, str | None], fetch: bool = True) -> dict[str, Weight]:
    """Return the files a plugin asks for.

    Args:
        weights: registry name -> a file of the user's own instead, or None.
        fetch: download what is not here.

    Raises:
        WeightsError: some cannot be had; the message names each, its licence, where it comes from and the
            command that fetches it.
    """
    own = {name: _own(name, file) for name, file in weights.items() if file is not None}
    rest = _collect([entry(name) for name in weights if name not in own], fetch, progress=True)
    return {name: own.get(name) or rest[name] for name in weights}


def path(name: str) -> Path:
    """Return the verified file of one entry, fetched if needed.

    Raises:
        WeightsError: it cannot be had.
    """
    return resolve({name: None})[name].path


def expected_sha256(name: str) -> str | None:
    """Return the sha256 the registry promises, or None where it is not known; looks at no file."""
    return entry(name).sha256


def identity(weights: Mapping[str, str | None]) -> dict[str, str]:
    """Return the sha256 of each file a plugin asks for, without downloading any.

    Raises:
        WeightsError: a file of the user's own is missing, or the registry does not know the sha256 and the
            file was never used here (`resolve` it first).
    """
    found = {}
    for name, file in weights.items():
        known = _own(name, file).sha256 if file is not None else entry(name).sha256 or recorded(entry(name))
        if known is None:
            raise WeightsError(f"{name}: its sha256 is known only once it is here; `restorebench weights fetch {name}`")
        found[name] = known
    return found


def fetch(names: Sequence[str] = (), progress: bool = True) -> list[Weight]:
    """Fetch entries into the cache.

    Args:
        names: entries or groups such as `calibration`; empty means all.
        progress: show a bar.

    Raises:
        WeightsError: some could not be had; the others are in the cache.
    """
    return list(_collect(_select(names), fetch=True, progress=progress).values())


def verify(names: Sequence[str] = ()) -> list[Check]:
    """Check the files in the cache and in the user's own folders; fetches nothing.

    Args:
        names: entries or groups; empty means all.
    """
    return [_check(item) for item in _select(names)]


def _select(names: Sequence[str]) -> list[Entry]:
    known = read()
    for name in names:
        if not any(_named(item, name) for item in known.values()):
            entry(name)  # raises, with a suggestion
    return [item for item in known.values() if not names or any(_named(item, name) for name in names)]


def _named(item: Entry, name: str) -> bool:
    return item.name == name or item.name.startswith(f"{name.rstrip('/')}/")


def _check(item: Entry) -> Check:
    try:
        found = present(item)
    except WeightsError as error:
        return Check(item, "damaged", str(error))
    if found is None:
        return Check(item, "absent", f"`restorebench weights fetch {item.name}`")
    return Check(item, "verified" if found.verified else "unverified", str(found.path))


def _own(name: str, given: str) -> Weight:
    """A file the user points at is what it is; only equal bytes make it the registered one."""
    file = Path(given).expanduser()
    if not file.is_file():
        problem = "is not a file" if file.exists() else "does not exist"
        raise WeightsError(f"{name}: {given} {problem}; give the path of a checkpoint file")
    known = read().get(name)
    found = digest(file)
    verified = known is not None and found == known.sha256
    return Weight(name, file, found, verified, known.licence if known and verified else "the user's own file")


def _collect(items: Sequence[Entry], fetch: bool, progress: bool) -> dict[str, Weight]:
    """Try every entry before one error names all that failed."""
    found: dict[str, Weight] = {}
    for item in items:
        with nullcontext() if not fetch else suppress(WeightsError):  # damaged: fetched again below
            if weight := present(item):
                found[item.name] = weight
    absent = [item for item in items if item.name not in found]
    tried: dict[str, list[str]] = {}
    with _bar(progress and fetch and bool(absent)) as bar:
        for item in absent:
            try:
                if fetch:
                    found[item.name] = obtain(item, bar)
                    continue
                tried[item.name] = refused(item)
            except SourceError as error:
                tried[item.name] = [*refused(item), str(error)]
    if tried:
        summary = missing([item for item in absent if item.name in tried])
        details = dict.fromkeys(reason for reasons in tried.values() for reason in reasons if "by hand" not in reason)
        raise WeightsError("\n".join([summary, *(f"  tried: {reason}" for reason in details)]), summary)
    return {item.name: found[item.name] for item in items}


@contextmanager
def _bar(show: bool) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not (show and console.is_terminal)) as progress:
        yield progress
