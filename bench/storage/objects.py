"""Paths on object storage, such as `s3://bucket/prefix`: what the engine needs of `pathlib`, with errors people can read.

Credentials, region and endpoint are those of the environment (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`, ...).
Imported only where such a path is used (`files.as_path`), because the libraries below take a second to load.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from upath import UPath
from upath.extensions import ProxyUPath

_FOREIGN = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "google", "azure")


class ObjectPath(ProxyUPath):
    """A path on object storage; every failure is an `OSError` whose `strerror` says what to do about it."""

    @classmethod
    def of(cls, text: str) -> ObjectPath:
        """Return the path that an address such as `s3://bucket/prefix` names; nothing is asked of the server.

        Raises:
            ImportError: the library for this kind of storage is not installed.
            ValueError: nobody knows this kind of storage.
        """
        # no listings are kept: another process may have written since the last look
        path = cls._from_upath(UPath(text, use_listings_cache=False))
        with translated():
            _ = path.fs
        return path

    def __hash__(self) -> int:
        return hash(str(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPath) and str(self) == str(other)

    def __lt__(self, other: Any) -> bool:
        return str(self) < str(other)

    def __reduce__(self) -> tuple[Any, ...]:
        return ObjectPath.of, (str(self),)

    def read_bytes(self) -> bytes:
        """Return the object's content, by one request."""
        with translated():
            return bytes(self.fs.cat_file(self.path, max_concurrency=1))  # in one piece: its size is not asked first

    def write_bytes(self, data: bytes) -> int:
        """Put the object: it is there whole or not at all."""
        with translated():
            self.fs.pipe_file(self.path, data)
        return len(data)

    def read_many(self, names: Sequence[str]) -> list[bytes | OSError]:
        """Return the content of several objects below this folder, or why one cannot be read, fetched side by side."""
        paths = [f"{self.path}/{name}" for name in names]
        with translated():
            found = self.fs.cat(paths, on_error="return", max_concurrency=1)
        told: list[bytes | OSError] = []
        for path in paths:
            content = found[path]
            told.append(content if isinstance(content, bytes) else OSError(errno.EIO, _reason(content)))
        return told

    def create(self, data: bytes) -> None:
        """Put the object unless there is one of this name already (`If-None-Match`).

        Raises:
            FileExistsError: there is one.
        """
        with translated():
            self.fs.pipe_file(self.path, data, mode="create")

    def upload(self, local: str) -> None:
        """Put a local file as this object, in parts where it is large."""
        with translated():
            self.fs.put_file(local, self.path)

    def download(self, local: str) -> None:
        """Get the object into a local file."""
        with translated():
            self.fs.get_file(self.path, local)

    def exists(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as `Path`
        """Say whether there is such an object, or one whose name begins with this folder."""
        with translated():
            return bool(self.fs.exists(self.path))

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002 - as `Path`
        """Say whether the name of some object begins with this folder."""
        with translated():
            return bool(self.fs.isdir(self.path))

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object; object storage does not tell whether there was one."""
        with translated():
            try:
                self.fs.rm_file(self.path)
            except FileNotFoundError:
                if not missing_ok:
                    raise

    def below(self, prefix: str = "") -> Iterator[tuple[str, int, str]]:
        """Yield `(name below this folder, bytes, tag of the content)` of every object, by one recursive listing.

        Args:
            prefix: only names that begin with it, such as `images/a`.
        """
        start = len(self.path.rstrip("/")) + 1
        with translated():
            found = self.fs.find(self.path, detail=True, **({"prefix": prefix} if prefix else {}))
        for path, info in found.items():
            name = path[start:]
            if name and info.get("type") == "file":
                yield name, int(info.get("size") or 0), str(info.get("ETag", ""))


@contextmanager
def translated() -> Iterator[None]:
    """Turn what storage libraries raise into `OSError` with a reason; other exceptions pass."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:
            raise type(error)(error.errno or _NUMBERS.get(type(error), errno.EIO), _reason(error)) from None
        raise
    except Exception as error:
        if type(error).__module__.split(".")[0] in _FOREIGN:
            raise OSError(errno.EIO, _reason(error)) from None
        raise


_NUMBERS: dict[type, int] = {
    FileNotFoundError: errno.ENOENT,
    FileExistsError: errno.EEXIST,
    PermissionError: errno.EACCES,
    TimeoutError: errno.ETIMEDOUT,
}


def _reason(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    kind = type(error).__name__
    if "bucket does not exist" in said or "NoSuchBucket" in said:
        return "there is no such bucket; create it, or correct the address"
    if isinstance(error, PermissionError) or "Forbidden" in said:
        return f"not allowed ({said}); check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID) and their rights on this bucket"
    if "Credentials" in kind or "credentials" in said:
        return f"no credentials ({said}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if "Connect" in kind or "Timeout" in kind:
        return f"the server does not answer ({said}); check the network and AWS_ENDPOINT_URL"
    return said
