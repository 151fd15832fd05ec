"""Test sets that the field publishes results on: the user's copy is compared with what the set should be.

Their pictures may not be redistributed, and copies differ in count, size and crop, so that numbers on two of them
must not stand in one column.  Every difference from the card is told; `strict=true` refuses the copy instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Literal

from ..bench.api import Alignment, DatasetCard, Sample
from ..bench.errors import DatasetError, listing
from ..bench.spec import Location
from .folder import Folder, Pairs

MOST_HEADERS = 4096
"""Up to so many files all sizes are looked at; of larger sets, this many at equal distances (FFHQ: 0.3 s, not 5)."""


class PublicFolder:
    """A published set that lies in one folder: references (FFHQ), or photos without references (LFW-Test).

    Args:
        root: the folder; subfolders are part of the ids.
        holds: `hq` = references, to be degraded; `lq` = degraded photos without references.
        count: number of images; 0 = no source says.
        side: longest side in pixels; 0 = no source says, or they differ.
        square: whether all images are square.
        files: regular expression that every file name matches; empty = no source says.
        drawn_from: sets that the images come from, to flag restorers trained on them.
        alignment: how faces sit in the images.
        name: what tables call the set.
        licence: of the images.
        source: where they come from, with the download page.
        note: what people must know before they read its numbers.
        limit: only so many of the images are here, or wanted, on purpose; 0 = all.
        strict: refuse a copy that differs from the card.
    """

    def __init__(
        self,
        root: Location,
        *,
        holds: Literal["hq", "lq"],
        name: str,
        count: int = 0,
        side: int = 0,
        square: bool = True,
        files: str = "",
        drawn_from: tuple[str, ...] = (),
        alignment: Alignment = "auto",
        licence: str = "unknown",
        source: str = "",
        note: str = "",
        limit: int = 0,
        strict: bool = False,
    ) -> None:
        self._folder = Folder(root, holds, alignment, name, licence, source, note, drawn_from)
        self._expected = Expected(count, side, square, files)
        self._limit, self._strict = limit, strict
        self.card = self._folder.card

    def samples(self) -> list[Sample]:
        """Return one sample per image, sorted by id; the card then says how the copy differs.

        Raises:
            DatasetError: see `folder.scan`; or the copy differs and `strict` is set.
        """
        samples = self._folder.samples()
        self.card = checked(self._folder.card, self._expected, samples, self._limit, strict=self._strict)
        return samples[: self._limit or None]


class PublicPairs:
    """A published set of references and LQ images in two folders, paired one to one by id.

    Args:
        hq: folder of the references.
        lq: folder of the LQ images.
        names: file with the names of the set's images, one a line, as its authors published it; others that lie in
            the folders are left out.  None: the folders hold the set and nothing else.
        names_sha256: digest of that file.
        count, side, square, files, drawn_from, alignment, name, licence, source, note, limit, strict: as in
            `PublicFolder`.
    """

    def __init__(
        self,
        hq: Location,
        lq: Location,
        *,
        name: str,
        names: Location | None = None,
        names_sha256: str = "",
        count: int = 0,
        side: int = 0,
        square: bool = True,
        files: str = "",
        drawn_from: tuple[str, ...] = (),
        alignment: Alignment = "auto",
        licence: str = "unknown",
        source: str = "",
        note: str = "",
        limit: int = 0,
        strict: bool = False,
    ) -> None:
        self._pairs = Pairs(hq, lq, alignment, name, licence, source, note, drawn_from)
        self._expected = Expected(count, side, square, files)
        self._names, self._names_sha256 = names, names_sha256
        self._limit, self._strict = limit, strict
        self.card = self._pairs.card

    def samples(self) -> list[Sample]:
        """Return one sample per pair, sorted by id; the card then says how the copy differs.

        Raises:
            DatasetError: see `folder.scan`; the file of names is not the authors', or names images that are not
                here; or the copy differs and `strict` is set.
            PairingError: an id occurs on one side only.
        """
        samples = self._pairs.samples()
        if self._names is not None:
            wanted = published_names(Path(self._names).expanduser(), self._names_sha256, self.card.name)
            samples = _named(samples, wanted, self.card.name, partly=bool(self._limit))
        self.card = checked(self._pairs.card, self._expected, samples, self._limit, strict=self._strict)
        return samples[: self._limit or None]


@dataclass(frozen=True)
class Expected:
    """What a set's card says of its files; see `PublicFolder`."""

    count: int = 0
    side: int = 0
    square: bool = True
    files: str = ""

    def differences(self, samples: Sequence[Sample], limit: int) -> Iterator[str]:
        """Yield how a copy differs, a phrase each."""
        count = min(limit, self.count) if limit and self.count else limit or self.count
        if count and (len(samples) < count or (len(samples) > count and not limit)):
            yield f"{len(samples)} images, expected {count}"
        samples = samples[: limit or None]
        files = [file for sample in samples for file in (sample.hq, sample.lq) if file]
        odd = [file.name for file in files if self.files and not re.fullmatch(self.files, file.name)]
        if odd:
            yield f"{len(odd)} of {len(files)} files are not named like {self.files!r}: {listing(odd, 3)}"
        if self.side:
            yield from self._wrong_sizes(files)

    def _wrong_sizes(self, files: Sequence[Path]) -> Iterator[str]:
        looked_at = files if len(files) <= MOST_HEADERS else [
            files[i * len(files) // MOST_HEADERS] for i in range(MOST_HEADERS)
        ]  # fmt: skip
        wrong, unreadable = [], []
        for file in looked_at:
            size = header_size(file)
            if size is None:
                unreadable.append(file.name)
            elif max(size) != self.side or (self.square and min(size) != self.side):
                wrong.append(f"{file.name} {size[0]} x {size[1]}")
        of = f"{len(looked_at)} looked at of {len(files)}" if len(looked_at) < len(files) else f"{len(files)}"
        if wrong:
            what = f"{self.side} x {self.side}" if self.square else f"{self.side} on the longer side"
            yield f"{len(wrong)} of {of} files are not {what}: {listing(wrong, 3)}"
        if unreadable:
            yield f"{len(unreadable)} of {of} files cannot be opened: {listing(unreadable, 3)}"


def checked(
    card: DatasetCard, expected: Expected, samples: Sequence[Sample], limit: int, *, strict: bool
) -> DatasetCard:
    """Return the card of a copy, which says how it differs from the published set.

    Raises:
        DatasetError: it differs and `strict` is set.
    """
    found = "; ".join(expected.differences(samples, limit))
    if found and strict:
        raise DatasetError(f"data set {card.name}: this copy differs from its card: {found}.  It is from {card.source}")
    part = f"Only the first {limit} of {expected.count or 'its'} images (limit={limit})." if limit else ""
    differs = f"This copy differs from the published set: {found}." if found else ""
    return replace(card, note=" ".join(filter(None, (part, differs, card.note))), differs=differs)


def header_size(file: Path) -> tuple[int, int] | None:
    """Return `(width, height)` from a file's header, without decoding it; None when it is no image."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.size
    except Exception:  # Pillow raises many kinds on damaged bytes; the run reports the file
        return None


def published_names(file: Path, digest: str, what: str) -> frozenset[str]:
    """Read the names of a set's images, one a line.

    Raises:
        DatasetError: there is no such file, or it is not the one its digest promises.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(f"data set {what}: the file of names {file} cannot be read ({error.strerror})") from None
    if digest and sha256(data).hexdigest() != digest:
        raise DatasetError(
            f"data set {what}: {file} has sha256 {sha256(data).hexdigest()}, the list its authors published {digest}"
        )
    return frozenset(line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip())


def _named(samples: Sequence[Sample], wanted: frozenset[str], what: str, *, partly: bool) -> list[Sample]:
    """Return the samples with these names.

    Args:
        samples: of the folders.
        wanted: names.
        what: the set, for messages.
        partly: some may be missing.

    Raises:
        DatasetError: an image of the list is not there.
    """
    found = [sample for sample in samples if sample.id in wanted]
    missing = sorted(wanted - {sample.id for sample in found})
    if missing and not (partly and found):
        raise DatasetError(f"data set {what}: {len(missing)} of {len(wanted)} images are not here: {listing(missing)}")
    return found
