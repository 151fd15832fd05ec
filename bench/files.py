"""Where files lie, and writing them so that a reader sees either the old content or the new, never half of it.

A place is a local path or an address on object storage (`s3://bucket/prefix`); `as_path` makes either from text, and
the rest of the engine does not ask which one it got.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .errors import ConfigError, StoreError

if TYPE_CHECKING:
    from .storage.objects import ObjectPath

_TEMPORARY = ".tmp-"
_log = logging.getLogger("restorebench")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_EXTRA = "pip install 'restorebench[s3]'"


def as_path(text: str | Path) -> Path:
    """Return the place that a user named: a path with `~` resolved, or an address such as `s3://bucket/prefix`.

    Addresses become an `objects.ObjectPath`, which offers what the engine uses of `Path`.

    Raises:
        ConfigError: there is no such home folder; or the address cannot be used here, and the message says what to install.
    """
    if not isinstance(text, str):
        return text
    if not _ADDRESS.match(text):
        try:
            return Path(text).expanduser()
        except RuntimeError:
            raise ConfigError(f"{text} cannot be reached (no home folder of that user); write the whole path") from None
    if text.lower().startswith("file://"):
        return Path(text[len("file://") :])
    try:
        from .storage.objects import ObjectPath

        return cast("Path", ObjectPath.of(text))
    except ImportError as error:
        raise ConfigError(f"{text}: object storage needs {error.name or error}; install it with: {_EXTRA}") from None
    except ValueError as error:
        raise ConfigError(
            f"{text}: no such kind of storage ({error}); write s3://BUCKET/FOLDER or a local path"
        ) from None


def as_local_path(text: str, key: str) -> Path:
    """Return the local path that a user named.

    Raises:
        ConfigError: it is an address on object storage, where this command cannot write.
    """
    if _ADDRESS.match(text) and not text.lower().startswith("file://"):
        raise ConfigError(
            f"{key}={text}: this command writes to local folders only; copy them to the bucket afterwards"
        )
    return as_path(text)


def is_remote(path: Path) -> bool:
    """Say whether a path of `as_path` lies on object storage."""
    return not isinstance(path, os.PathLike)


def as_object(path: Path) -> ObjectPath:
    """Return a remote path as what it is."""
    return cast("ObjectPath", path)


def entries(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield `(name, bytes)` of the files directly in a folder, temporary ones left out; nothing if it is not there.

    One directory listing, local or remote.  The size is 0 where looking it up would cost a call for each file.

    Raises:
        StoreError: the folder is there and cannot be read.
    """
    try:
        if is_remote(folder):
            yield from ((name, size) for name, size, _ in as_object(folder).below() if "/" not in name)
        else:
            with os.scandir(folder) as listed:
                yield from ((entry.name, 0) for entry in listed if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read ({error.strerror or error})") from None


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file whole or not at all: temporary file in the same folder, fsync, rename; or one put of an object.

    Args:
        path: the file.
        data: its content.
        durable: fsync before the rename; files whose content is checked whenever they are read may go without.

    Raises:
        StoreError: the disk is full, or the folder or bucket cannot be written.
    """
    if is_remote(path):
        try:
            path.write_bytes(data)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from None
        return
    with replacing(path, durable=durable) as temporary, temporary.open("wb") as file:
        file.write(data)
    _log.debug("wrote %s, %d bytes", path, len(data))


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a local file to be filled; it takes the place of `path` when the block ends without an exception.

    Raises:
        StoreError: the disk is full, or the folder or bucket cannot be written.
    """
    if is_remote(path):
        with tempfile.TemporaryDirectory(prefix="restorebench-") as folder:
            local = Path(folder) / "file"
            yield local
            try:
                as_object(path).upload(str(local))
            except OSError as error:
                raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from None
        return
    temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # such as a file where a folder should be: nothing was written
            temporary.unlink()
        if isinstance(error, OSError):
            raise StoreError(_explain(path, error)) from None
        raise


def _explain(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: no space left on the disk; free some and run the same command again, finished work is kept"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path.parent}: cannot be written ({error.strerror}); choose another folder with out=DIR"
    return f"{path}: cannot be written ({error.strerror or error}); choose another folder with out=DIR"
