"""Take single files out of a zip or tar by their exact names; nothing else is touched or run."""

from __future__ import annotations

import errno
import gzip
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..errors import WeightsError

_BLOCK = 1 << 20
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, struct.error),
    *(ValueError, OverflowError),  # names and numbers that make no sense
    *(RuntimeError, NotImplementedError),  # a password, or a compression this Python lacks
)


def take(archive: Path, wanted: Mapping[str, Path]) -> tuple[str, ...]:
    """Copy members of an archive to paths of the caller's choice.

    Names inside the archive never become paths on disk, so `..` and absolute names lead nowhere; only
    regular files are copied, never links or devices.

    Args:
        archive: `.whl`, `.zip`, `.tar.gz`, `.tar.bz2`, `.tar.xz` or `.tar`.
        wanted: full member name -> file to write.

    Returns:
        The names found.

    Raises:
        WeightsError: the archive is damaged, or a wanted member is not a regular file.
        OSError: a file could not be written.
    """
    try:
        if zipfile.is_zipfile(archive):
            return _from_zip(archive, wanted)
        return _from_tar(archive, wanted)
    except _DAMAGED as error:
        said = " ".join(str(error).split())
        raise WeightsError(f"{archive.name}: not an archive that can be read ({said})") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # the system's answer to a place before the beginning
            raise
        raise WeightsError(f"{archive.name}: not an archive that can be read ({error.strerror})") from None


def _from_zip(archive: Path, wanted: Mapping[str, Path]) -> tuple[str, ...]:
    found = []
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.filename not in wanted:
                continue
            if info.is_dir() or (info.external_attr >> 28) not in {0, 0o10}:  # file type bits of the Unix mode
                raise WeightsError(f"{archive.name}: {info.filename} is not a regular file")
            with opened.open(info) as source:
                _copy(source, wanted[info.filename])
            found.append(info.filename)
    return tuple(found)


def _from_tar(archive: Path, wanted: Mapping[str, Path]) -> tuple[str, ...]:
    found = []
    with tarfile.open(archive) as opened:
        for info in opened:
            if info.name not in wanted:
                continue
            source = opened.extractfile(info) if info.isreg() else None
            if source is None:
                raise WeightsError(f"{archive.name}: {info.name} is not a regular file")
            with source:
                _copy(source, wanted[info.name])
            found.append(info.name)
    return tuple(found)


def _copy(source: IO[bytes], target: Path) -> None:
    try:
        with target.open("wb") as sink:
            shutil.copyfileobj(source, sink, _BLOCK)
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise
