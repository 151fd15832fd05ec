"""One command at a time on one `out`.

On a disk: a lock that the system gives back when its holder dies.  On object storage: an object that only one can
create (`If-None-Match`), that its holder renews, and that is taken over when it stands still or its holder is known to
be dead.  Two commands at once would do no harm, because the store is content-addressed, but compute the same twice.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..files import as_object, is_remote, write_atomic
from ..runlog import tell

if TYPE_CHECKING:
    from .objects import ObjectPath

RENEWED = 15.0
"""Seconds between two signs of life of a holder."""

DEAD = 60.0
"""Seconds without a sign of life after which a lock is taken over; measured by the one who waits, so that clocks may differ."""


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold `out` for one command; a second one waits its turn.

    Raises:
        StoreError: `out` cannot be written.
    """
    write_atomic(out / "store" / "FORMAT", b"restorebench store 1\n")
    with _remotely(out) if is_remote(out) else _locally(out):
        yield


@contextmanager
def _locally(out: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(out / "store" / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _tell_waiting(out)
        lock.acquire()
    except OSError as error:
        raise StoreError(
            f"{out}: cannot be locked ({error.strerror or error}); choose another folder with out=DIR"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _tell_waiting(out: Path) -> None:
    message = f"{out}: another restorebench is working here; waiting for it"
    print(message)  # noqa: T201
    tell("waiting", message, level=logging.WARNING)


@contextmanager
def _remotely(out: Path) -> Iterator[None]:
    place = as_object(out / "store" / ".lock")
    owner = {"host": _host(), "pid": os.getpid(), "token": secrets.token_hex(8)}
    try:
        held = _acquire(place, owner, out)
    except OSError as error:
        raise StoreError(f"{out}: cannot be locked: {error.strerror or error}") from None
    if not held:
        yield
        return
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(place, owner, over), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        with suppress(OSError):
            if _is_mine(place, owner):
                place.unlink()


def _acquire(place: ObjectPath, owner: dict[str, object], out: Path) -> bool:
    """Create the lock; False where the server knows no conditional puts, so that there are no locks."""
    seen, since, told = b"", time.monotonic(), False
    while True:
        created = _create(place, owner)
        if created is not None:
            return created
        try:
            now = place.read_bytes()
        except FileNotFoundError:
            continue
        if now != seen:
            seen, since = now, time.monotonic()
        if _is_dead(now) or time.monotonic() - since > DEAD:
            tell("lock", f"{out}: the lock of a command that was killed is taken over", level=logging.WARNING)
            place.unlink(missing_ok=True)
            continue
        if not told:
            _tell_waiting(out)
            told = True
        time.sleep(1)


def _create(place: ObjectPath, owner: dict[str, object]) -> bool | None:
    """Try once: True when it is ours, None when somebody else has it, False when this server cannot tell."""
    try:
        place.create(json.dumps({**owner, "sign": 0}).encode())
    except FileExistsError:
        return None
    except OSError as error:
        if "not implemented" in str(error).lower():
            tell("unlocked", f"{place.parent}: this server has no conditional puts; going on without a lock")
            return False
        if "ConditionalRequestConflict" in str(error):
            return None
        raise
    return True


def _renew(place: ObjectPath, owner: dict[str, object], over: threading.Event) -> None:
    sign = 0
    while not over.wait(RENEWED):
        sign += 1
        with suppress(OSError):
            if not _is_mine(place, owner):  # this machine slept for too long: somebody else goes on
                return
            place.write_bytes(json.dumps({**owner, "sign": sign}).encode())


def _is_mine(place: ObjectPath, owner: dict[str, object]) -> bool:
    return bool(_parsed(place.read_bytes()).get("token") == owner["token"])


def _is_dead(content: bytes) -> bool:
    """Say whether the holder was a process of this machine that is gone."""
    owner = _parsed(content)
    pid = owner.get("pid")
    if owner.get("host") != _host() or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def _parsed(content: bytes) -> dict[str, object]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _host() -> str:
    """Name of this machine since its last start."""
    with suppress(OSError):
        return f"{socket.gethostname()} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    return socket.gethostname()
