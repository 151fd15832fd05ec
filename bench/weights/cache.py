"""Where trained files lie on this machine, and how one that is missing gets there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..errors import WeightsError
from ..runlog import tell
from . import archive, registry
from .catalogue import Entry, Manual, Member, Source, siblings
from .download import SourceError, disk_error, download, file_digest, settle
from .pip_settings import pip_settings

if TYPE_CHECKING:
    from rich.progress import Progress

_LOCK_SECONDS = 3600.0  # another process may be downloading the same file


@dataclass(frozen=True)
class Weight:
    """A file ready to be loaded.

    Attributes:
        name: of the registry entry.
        path: where it lies.
        sha256: of its content.
        verified: the sha256 is the one the registry promises.
        licence: of the weights.
    """

    name: str
    path: Path
    sha256: str
    verified: bool
    licence: str


def home() -> Path:
    """Return the folder of everything cached: `RESTOREBENCH_HOME`, or the user's cache directory."""
    configured = os.environ.get("RESTOREBENCH_HOME")
    if configured:
        return Path(configured).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("restorebench")


def cached(item: Entry) -> Path:
    """Return where an entry lies in the cache once it is fetched."""
    return home() / "weights" / item.file


def digest(file: Path) -> str:
    """Return the sha256 of a file, read again only when the file has changed.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        status = file.stat()
        return _digest(file, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror or error})") from None


@lru_cache(maxsize=256)
def _digest(file: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - size and time are part of the key
    return file_digest(file)


def recorded(item: Entry) -> str | None:
    """Return the sha256 seen on first use of an entry whose registry sha256 is unknown."""
    with suppress(OSError):
        return _record(item).read_text(encoding="ascii").strip() or None
    return None


def _record(item: Entry) -> Path:
    return home() / "weights" / f"{item.file}.sha256"


def present(item: Entry) -> Weight | None:
    """Return an entry's file from the user's own folders or the cache, or None.

    Raises:
        WeightsError: the cached file is not the promised one.
    """
    for file in _offered(item):
        if item.sha256 is None or digest(file) == item.sha256:
            return _weight(item, file)
    file = cached(item)
    return _weight(item, file) if file.is_file() else None


def refused(item: Entry) -> list[str]:
    """Say of each file of the right name in the user's own folders why it was not taken."""
    return [f"{file} has sha256 {digest(file)}, expected {item.sha256}" for file in _offered(item) if item.sha256]


def _offered(item: Entry) -> Iterator[Path]:
    """Yield the files in the folders of `RESTOREBENCH_WEIGHTS` called as in the cache or as the source calls them."""
    inside = (source.name if isinstance(source, Member) else getattr(source, "member", None) for source in item.sources)
    names = [item.file, *sorted({PurePosixPath(name).name for name in (item.file, *inside) if name})]
    for folder in filter(None, os.environ.get("RESTOREBENCH_WEIGHTS", "").split(os.pathsep)):
        yield from (file for name in dict.fromkeys(names) if (file := Path(folder).expanduser() / name).is_file())


def _weight(item: Entry, file: Path) -> Weight:
    found = digest(file)
    tell("weights", f"weights {item.name}: found {file}", level=logging.DEBUG, name=item.name, file=str(file))
    promised = item.sha256 or recorded(item)
    if promised is None:
        _remember(item, found)
    elif found != promised:
        again = f"delete it and run `restorebench weights fetch {item.name}`"
        if item.sha256:
            raise WeightsError(f"{item.name}: {file} has sha256 {found}, expected {promised}; {again}")
        raise WeightsError(
            f"{item.name}: {file} has sha256 {found}, on first use it was {promised}; {again}, "
            f"or delete {_record(item)} if the change is meant"
        )
    return Weight(item.name, file, found, item.sha256 is not None, item.licence)


def _remember(item: Entry, found: str) -> None:
    with suppress(OSError):  # a read-only home only means that the digest stays unrecorded
        _record(item).parent.mkdir(parents=True, exist_ok=True)
        _record(item).write_text(f"{found}\n", encoding="ascii")


def obtain(item: Entry, progress: Progress) -> Weight:
    """Return an entry's file, fetched if needed; a damaged cached file is fetched again.

    Raises:
        SourceError: no source could supply it; the message gives each one's reason.
        WeightsError: the cache cannot be written.
    """
    with suppress(WeightsError):  # damaged: replaced below
        if found := present(item):
            return found
    reasons = []
    for source in item.sources:
        tell("fetch", f"weights {item.name}: trying {source}", name=item.name, source=str(source))
        try:
            with _lock(source, item):
                with suppress(WeightsError):  # another process may have fetched it meanwhile
                    if found := present(item):
                        return found
                _from_source(source, item, progress)
            return _weight(item, cached(item))
        except SourceError as error:
            tell("fetch", f"weights {item.name}: {error}", level=logging.WARNING, name=item.name, reason=str(error))
            reasons.append(str(error))
    raise SourceError("; ".join(reasons))


def _from_source(source: Source, item: Entry, progress: Progress) -> None:
    if isinstance(source, Manual):
        raise SourceError(f"only by hand: {source.text}")
    waiting = home() / "downloads"
    if isinstance(source, Member):
        with registry.opened(source.artifact, waiting, progress) as file:
            _install(file, {member.name: other for other, member in siblings(source.artifact)}, source.name)
    elif source.member is None:
        download(source.url, cached(item), item.sha256, pip_settings(), progress)
    else:
        copy = waiting / PurePosixPath(source.url).name
        download(source.url, copy, None, pip_settings(), progress)
        try:
            _install(copy, {source.member: item}, source.member)
        finally:
            copy.unlink(missing_ok=True)


def _install(file: Path, members: dict[str, Entry], needed: str) -> None:
    """Take members out of an archive into the cache; only the needed one has to be right."""
    missing = {name: item for name, item in members.items() if name == needed or not cached(item).exists()}
    root = home() / "weights"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=root, prefix=".taking-") as folder:
            places = {name: Path(folder) / str(number) for number, name in enumerate(missing)}
            found = archive.take(file, places)
            if needed not in found:
                raise SourceError(f"{file.name}: has no {needed}")
            for name in found:
                try:
                    settle(places[name], cached(missing[name]), missing[name].sha256, f"{file.name}: {name}")
                except SourceError:
                    if name == needed:
                        raise
    except OSError as error:
        raise disk_error(error, root) from None


@contextmanager
def _lock(source: Source, item: Entry) -> Iterator[None]:
    """Let one process at a time fetch a file; the others then find it in the cache."""
    from filelock import FileLock, Timeout

    shared = source.artifact.file if isinstance(source, Member) else PurePosixPath(item.file).name
    file = home() / "locks" / f"{shared}.lock"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file, timeout=_LOCK_SECONDS)
        lock.acquire()
    except Timeout:
        raise SourceError(f"another process has held {file} for an hour; is it alive?") from None
    except OSError as error:
        raise disk_error(error, file.parent) from None
    try:
        yield
    finally:
        lock.release()
