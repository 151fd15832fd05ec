"""The store: every result of every command on one `out`, content-addressed per image.

    out/store/
        commits/<sha256>.json    results of one shard; written last, it is the commit; named by its own bytes
        cells/<key>.parquet      the latest complete table of a cell, one row an image: what reports read
        plans/<key>.json         what each command asked for, what it skipped, and where it ran
        images/<aa>/<sha256>.png  LQ, restored and reference images, named by the sha256 of their pixels
        features/<sha256>.npz    feature rows of one shard, named by their bytes

A file nothing names, or whose digest is wrong, is as if it were not there: what it held is computed again.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ImageError, StoreError
from .files import write_atomic
from .images import Pixels, decode, encode_png, pixel_digest

VERSION = 1


@dataclass
class Commit:
    """Results of one shard on their way into the store.

    Attributes:
        files: sha256 of a file's bytes -> `[sha256 of its pixels, height, width]`.
        degraded: key -> `{lq, native, size..., parameters}`.
        restored: key -> `{image, size}`.
        scores: key -> `{column: value}`.
        images: sha256 of pixels -> bytes of its PNG, already written.
        features: key -> feature row, written beside the commit.
    """

    files: dict[str, list[Any]] = field(default_factory=dict)
    degraded: dict[str, dict[str, Any]] = field(default_factory=dict)
    restored: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    features: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files or self.degraded or self.restored or self.scores or self.images or self.features)


class Store:
    """The results below one `out` folder.

    Args:
        out: the output folder; created when something is written.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.root = out / "store"
        self.files: dict[str, list[Any]] = {}
        self.degraded: dict[str, dict[str, Any]] = {}
        self.restored: dict[str, dict[str, Any]] = {}
        self.scores: dict[str, dict[str, float]] = {}
        self._images: dict[str, int] = {}
        self._features: dict[str, tuple[str, int]] = {}
        self._elsewhere: set[str] = set()
        self.unreadable: list[str] = []
        for path in sorted((self.root / "commits").glob("*.json")):
            self._load(path)

    def _load(self, path: Path) -> None:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != path.stem:
            self.unreadable.append(f"{path}: its bytes are not what its name says; what it held is computed again")
            return
        content = json.loads(data)
        if content["version"] != VERSION:
            raise StoreError(f"{path}: store version {content['version']}, this restorebench reads {VERSION}")
        self._merge(content)

    def _merge(self, content: Mapping[str, Any]) -> None:
        for key, record in content["files"].items():
            self.files.setdefault(key, record)
        for key, record in content["degraded"].items():
            self.degraded.setdefault(key, record)
        for key, record in content["restored"].items():
            self.restored.setdefault(key, record)
        for key, values in content["scores"].items():
            self.scores.setdefault(key, {name: float(value) for name, value in values.items()})
        self._images.update(content["images"])
        for file, keys in content["features"].items():
            for row, key in enumerate(keys):
                self._features.setdefault(key, (file, row))

    # -- writing ------------------------------------------------------------------------------

    def commit(self, commit: Commit) -> None:
        """Make a shard's results permanent: features first, then the manifest that names everything.

        Raises:
            StoreError: the disk is full or `out` cannot be written; nothing was committed.
        """
        if not commit:
            return
        features: dict[str, list[str]] = {}
        by_width: dict[int, list[str]] = {}
        for key, row in commit.features.items():
            by_width.setdefault(row.shape[0], []).append(key)
        for keys in by_width.values():
            name = self._write_features(np.stack([commit.features[key] for key in keys]))
            features[name] = keys
        content = {
            "version": VERSION,
            "files": commit.files,
            "degraded": commit.degraded,
            "restored": commit.restored,
            "scores": {key: {n: _number(v) for n, v in values.items()} for key, values in commit.scores.items()},
            "images": commit.images,
            "features": features,
        }
        data = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
        write_atomic(self.root / "commits" / f"{hashlib.sha256(data).hexdigest()}.json", data)
        self._merge(content)

    def learn(self, commit: Commit) -> None:
        """Remember what another process is going to commit; writes nothing."""
        self._merge({**vars(commit), "features": {}})
        self._elsewhere.update(commit.features)

    def _write_features(self, rows: NDArray[np.float32]) -> str:
        buffer = io.BytesIO()
        np.savez(buffer, rows=rows)
        data = buffer.getvalue()
        name = hashlib.sha256(data).hexdigest()
        write_atomic(self.root / "features" / f"{name}.npz", data)
        return name

    def put_image(self, image: Pixels, sha256: str | None = None) -> tuple[str, int]:
        """Write an image unless it is there; return the sha256 of its pixels and the bytes of its file."""
        sha256 = sha256 or pixel_digest(image)
        if self.has_image(sha256):
            return sha256, self._images[sha256]
        data = encode_png(image)
        write_atomic(self.image_path(sha256), data, durable=False)
        self._images[sha256] = len(data)
        return sha256, len(data)

    # -- images -------------------------------------------------------------------------------

    def image_path(self, sha256: str) -> Path:
        """Where the image with these pixels lies, if it was kept."""
        return self.root / "images" / sha256[:2] / f"{sha256}.png"

    def has_image(self, sha256: str) -> bool:
        """Say whether a committed image is there at its full length."""
        try:
            return self.image_path(sha256).stat().st_size == self._images.get(sha256)
        except OSError:
            return False

    def image(self, sha256: str) -> Pixels:
        """Read an image and check its pixels.

        Raises:
            ImageError: it was not kept, is damaged, or holds other pixels than its name says.
        """
        path = self.image_path(sha256)
        try:
            image = decode(path.read_bytes(), str(path))
        except OSError:
            raise ImageError(f"{path}: not kept in the store; run the same command with keep=true") from None
        if pixel_digest(image) != sha256:
            raise ImageError(f"{path}: its pixels are not what its name says; delete it and run the command again")
        return image

    # -- features -----------------------------------------------------------------------------

    def has_features(self, key: str) -> bool:
        """Say whether the feature row of a key was committed and its file is still there."""
        if key in self._elsewhere:
            return True
        found = self._features.get(key)
        return found is not None and (self.root / "features" / f"{found[0]}.npz").exists()

    def feature_file(self, name: str) -> NDArray[np.float32]:
        """Read one file of feature rows `(n, D)` and check its digest."""
        path = self.root / "features" / f"{name}.npz"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror}); run the same command again") from None
        if hashlib.sha256(data).hexdigest() != name:
            raise StoreError(f"{path}: damaged; delete it and run the same command again")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return np.asarray(archive["rows"], dtype=np.float32)

    def features(self, keys: Sequence[str]) -> StoredFeatures:
        """Return the feature rows of keys, in their order, to be read in blocks."""
        return StoredFeatures(self, tuple(self._features[key] for key in keys))

    # -- checking -----------------------------------------------------------------------------

    def verify(self) -> Iterator[str]:
        """Check the digest of every file that a commit names; yield one line for each problem."""
        yield from self.unreadable
        for sha256 in sorted(self._images):
            if self.image_path(sha256).exists():
                try:
                    self.image(sha256)
                except ImageError as error:
                    yield str(error)
        for name in sorted({file for file, _ in self._features.values()}):
            try:
                self.feature_file(name)
            except StoreError as error:
                yield str(error)


class StoredFeatures:
    """Feature rows that are read from the store block by block; memory holds one file at a time."""

    def __init__(self, store: Store, places: tuple[tuple[str, int], ...]) -> None:
        self._store = store
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield `(n, D)` blocks in the order of the keys."""
        start = 0
        while start < len(self._places):
            name = self._places[start][0]
            stop = start
            while stop < len(self._places) and self._places[stop][0] == name:
                stop += 1
            rows = self._store.feature_file(name)
            yield rows[[row for _, row in self._places[start:stop]]]
            start = stop


def _number(value: float) -> float | str:
    """JSON has no infinity and no NaN: they are written as text and read back by `float`."""
    return value if math.isfinite(value) else str(value)
