"""`report/media/`: the pictures that the page links to, which are those of the store under other names.

A picture is a hard link to the store's PNG where the file system has them, else a copy; nothing is encoded again.
An `out` on object storage has no links: there the page points at the store itself.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...bench.errors import StoreError
from ...bench.files import is_remote
from ...bench.storage.store import Store
from .listing import Listing

_FOLDER = "media"
_STORED = "../store/images/"


@dataclass(frozen=True)
class Media:
    """What a page may link to.

    Attributes:
        base: what its addresses begin with, relative to the page; `<base><aa>/<sha256>.png` is a picture.
        there: sha256 of each.
    """

    base: str
    there: frozenset[str]


NOTHING = Media("", frozenset())
"""For a page that stands alone."""


def media(store: Store, listed: Sequence[Listing], report: Path) -> Media:
    """Make `report/media` hold exactly the pictures of the listed images that the store kept.

    Args:
        store: the store.
        listed: the images that the page can show.
        report: the report's folder.

    Raises:
        StoreError: the folder cannot be written.
    """
    wanted = sorted(set(pictures(listed)))
    if is_remote(report):
        return Media(_STORED, frozenset(wanted))
    there = frozenset(sha256 for sha256 in wanted if store.has_image(sha256))
    folder = report / _FOLDER
    try:
        _remove_others(folder, there)
        for sha256 in sorted(there):
            _place(store.image_path(sha256), folder / sha256[:2] / f"{sha256}.png")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return Media(f"{_FOLDER}/" if there else "", there)


def pictures(listed: Iterable[Listing]) -> Iterator[str]:
    """Yield the sha256 of every picture of the listed images, some more than once."""
    for listing in listed:
        yield from filter(None, listing.hq)
        for meeting in listing.meetings:
            yield from filter(None, meeting.lq)
            for entrant in meeting.group.entrants:
                yield from filter(None, meeting.digests(entrant))


def _remove_others(folder: Path, wanted: frozenset[str]) -> None:
    for path in folder.glob("*/*"):
        if path.stem not in wanted or path.suffix != ".png":
            path.unlink()
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):  # one that is not empty stays
            path.rmdir()


def _place(source: Path, target: Path) -> None:
    """Link or copy a picture, unless it is there already."""
    try:
        known, own = target.stat(), source.stat()
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
    else:
        if known.st_size == own.st_size:
            return
    temporary = target.with_name(f".tmp-{secrets.token_hex(8)}")
    try:
        try:
            os.link(source, temporary)
        except OSError:  # another file system, or one without hard links
            shutil.copyfile(source, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
