"""Answers of a preference study: which of two restorers a person preferred on a face.

`out/study.sqlite` holds one row per pair that was put before a person.  A row is written before its pair is shown
and answered in place, so that a closed tab, a reload, a double click, two tabs or a killed server lose or double
nothing.  It is the one result that cannot be computed again; keep a copy.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from ..cell import digest
from ..errors import StoreError
from ..files import is_remote

Answer = Literal["left", "right", "tie"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
NAME = "study.sqlite"
LONGEST_NAME = 80

_VERSION = 1
_PATIENCE = 20.0  # seconds to wait for another writer: each takes milliseconds
_SCHEMA = f"""
CREATE TABLE study (
    key   TEXT NOT NULL,  -- tells studies on one machine apart
    token TEXT NOT NULL   -- what a page must show with every answer, the same after a restart
);
CREATE TABLE raters (
    number INTEGER PRIMARY KEY,
    key    TEXT NOT NULL UNIQUE,  -- what the rater's browser shows
    name   TEXT UNIQUE,           -- as typed, NULL for those who gave none
    joined TEXT NOT NULL
);
CREATE TABLE pairs (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    token    TEXT NOT NULL UNIQUE,  -- names this row to the browser, a new one after an undo
    rater    INTEGER NOT NULL REFERENCES raters(number),
    trial    TEXT NOT NULL,         -- digest of set, split, face and both pictures
    dataset  TEXT NOT NULL,
    split    TEXT NOT NULL,
    sample   TEXT NOT NULL,
    lq       TEXT NOT NULL,         -- sha256 of pixels, or empty
    left_restorer  TEXT NOT NULL, left_id  TEXT NOT NULL, left_image  TEXT NOT NULL,
    right_restorer TEXT NOT NULL, right_id TEXT NOT NULL, right_image TEXT NOT NULL,
    shown    TEXT NOT NULL,
    answer   TEXT CHECK (answer IN ('left', 'right', 'tie')),
    answered TEXT,
    turn     INTEGER,                -- counts the rater's answers, for undo: clocks may step back
    UNIQUE (rater, trial)
);
PRAGMA user_version = {_VERSION};
"""
_PAIR = (
    "token, dataset, split, sample, lq, left_restorer, left_id, left_image, right_restorer, right_id, right_image, "
    "answer"
)


@dataclass(frozen=True)
class Side:
    """A restorer's picture of a face; `image` is the sha256 of its pixels."""

    restorer: str
    restorer_id: str
    image: str


@dataclass(frozen=True)
class Trial:
    """A face and two restorers' pictures of it, on the sides on which they are shown; `lq` is a sha256 or empty."""

    dataset: str
    split: str
    sample: str
    lq: str
    left: Side
    right: Side

    @property
    def key(self) -> str:
        """The same for both arrangements of the sides."""
        return digest(self.dataset, self.split, self.sample, *sorted((self.left.image, self.right.image)))


@dataclass(frozen=True)
class Pair:
    """A trial as it was put before a person; `answer` is None while it is open."""

    token: str
    trial: Trial
    answer: Answer | None


@dataclass(frozen=True)
class Vote:
    """One answer: which of two restorers; `preferred` is None for a tie."""

    rater: int
    dataset: str
    split: str
    sample: str
    first: tuple[str, str]
    second: tuple[str, str]
    preferred: tuple[str, str] | None


@dataclass(frozen=True)
class Rater:
    """A person; `number` counts from 1 in the order of joining."""

    number: int
    key: str
    name: str


