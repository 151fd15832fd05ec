"""Fetch one file over HTTP: resumable, verified, and in place only when it is whole."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from ..errors import WeightsError

if TYPE_CHECKING:
    import requests
    from rich.progress import Progress

    from .pip_settings import PipSettings

_BLOCK = 1 << 16
_ATTEMPTS = 4  # a broken connection is continued this often
_CONNECT_SECONDS = 10.0
_unreachable: dict[str, str] = {}  # hosts that did not answer in this process: asked once, not once per file


class SourceError(Exception):
    """This source cannot supply the file; the next one is tried."""


def shown(url: str) -> str:
    """Return an address without user name and password, fit for messages."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def file_digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def disk_error(error: OSError, where: Path) -> WeightsError:
    """Return the message for a file that could not be written or read in the cache."""
    change = "or set RESTOREBENCH_HOME to another folder"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return WeightsError(f"{where}: the disk is full; make room {change}")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return WeightsError(f"{where}: no permission to write there; change the permission {change}")
    return WeightsError(f"{where}: {error.strerror or error}; mend that {change}")


def get(url: str, settings: PipSettings, headers: dict[str, str] | None = None) -> requests.Response:
    """Open an address with pip's certificates, proxy and timeout; the body is not read yet.

    Raises:
        SourceError: the host cannot be reached, or answers with an error.
    """
    import requests

    host = urlsplit(url).netloc.rpartition("@")[2]
    if host in _unreachable:
        raise SourceError(f"{host} cannot be reached ({_unreachable[host]})")
    try:
        answer = requests.get(
            url,
            headers={"Accept-Encoding": "identity", **(headers or {})},
            stream=True,
            timeout=(_CONNECT_SECONDS, settings.timeout),
            verify=settings.verify(url),
            cert=settings.client_cert,
            proxies={"http": settings.proxy, "https": settings.proxy} if settings.proxy else None,
        )
    except requests.exceptions.SSLError as error:
        raise SourceError(f"{shown(url)}: certificate refused ({_short(error)})") from None
    except (requests.ConnectionError, requests.Timeout) as error:
        _unreachable[host] = _short(error)
        raise SourceError(f"{host} cannot be reached ({_unreachable[host]})") from None
    except (requests.RequestException, ValueError) as error:
        raise SourceError(f"{shown(url)}: {_short(error)}") from None
    if answer.status_code >= 400 and answer.status_code != 416:  # 416: asked to continue past the end
        answer.close()
        raise SourceError(f"{shown(url)}: HTTP {answer.status_code} {answer.reason}")
    return answer


def download(url: str, target: Path, sha256: str | None, settings: PipSettings, progress: Progress) -> None:
    """Fetch an address to a file.

    What arrived before an interruption waits in `target` + `.part` and is continued when the expected
    sha256 is known (without it, bytes of two versions could be mixed unnoticed).

    Args:
        url: `http` or `https` address.
        target: where the whole file goes, by one rename.
        sha256: expected digest, or None.
        settings: certificates, proxy and timeout.
        progress: bar to show.

    Raises:
        SourceError: the address cannot supply the file, or supplies another one.
        WeightsError: the file cannot be written here.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        resumed = sha256 is not None and part.exists()
        if not resumed:
            part.unlink(missing_ok=True)
        _complete(url, part, settings, progress)
        if resumed and file_digest(part) != sha256:  # what lay there was no beginning of this file
            part.unlink()
            _complete(url, part, settings, progress)
        settle(part, target, sha256, shown(url))
    except OSError as error:
        raise disk_error(error, target.parent) from None


def settle(part: Path, target: Path, sha256: str | None, origin: str) -> None:
    """Verify a complete file, force it to disk and rename it into place; a wrong one is deleted.

    Raises:
        SourceError: the digest is not the expected one.
        OSError: the file cannot be renamed.
    """
    found = file_digest(part)
    if sha256 is not None and found != sha256:
        part.unlink()
        raise SourceError(f"{origin}: sha256 is {found}, expected {sha256}")
    with part.open("rb+") as written:
        os.fsync(written.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


def _complete(url: str, part: Path, settings: PipSettings, progress: Progress) -> None:
    """Append to `part` until the whole answer is there, continuing after broken connections."""
    task = progress.add_task(Path(urlsplit(url).path).name, total=None)
    reason = ""
    try:
        for _ in range(_ATTEMPTS):
            reason = _append(url, part, settings, progress, task)
            if not reason:
                return
    finally:
        progress.remove_task(task)
    raise SourceError(
        f"{shown(url)}: the connection broke {_ATTEMPTS} times ({reason}); run the command again to continue"
    )


def _append(url: str, part: Path, settings: PipSettings, progress: Progress, task: object) -> str:
    """Ask for the rest of the file once; return why it broke off, or an empty string when it is whole."""
    import requests

    have = part.stat().st_size if part.exists() else 0
    with get(url, settings, {"Range": f"bytes={have}-"} if have else None) as answer:
        stated = answer.headers.get("Content-Range", "")
        if answer.status_code == 416:
            if stated == f"bytes */{have}":
                return ""
            part.unlink()
            return "the part did not fit"
        continued = answer.status_code == 206 and stated.startswith(f"bytes {have}-")
        if not continued:
            have = 0  # the server sends everything again
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        progress.update(task, completed=have, total=total)  # type: ignore[arg-type]
        try:
            with part.open("ab" if continued else "wb") as sink:
                for block in answer.iter_content(_BLOCK):
                    sink.write(block)
                    progress.advance(task, len(block))  # type: ignore[arg-type]
        except requests.RequestException as error:  # an OSError too, so it is caught first
            return _short(error)
    found = part.stat().st_size
    return "" if total is None or found == total else f"{found} of {total} bytes"


def _short(error: Exception) -> str:
    """Return the innermost reason of the nested exceptions of requests, in few words."""
    cause: BaseException = error
    while True:
        inner = getattr(cause, "reason", None) or next((a for a in cause.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    return str(getattr(cause, "strerror", None) or cause).rpartition(": ")[2][:120]
