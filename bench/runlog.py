"""What a command is doing: for people on stderr (`-v`), for programs in `out/logs/<time>-<pid>.jsonl`.

Everything goes through the standard logger `restorebench`, which has no handler unless somebody asked for one.
`tell` is the one way in: an event's name, a sentence, and facts.

    {"time": "2026-01-01T12:00:00.000+00:00", "level": "info", "event": "shard", "message": "...", "images": 16, ...}
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import RestorebenchError
from .files import is_remote

LOG_BYTES = 16 * 2**20
"""Size of a log beyond which only its end is written; about 50,000 events."""

LOGS = 50
"""Logs kept below one `out`; the oldest go first."""

_TEXT = 2000
"""Characters of one fact."""

_LAST = ("end", "error")
"""Events that are written however long the log is."""

_log = logging.getLogger("restorebench")


def tell(event: str, message: str, *, level: int = logging.INFO, **facts: Any) -> None:
    """Say what happens.

    Args:
        event: its kind, one word: `start`, `plan`, `weights`, `shard`, `failed`, ... (docs/outputs.md lists them).
        message: for people, one line.
        level: DEBUG is shown by `-vv` only.
        **facts: JSON-able, for programs.
    """
    if _log.hasHandlers():  # else warnings would reach Python's handler of last resort
        _log.log(level, "%s", message, extra={"restorebench_event": event, "restorebench_facts": facts})


@contextmanager
def explained(level: int) -> Iterator[None]:
    """Explain on stderr what is done in the block: 0 = nothing, 1 = stages, 2 = every decision."""
    if level == 0:
        yield
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    before, propagate = _log.level, _log.propagate
    _log.addHandler(handler)
    _log.setLevel(logging.INFO if level == 1 else logging.DEBUG)
    _log.propagate = False
    try:
        yield
    finally:
        _log.removeHandler(handler)
        _log.setLevel(before)
        _log.propagate = propagate


@contextmanager
def recorded(out: Path, command: str, environment: Mapping[str, Any]) -> Iterator[None]:
    """Write what happens in the block to a log of its own below `out/logs`.

    A log that cannot be written is given up; it never stops a command.

    Args:
        out: the output folder.
        command: its name, for the first line.
        environment: versions and machine, for the first line.
    """
    before = time.monotonic()
    handler = _Lines(out / "logs")
    with _attached(handler):
        tell("start", f"{command}: writing to {out}", command=command, out=str(out), environment=dict(environment))
        try:
            yield
        except BaseException as error:
            facts = {"reason": f"{type(error).__name__}: {error}", "seconds": time.monotonic() - before}
            if not isinstance(error, RestorebenchError):
                facts["trace"] = "".join(traceback.format_exception(error))[-_TEXT:]
            tell("error", f"ended by {facts['reason']}", level=logging.ERROR, **facts)
            raise
        finally:
            handler.close()


@contextmanager
def _attached(handler: logging.Handler) -> Iterator[None]:
    """Listen to the logger; whoever else listens sees what they would have seen anyway."""
    level, propagate, usual = _log.level, _log.propagate, _log.getEffectiveLevel()
    passing = _Passing(usual)
    _log.addHandler(handler)
    _log.setLevel(min(usual, logging.INFO))
    _log.propagate = False
    if propagate:
        _log.addHandler(passing)
    try:
        yield
    finally:
        _log.removeHandler(passing)
        _log.removeHandler(handler)
        _log.setLevel(level)
        _log.propagate = propagate


class _Passing(logging.Handler):
    """Hands records to the handlers of the program around us, at the level it had chosen."""

    def emit(self, record: logging.LogRecord) -> None:
        parent = _log.parent
        if parent is not None and parent.hasHandlers():
            parent.handle(record)


class _Lines(logging.Handler):
    """One JSON object a line, appended by one write each, so that a killed run leaves whole lines."""

    def __init__(self, folder: Path) -> None:
        super().__init__(logging.DEBUG)
        now = datetime.datetime.now(datetime.UTC)
        self._path = folder / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}.jsonl"
        self._written = 0
        self._file: int | None = None
        self._remote: list[bytes] = []  # an object cannot be appended to: written when the command ends
        self._broken = False

    def emit(self, record: logging.LogRecord) -> None:
        event = str(getattr(record, "restorebench_event", "message"))
        if self._broken or (self._written > LOG_BYTES and event not in _LAST):
            return
        try:
            self._append(_line(event, record))
        except OSError:
            self._broken = True

    def _append(self, line: bytes) -> None:
        self._written += len(line)
        if is_remote(self._path):
            self._remote.append(line)
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _forget_oldest(self._path.parent)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.write(self._file, line)

    def close(self) -> None:
        with suppress(OSError):
            if self._remote:
                self._path.write_bytes(b"".join(self._remote))
        if self._file is not None:
            os.close(self._file)
            self._file = None
        super().close()


def _line(event: str, record: logging.LogRecord) -> bytes:
    now = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    facts = getattr(record, "restorebench_facts", {})
    content = {
        "time": now.isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": event,
        "message": record.getMessage()[:_TEXT],
        **{name: _short(value) for name, value in facts.items()},
    }
    return (json.dumps(content, ensure_ascii=False, default=str) + "\n").encode("utf-8", "backslashreplace")


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_TEXT]
    return round(value, 6) if isinstance(value, float) else value


def _forget_oldest(folder: Path) -> None:
    logs = sorted(folder.glob("*.jsonl"))
    for path in logs[: max(0, len(logs) - LOGS + 1)]:
        with suppress(OSError):
            path.unlink()
