"""Data sets that lie in folders: references, photos without references, or pairs of both."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from ..bench.api import Alignment, DatasetCard, Sample
from ..bench.errors import ConfigError, DatasetError, PairingError, listing
from ..bench.files import as_object, as_path, is_remote
from ..bench.images import SUFFIXES
from ..bench.spec import Location


class Folder:
    """The images below one folder.

    Args:
        root: the folder; subfolders are part of the ids.
        holds: `hq` = references, to be degraded; `lq` = degraded photos without references.
        alignment: how faces sit in the images.
        name: what tables call the set.
        licence: of the images.
        source: where they come from.
        note: what people must know before they read its numbers.
        drawn_from: sets that the images come from, such as FFHQ, to flag restorers trained on them.
    """

    def __init__(
        self,
        root: Location,
        holds: Literal["hq", "lq"] = "hq",
        alignment: Alignment = "auto",
        name: str = "folder",
        licence: str = "unknown",
        source: str = "",
        note: str = "",
        drawn_from: tuple[str, ...] = (),
    ) -> None:
        self.root = root
        self.holds = holds
        self.alignment = alignment
        self.card = DatasetCard(name, licence, source, note, tuple(drawn_from))

    def samples(self) -> list[Sample]:
        """Return one sample per image file, sorted by id.

        Raises:
            DatasetError: see `scan`.
        """
        meta = {"alignment": self.alignment}
        files = scan(self.root, f"data set {self.card.name}").items()
        if self.holds == "hq":
            return [Sample(id_, hq=file, meta=meta) for id_, file in files]
        return [Sample(id_, hq=None, lq=file, meta=meta) for id_, file in files]


class Pairs:
    """References and degraded images of two folders, paired one to one by id.

    Args:
        hq: folder of the references.
        lq: folder of the degraded images; file formats may differ from the references'.
        alignment: how faces sit in the images.
        name: what tables call the set.
        licence: of the images.
        source: where they come from.
        note: what people must know before they read its numbers.
        drawn_from: sets that the images come from, such as FFHQ, to flag restorers trained on them.
    """

    def __init__(
        self,
        hq: Location,
        lq: Location,
        alignment: Alignment = "auto",
        name: str = "pairs",
        licence: str = "unknown",
        source: str = "",
        note: str = "",
        drawn_from: tuple[str, ...] = (),
    ) -> None:
        self.hq = hq
        self.lq = lq
        self.alignment = alignment
        self.card = DatasetCard(name, licence, source, note, tuple(drawn_from))

    def samples(self) -> list[Sample]:
        """Return one sample per pair, sorted by id.

        Raises:
            DatasetError: see `scan`.
            PairingError: an id occurs on one side only; both sides are listed.
        """
        hq = scan(self.hq, f"data set {self.card.name}, references")
        lq = scan(self.lq, f"data set {self.card.name}, degraded images")
        if hq.keys() != lq.keys():
            raise PairingError(_unpaired(self.card.name, hq.keys(), lq.keys()))
        meta = {"alignment": self.alignment}
        return [Sample(id_, hq=hq[id_], lq=lq[id_], meta=meta) for id_ in hq]


def scan(root: str, what: str) -> dict[str, Path]:
    """Find the image files below a folder, from their names alone.

    Files and folders whose name starts with a dot, and files without an image suffix, are left out.  Links
    to folders are followed; a folder that can be reached in several ways is read once.  A broken link
    counts as an image, so that it is reported instead of disappearing.

    Args:
        root: the folder.
        what: what the folder is, for messages.

    Returns:
        Absolute path by id, sorted by id.  An id is the path below `root` without suffix, with `/`, in
        Unicode form NFC, so that a name means the same on macOS and Linux.

    Raises:
        DatasetError: the folder is missing, is a file, may not be read or holds no images; two files have
            one id; a name is not Unicode.
    """
    folder = _existing(root, what)
    below = _objects(folder, what) if is_remote(folder) else _files(folder, what)
    found: dict[str, Path] = {}
    others: Counter[str] = Counter()
    for file, name in below:
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - plain strings keep 100,000 files quick
        if suffix.lower() not in SUFFIXES:
            others[suffix.lower() or "no suffix"] += 1
            continue
        id_ = unicodedata.normalize("NFC", stem)
        if not _is_unicode(id_):
            raise DatasetError(f"{what}: the name of {file!a} is not valid UTF-8; rename it, such as with convmv")
        if id_ in found:
            raise DatasetError(
                f"{what}: {found[id_]} and {file} have the same id {id_!r} (path without suffix); rename or remove one"
            )
        found[id_] = file
    if not found:
        kinds = ", ".join(f"{count} x {suffix}" for suffix, count in others.most_common(8))
        raise DatasetError(
            f"{what}: no images in {folder}; looked, subfolders included, for {', '.join(sorted(SUFFIXES))}; "
            f"found {kinds or 'no other files either'}"
        )
    return dict(sorted(found.items()))


def _existing(root: str, what: str) -> Path:
    if not str(root):
        raise DatasetError(f"{what}: the folder's name is empty; give the folder that holds the images")
    try:
        folder = as_path(root)
    except ConfigError as error:
        raise DatasetError(f"{what}: {error}") from None
    if is_remote(folder):
        return folder
    try:
        folder = folder.absolute()
        if not folder.exists():
            nearest = next(parent for parent in folder.parents if parent.exists())
            raise DatasetError(f"{what}: no folder {folder} ({nearest} exists); check the spelling")
        if not folder.is_dir():
            raise DatasetError(f"{what}: {folder} is a file; give the folder that holds the images, {folder.parent}")
    except OSError as error:
        raise DatasetError(f"{what}: {root} cannot be reached ({error})") from None
    return folder


def _files(root: Path, what: str) -> Iterator[tuple[Path, str]]:
    """Yield `(path, path below root with /)` of every file that is not hidden; real folders before links."""
    folders: list[tuple[str, str]] = [(str(root), "")]
    links: list[tuple[str, str]] = []
    seen: set[tuple[int, int]] = set()
    while folders or links:
        folder, below = folders.pop() if folders else links.pop(0)
        try:
            status = os.stat(folder)  # noqa: PTH116 - as above
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or str(error)
            raise DatasetError(f"{what}: {folder} cannot be read ({reason}); give yourself the right to") from None
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = below + entry.name
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append((entry.path, f"{name}/"))
            elif entry.is_symlink() or entry.is_file():
                yield Path(entry.path), name


def _objects(root: Path, what: str) -> Iterator[tuple[Path, str]]:
    """Yield `(path, name below root)` of every object that is not hidden, by one recursive listing."""
    try:
        names = sorted(name for name, _, _ in as_object(root).below())
    except OSError as error:
        raise DatasetError(f"{what}: {root} cannot be read: {error.strerror or error}") from None
    for name in names:
        if not any(part.startswith(".") for part in name.split("/")):
            yield root / name, name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # bytes of another encoding, which Python carries as lone surrogates
        return False
    return True


def _unpaired(name: str, hq: Collection[str], lq: Collection[str]) -> str:
    only_hq, only_lq = sorted(set(hq) - set(lq)), sorted(set(lq) - set(hq))
    message = f"data set {name}: {len(hq)} references and {len(lq)} degraded images do not pair one to one by name"
    if only_hq:
        message += f"; without a degraded image ({len(only_hq)}): {listing(only_hq)}"
    if only_lq:
        message += f"; without a reference ({len(only_lq)}): {listing(only_lq)}"
    return message + _hint(hq, lq)


def _hint(hq: Collection[str], lq: Collection[str]) -> str:
    """Say so when one side only has a common ending, such as `_00`, or lies in another subfolder."""
    sides = (("degraded images", hq, lq), ("references", lq, hq))
    for longer_name, short, long in sides:
        if ending := common_ending(short, long):
            return f".  All names of the {longer_name} end in {ending!r} where the others do not: rename one side"
    if {PurePosixPath(id_).name for id_ in hq} == {PurePosixPath(id_).name for id_ in lq}:
        return ".  The file names agree but the subfolders do not: give the folders that hold the images"
    return ""


def common_ending(short: Collection[str], long: Collection[str]) -> str:
    """Return the ending that turns the ids of one side into those of the other, or an empty string.

    >>> common_ending(["0001", "0002"], ["0001_00", "0002_00"])
    '_00'
    """
    if not short or len(short) != len(long):
        return ""
    first, wanted = min(short), set(long)
    endings = {id_.removeprefix(first) for id_ in long if id_.startswith(first)}
    return next((ending for ending in sorted(endings) if ending and {id_ + ending for id_ in short} == wanted), "")
