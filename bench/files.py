"""Writing files so that a reader sees either the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from .errors import StoreError

_TEMPORARY = ".tmp-"


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write through a temporary file in the same folder: write, fsync, rename.

    Args:
        path: the file.
        data: its content.
        durable: fsync before the rename; files whose content is checked whenever they are read may go without.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """
    temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
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
