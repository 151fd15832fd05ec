"""Images of one chunk: read, hashed and degraded at most once, decoded only when somebody looks.

A run that finds everything in the store hashes the input files and decodes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .api import Degradation, Meta, PlacedDegradation, Sample
from .errors import ImageError
from .identity import degraded_key, split_id
from .images import Pixels, decode, pixel_digest, resize
from .seeds import numpy_generator
from .spec import Spec
from .storage.store import Commit, Store

_READERS = 4
"""Files that are fetched at once, in threads that wait for disk or network and compute nothing."""


@dataclass
class Picture:
    """An image known by the sha256 of its pixels.

    Attributes:
        sha256: digest of pixels and shape.
        size: `(height, width)`.
        load: reads or makes the pixels.
    """

    sha256: str
    size: tuple[int, int]
    load: Callable[[], Pixels]
    _pixels: Pixels | None = None

    @classmethod
    def of(cls, image: Pixels) -> Picture:
        """Wrap pixels that are already at hand."""
        return cls(pixel_digest(image), (image.shape[0], image.shape[1]), lambda: image, image)

    @property
    def pixels(self) -> Pixels:
        """`uint8` RGB `(H, W, 3)`."""
        if self._pixels is None:
            self._pixels = self.load()
        return self._pixels


class Inputs(NamedTuple):
    """What one sample offers on one split; every part may be None."""

    hq: Picture | None
    lq: Picture | None
    native: Picture | None
    parameters: Mapping[str, Any]

    @property
    def size(self) -> tuple[int, int] | None:
        """Size a restored image must have: the reference's, else the LQ's."""
        picture = self.hq or self.lq
        return picture.size if picture else None


class Pictures:
    """Inputs of samples, cached for the current chunk.

    Args:
        store: where digests and degraded images of earlier runs are found.
        splits: degradations by split name; None for `given`.
        seed: degradation seed.
        keep: whether reference and degraded images are kept in the store.
    """

    def __init__(self, store: Store, splits: Mapping[str, Spec | None], seed: int, keep: bool) -> None:
        self._store = store
        self._seed = seed
        self._keep = keep
        self._degradations: dict[str, tuple[str, Degradation]] = {}
        for name, spec in splits.items():
            if spec is not None:
                degradation: Degradation = spec.build()
                self._degradations[name] = split_id(spec, degradation, seed), degradation
        self._reader = ThreadPoolExecutor(_READERS, "restorebench-reader")
        self._coming: dict[Path, Future[bytes]] = {}
        self._read: dict[Path, Picture | ImageError] = {}
        self._inputs: dict[tuple[str, str], Inputs] = {}

    def forget(self) -> None:
        """Drop the pictures of the last chunk."""
        self._read.clear()
        self._inputs.clear()

    def read_ahead(self, paths: Iterable[Path]) -> None:
        """Start to fetch files that will be asked for next; what was fetched before and never asked for is dropped."""
        self._coming = {path: self._reader.submit(path.read_bytes) for path in paths if path not in self._read}

    def read(self, path: Path, commit: Commit) -> Picture:
        """Return the picture in a file of the data set, opened once in a chunk; see `open`.

        Raises:
            ImageError: see `images.read`.
        """
        if path not in self._read:
            try:
                self._read[path] = self.open(path, commit)
            except ImageError as error:
                self._read[path] = error
        found = self._read[path]
        if isinstance(found, ImageError):
            raise found
        return found

    def open(self, path: Path, commit: Commit) -> Picture:
        """Return the picture in a file; a file whose bytes are known is not decoded.

        Raises:
            ImageError: see `images.read`.
        """
        coming = self._coming.pop(path, None)
        try:
            data = coming.result() if coming else path.read_bytes()
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from None
        file_digest = hashlib.sha256(data).hexdigest()
        known = self._store.files.get(file_digest) or commit.files.get(file_digest)
        if known:
            sha256, height, width = known
            return Picture(sha256, (height, width), lambda: decode(data, str(path)))
        picture = Picture.of(decode(data, str(path)))
        commit.files[file_digest] = [picture.sha256, *picture.size]
        return picture

    def inputs(self, sample: Sample, split: str, commit: Commit) -> Inputs:
        """Return reference, LQ and native LQ of a sample on a split.

        Raises:
            ImageError: a file cannot be used, or the sizes of LQ and reference do not fit together.
        """
        if (sample.id, split) not in self._inputs:
            self._inputs[sample.id, split] = self._make(sample, split, commit)
        return self._inputs[sample.id, split]

    def _make(self, sample: Sample, split: str, commit: Commit) -> Inputs:
        hq = self.read(sample.hq, commit) if sample.hq else None
        if hq:
            self.keep(hq, commit)
        if split in self._degradations:
            if hq is None:
                raise ImageError(f"{sample.id}: no reference to degrade")
            return self._degraded(sample, hq, split, commit)
        if sample.lq is None:
            return Inputs(hq, None, None, {})
        given = self.read(sample.lq, commit)
        self.keep(given, commit)
        if hq is None or given.size == hq.size:
            return Inputs(hq, given, None, {})
        if given.size[0] > hq.size[0] or given.size[1] > hq.size[1]:
            raise ImageError(f"{sample.lq}: LQ is {_text(given.size)}, larger than its reference ({_text(hq.size)})")
        lq = Picture.of(resize(given.pixels, hq.size, "bilinear"))
        self.keep(lq, commit)
        return Inputs(hq, lq, given, {})

    def _degraded(self, sample: Sample, hq: Picture, split: str, commit: Commit) -> Inputs:
        sample_id, (identity, chosen) = sample.id, self._degradations[split]
        degradation, used = for_sample(chosen, sample.meta)
        key = degraded_key(identity, sample_id, hq.sha256, used)
        record = self._store.degraded.get(key)
        if record is None:
            made = degradation(hq.pixels, numpy_generator(self._seed, "degradation", degradation.key, sample_id))
            lq, native = Picture.of(made.lq), None if made.native is None else Picture.of(made.native)
            record = {
                "lq": [lq.sha256, *lq.size],
                "native": native and [native.sha256, *native.size],
                "parameters": dict(made.parameters),
            }
            commit.degraded[key] = record
        else:
            lq = self._stored(record["lq"], hq, degradation, sample_id, "lq")
            native = record["native"] and self._stored(record["native"], hq, degradation, sample_id, "native")
        for picture in (lq, native):
            if picture:
                self.keep(picture, commit)
        return Inputs(hq, lq, native, record["parameters"])

    def _stored(self, record: list[Any], hq: Picture, degradation: Degradation, sample_id: str, part: str) -> Picture:
        """A degraded image of an earlier run: read from the store, or made again if it was not kept."""
        sha256, height, width = record

        def load() -> Pixels:
            try:
                return self._store.image(sha256)
            except ImageError:
                generator = numpy_generator(self._seed, "degradation", degradation.key, sample_id)
                image: Pixels = getattr(degradation(hq.pixels, generator), part)
            if pixel_digest(image) != sha256:
                raise ImageError(
                    f"{sample_id}: its {part} image is gone from the store and this OpenCV or NumPy makes another one; "
                    "start a new out folder"
                )
            return image

        return Picture(sha256, (height, width), load)

    def keep(self, picture: Picture, commit: Commit) -> None:
        """Put a picture into the store, unless it is there or images are not kept."""
        if self._keep and not self._store.has_image(picture.sha256):
            sha256, length = self._store.put_image(picture.pixels, picture.sha256)
            commit.images[sha256] = length


def for_sample(degradation: Degradation, meta: Meta) -> tuple[Degradation, Meta]:
    """Return what degrades a sample, and the facts about the sample that this hangs on; mostly none.

    Raises:
        ImageError: the degradation needs a fact that is not known.
    """
    if not isinstance(degradation, PlacedDegradation):
        return degradation, {}
    return degradation.of(meta), {key: meta[key] for key in degradation.uses_meta if key in meta}


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