class Ballots:
    """The answers of one `out`.

    Every call opens the file, does one transaction and closes it; several threads and processes may call at once.

    Attributes:
        path: the file.
        key: tells studies on one machine apart.
        token: secret of the page.

    Raises:
        StoreError: the file cannot be made, read or written; nothing was changed.
    """

    def __init__(self, out: Path) -> None:
        if is_remote(out):
            raise StoreError(
                f"{out}: SQLite needs a disk for the answers; copy the results to a folder of this machine"
            )
        self.path = out / NAME
        with self._writing() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    database.execute(statement)
                database.execute("INSERT INTO study VALUES (?, ?)", (secrets.token_hex(4), secrets.token_urlsafe(24)))
            elif version != _VERSION:
                raise StoreError(f"{self.path}: version {version}, this restorebench reads {_VERSION}")
            self.key, self.token = database.execute("SELECT key, token FROM study").fetchone()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction; when the block ends, it is on the disk."""
        try:
            with closing(sqlite3.connect(self.path, _PATIENCE, isolation_level=None)) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = FULL")  # an answer survives a power cut once it is confirmed
                database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                except BaseException:
                    database.execute("ROLLBACK")
                    raise
                database.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be used ({error}); move it away or choose another out=DIR") from None

    # -- raters -------------------------------------------------------------------------------

    def join(self, name: str) -> Rater:
        """Return the rater of a name, new or known; without a name always a new one."""
        name = " ".join(name.split())[:LONGEST_NAME]
        with self._writing() as database:
            found = database.execute("SELECT number, key FROM raters WHERE name = ?", (name,)).fetchone()
            if found:
                return Rater(found[0], found[1], name)
            key = secrets.token_urlsafe(18)
            added = database.execute(
                "INSERT INTO raters (key, name, joined) VALUES (?, ?, ?)", (key, name or None, _now())
            )
            return Rater(int(added.lastrowid or 0), key, name)

    def rater(self, key: str) -> Rater | None:
        """Return the rater whose browser shows `key`."""
        with self._writing() as database:
            found = database.execute("SELECT number, name FROM raters WHERE key = ?", (key,)).fetchone()
        return Rater(found[0], key, found[1] or "") if found else None

    # -- pairs --------------------------------------------------------------------------------

    def present(self, rater: Rater, order: Iterable[Trial]) -> Pair | None:
        """Return the pair that a rater is to answer: the oldest open one, else the first of `order` not shown yet.

        Two tabs that ask at once get the same pair.  None: all of `order` is answered.
        """
        with self._writing() as database:
            row = database.execute(
                f"SELECT {_PAIR} FROM pairs WHERE rater = ? AND answer IS NULL ORDER BY number LIMIT 1",  # noqa: S608
                (rater.number,),
            ).fetchone()
            if row:
                return _pair(row)
            seen = {key for (key,) in database.execute("SELECT trial FROM pairs WHERE rater = ?", (rater.number,))}
            trial = next((trial for trial in order if trial.key not in seen), None)
            if trial is None:
                return None
            token = secrets.token_urlsafe(18)
            sides = [v for side in (trial.left, trial.right) for v in (side.restorer, side.restorer_id, side.image)]
            database.execute(
                "INSERT INTO pairs (token, rater, trial, dataset, split, sample, lq, left_restorer, left_id, left_image, "
                "right_restorer, right_id, right_image, shown) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (token, rater.number, trial.key, trial.dataset, trial.split, trial.sample, trial.lq, *sides, _now()),
            )
            return Pair(token, trial, None)

    def pair(self, rater: Rater, token: str) -> Pair | None:
        """Return a rater's pair by its token; None where there is none of theirs."""
        with self._writing() as database:
            row = database.execute(
                f"SELECT {_PAIR} FROM pairs WHERE rater = ? AND token = ?",  # noqa: S608
                (rater.number, token),
            ).fetchone()
        return _pair(row) if row else None

    def answer(self, rater: Rater, token: str, answer: Answer) -> Answer | None:
        """Record an answer unless the pair has one; return the one that stands, None for an unknown token."""
        with self._writing() as database:
            database.execute(
                "UPDATE pairs SET answer = ?, answered = ?, "
                "turn = (SELECT coalesce(max(turn), 0) + 1 FROM pairs WHERE rater = ?) "
                "WHERE rater = ? AND token = ? AND answer IS NULL",
                (answer, _now(), rater.number, rater.number, token),
            )
            row = database.execute(
                "SELECT answer FROM pairs WHERE rater = ? AND token = ?", (rater.number, token)
            ).fetchone()
        return row[0] if row else None

    def last(self, rater: Rater) -> str | None:
        """Return the token of the rater's latest answer, which is the one that `undo` takes back."""
        with self._writing() as database:
            row = database.execute(
                "SELECT token FROM pairs WHERE rater = ? AND answer IS NOT NULL ORDER BY turn DESC LIMIT 1",
                (rater.number,),
            ).fetchone()
        return row[0] if row else None

    def undo(self, rater: Rater, token: str) -> bool:
        """Take an answer back, so that its pair is asked again; False where there is no such answer.

        The pair gets a new token: a late repetition of the answer that was taken back changes nothing.
        """
        with self._writing() as database:
            changed = database.execute(
                "UPDATE pairs SET answer = NULL, answered = NULL, turn = NULL, token = ? "
                "WHERE rater = ? AND token = ? AND answer IS NOT NULL",
                (secrets.token_urlsafe(18), rater.number, token),
            )
            return changed.rowcount > 0

    def answered(self, rater: Rater) -> int:
        """Return how many answers of a rater stand."""
        with self._writing() as database:
            counted = database.execute(
                "SELECT count(*) FROM pairs WHERE rater = ? AND answer IS NOT NULL", (rater.number,)
            )
            return int(counted.fetchone()[0])


def votes(out: Path) -> list[Vote]:
    """Return every answer below `out`, oldest pair first; none where no study was held.

    Raises:
        StoreError: the file is damaged.
    """
    path = out / NAME
    if is_remote(path) or not path.exists():  # a study is held on a disk
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", _PATIENCE, uri=True)) as database:
            rows = database.execute(
                "SELECT rater, dataset, split, sample, left_restorer, left_id, right_restorer, right_id, answer "
                "FROM pairs WHERE answer IS NOT NULL ORDER BY number"
            ).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read ({error}); move it away and run the same command again") from None
    return [_vote(row) for row in rows]


def _vote(row: tuple[Any, ...]) -> Vote:
    rater, dataset, split, sample, left, left_id, right, right_id, answer = row
    one, other = (left, left_id), (right, right_id)
    preferred = {"left": one, "right": other}.get(answer)
    return Vote(rater, dataset, split, sample, min(one, other), max(one, other), preferred)


def _pair(row: tuple[Any, ...]) -> Pair:
    token, dataset, split, sample, lq, *sides, answer = row
    return Pair(token, Trial(dataset, split, sample, lq, Side(*sides[:3]), Side(*sides[3:])), answer)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
