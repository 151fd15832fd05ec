"""Which commit holds which key: a SQLite file derived from the commits, so that opening a store reads none of them.

A cache and nothing else: absent, damaged or stale, it is made again from the commits.  A key is kept as the first 63
bits of a hash; whoever is led to a commit looks the whole key up there, so that two keys of one hash do no harm.
Feature rows are found without opening their commit, so each is sealed with 63 bits more of key and place.

Memory does not grow with the store: new keys wait in a dictionary until there are `_WAITING` of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

VERSION = 1
"""Raised when the tables change; an index of another version is made again."""

_WAITING = 100_000
_AT_ONCE = 900  # parameters of one statement
_PAGES = -16_384  # KiB of pages in memory, per connection
_TABLES = """
CREATE TABLE IF NOT EXISTS commits(number INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS keys(key INTEGER PRIMARY KEY, number INTEGER);
CREATE TABLE IF NOT EXISTS files(number INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS rows(key INTEGER PRIMARY KEY, seal INTEGER, file INTEGER, row INTEGER);
"""


class Row(NamedTuple):
    """Where a feature row lies: name of its file, number of the row."""

    file: str
    row: int


def short(kind: str, key: str) -> int:
    """Return the number of 63 bits that stands for a key of a kind."""
    return _bits(f"{kind} {key}")


def _seal(key: str, place: Row) -> int:
    return _bits(f"{key} {place.file} {place.row}")


def _bits(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


class Index:
    """Keys of all commits of one store; may be used from several threads, and by several processes at once.

    Args:
        path: the SQLite file; made when there is something to keep.
        refill: called when the file turned out to be damaged and was removed; adds all commits again.
    """

    def __init__(self, path: Path, refill: Callable[[], None]) -> None:
        self._path = path
        self._refill = refill
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._names: dict[str, None] = {}  # commits whose keys wait
        self._keys: dict[int, str] = {}
        self._rows: dict[int, tuple[int, Row]] = {}
        self._inherited: list[sqlite3.Connection] = []  # of a parent process: never used, never closed here

    # -- what is there ------------------------------------------------------------------------

    def commits(self) -> set[str]:
        """Return the names of all commits whose keys are known."""
        with self._lock:
            return {*self._names, *(name for (name,) in self._ask("SELECT name FROM commits"))}

    def find(self, kind: str, key: str) -> str | None:
        """Return the name of the commit that a key led to when it was added; it may hold another key of equal hash."""
        number = short(kind, key)
        with self._lock:
            waiting = self._keys.get(number)
            if waiting is not None:
                return waiting
            found = self._ask("SELECT name FROM keys JOIN commits USING (number) WHERE key = ?", (number,))
            return found[0][0] if found else None

    def rows(self, keys: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
        """Find feature rows.

        Returns:
            `(n, 2)`: for each key the number of its file in the list, and of its row there; -1 where there is none.
            The list of file names.
        """
        places = np.full((len(keys), 2), -1, dtype=np.int64)
        names: dict[str, int] = {}
        with self._lock:
            for start in range(0, len(keys), _AT_ONCE):
                for i, found in enumerate(self._look_up(keys[start : start + _AT_ONCE])):
                    if found:
                        places[start + i] = names.setdefault(found.file, len(names)), found.row
        return places, list(names)

    def _look_up(self, keys: Sequence[str]) -> Iterator[Row | None]:
        hashes = [short("features", key) for key in keys]
        wanted = sorted({number for number in hashes if number not in self._rows})
        marks = ",".join("?" * len(wanted))
        select = "SELECT key, seal, name, row FROM rows JOIN files ON files.number = file"
        told = self._ask(f"{select} WHERE key IN ({marks})", wanted)
        stored = {number: (seal, Row(name, row)) for number, seal, name, row in told}
        for key, number in zip(keys, hashes, strict=True):
            found = self._rows.get(number) or stored.get(number)
            yield found[1] if found and found[0] == _seal(key, found[1]) else None

    # -- what is new --------------------------------------------------------------------------

    def add(self, name: str, keys: Mapping[str, Iterable[str]], features: Mapping[str, Sequence[str]]) -> None:
        """Take in a commit.

        Args:
            name: of the commit.
            keys: kind -> its keys.
            features: name of a file of feature rows -> keys of its rows, in order.
        """
        with self._lock:
            self._names[name] = None
            for kind, several in keys.items():
                for key in several:
                    self._keys.setdefault(short(kind, key), name)
            for file, several in features.items():
                for row, key in enumerate(several):
                    place = Row(file, row)
                    self._rows.setdefault(short("features", key), (_seal(key, place), place))
            if len(self._keys) + len(self._rows) >= _WAITING:
                self.flush()

    def flush(self) -> None:
        """Write what waits; where that fails (a full or read-only disk) it goes on waiting, for this is only a cache."""
        with self._lock, contextlib.suppress(sqlite3.Error, OSError):
            if not self._names:
                return
            connection = self._open(create=True)
            if connection is None:
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._write(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            self._names, self._keys, self._rows = {}, {}, {}

    def _write(self, connection: sqlite3.Connection) -> None:
        commits = _numbered(connection, "commits", self._names)
        files = _numbered(connection, "files", {row.file for _, row in self._rows.values()})
        connection.executemany(
            "INSERT OR IGNORE INTO keys VALUES (?, ?)", ((k, commits[self._keys[k]]) for k in sorted(self._keys))
        )
        waiting = ((k, *self._rows[k]) for k in sorted(self._rows))
        connection.executemany(
            "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?)",
            ((k, seal, files[r.file], r.row) for k, seal, r in waiting),
        )

    def forget(self, name: str) -> None:
        """Leave out a commit that turned out to be damaged; its keys are found no more."""
        with self._lock, contextlib.suppress(sqlite3.Error, OSError):
            self._names.pop(name, None)
            self._keys = {key: commit for key, commit in self._keys.items() if commit != name}
            connection = self._open(create=False)
            if connection is not None:
                of_commit = "number = (SELECT number FROM commits WHERE name = ?)"
                connection.execute(f"DELETE FROM keys WHERE {of_commit}", (name,))  # noqa: S608 - fixed text
                connection.execute("DELETE FROM commits WHERE name = ?", (name,))

    def forget_file(self, name: str) -> None:
        """Leave out the rows of a file that is gone or damaged."""
        with self._lock, contextlib.suppress(sqlite3.Error, OSError):
            self._rows = {key: found for key, found in self._rows.items() if found[1].file != name}
            connection = self._open(create=False)
            if connection is not None:
                connection.execute("DELETE FROM rows WHERE file = (SELECT number FROM files WHERE name = ?)", (name,))

    def clear(self) -> None:
        """Throw everything away, to be made again."""
        with self._lock:
            self.close()
            self._names, self._keys, self._rows = {}, {}, {}
            for ending in ("", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    self._path.with_name(self._path.name + ending).unlink()

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    # -- the file -----------------------------------------------------------------------------

    def _ask(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one query; a damaged file is made again first, one that cannot be used answers nothing."""
        try:
            return self._answer(statement, values)
        except sqlite3.OperationalError:  # such as a lock that is held for long
            return []
        except sqlite3.DatabaseError:
            self.clear()
            self._refill()
        try:
            return self._answer(statement, values)
        except sqlite3.Error:
            return []

    def _answer(self, statement: str, values: Sequence[Any]) -> list[Any]:
        connection = self._open(create=False)
        return [] if connection is None else connection.execute(statement, values).fetchall()

    def _open(self, *, create: bool) -> sqlite3.Connection | None:
        if self._connection is not None:
            if self._process == os.getpid():
                return self._connection
            self._inherited.append(self._connection)
            self._connection = None
        if create:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        elif not self._path.exists():
            return None
        self._process = os.getpid()
        try:
            self._connection = _for_writing(self._path)
        except _OtherVersionError:
            pass  # its table file alone, without what waits beside it, could look like ours
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                self._connection = _for_reading(self._path)
        if self._connection is not None:
            return self._connection
        if create:  # no index: what waits is all there is
            for ending in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
            self._connection = _for_writing(self._path)
        return self._connection


def _numbered(
    connection: sqlite3.Connection, table: Literal["commits", "files"], names: Iterable[str]
) -> dict[str, int]:
    """Give every name a number in a table, and return them."""
    found = {}
    for name in names:
        connection.execute(f"INSERT OR IGNORE INTO {table}(name) VALUES (?)", (name,))  # noqa: S608 - fixed text
        (found[name],) = connection.execute(f"SELECT number FROM {table} WHERE name = ?", (name,)).fetchone()  # noqa: S608
    return found


class _OtherVersionError(sqlite3.DatabaseError):
    """The tables are not those of this release."""


def _for_writing(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # readers in other processes never wait
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = {_PAGES}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise _OtherVersionError(f"version {version}")
        if version == 0:
            connection.executescript(f"{_TABLES} PRAGMA user_version = {VERSION};")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _for_reading(path: Path) -> sqlite3.Connection:
    """Open a file on a disk that cannot be written; nobody else can write it either."""
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise _OtherVersionError(f"version {version}")
        connection.execute("SELECT name FROM commits LIMIT 1")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
