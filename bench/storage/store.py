"""The store: every result of every command on one `out`, content-addressed per image.

    out/store/
        commits/<sha256>.json    results of one shard; written last, it is the commit; named by its own bytes
        cells/<key>.parquet      the latest complete table of a cell, one row an image: what reports read
        plans/<key>.json         what each command asked for, what it skipped, and where it ran
        images/<aa>/<sha256>.png  LQ, restored and reference images, named by the sha256 of their pixels
        features/<sha256>.npz    feature rows of one shard, named by their bytes
        index.sqlite             which commit holds which key: a cache, made again from the commits (see `index`)

A file nothing names, or whose digest is wrong, is as if it were not there: what it held is computed again.
`out` may lie on object storage; the index is then kept in the user's cache.  See docs/storage.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cell import batched
from ..errors import ImageError, StoreError
from ..files import as_object, entries, is_remote, write_atomic
from ..images import Pixels, encode_png, pixel_digest
from ..images import decode as decode_image
from ..weights import home
from .commit import RECORDS, Commit, decode, encode, is_digest
from .index import Index
from .records import Learnt, Records, StoredFeatures, floats

__all__ = ["Commit", "Records", "Store", "StoredFeatures"]

_OPEN = 128
"""Parsed commits in memory."""

_LEARNT = 1024
"""Commits of other processes that are remembered; by then the driver has written them."""

_FETCHED = 256
"""Commits in memory while the index is made."""

_PUT = 16_384
"""Images that this process wrote and that it remembers until they are committed."""


class Store:
    """The results below one `out` folder; may be used from several threads.

    Opening costs one listing of the commits and reads those that are new to the index.

    Args:
        out: the output folder or address; created when something is written.
        index: where the index lies instead of beside the commits: SQLite cannot share one between machines.

    Attributes:
        unreadable: one line for each commit that was found damaged.
        checked: what `verify` looked at so far, by kind.
    """

    def __init__(self, out: Path, index: Path | None = None) -> None:
        self.out = out
        self.root = out / "store"
        self.unreadable: list[str] = []
        self.checked: dict[str, int] = {}
        self.files = Records[list[Any]](self, "files")
        self.degraded = Records[dict[str, Any]](self, "degraded")
        self.restored = Records[dict[str, Any]](self, "restored")
        self.scores = Records[dict[str, float]](self, "scores", floats)
        self._images = Records[int](self, "images")
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.RLock()
        self._open: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._learnt = Learnt(_LEARNT)
        self._put: OrderedDict[str, int] = OrderedDict()
        self._sizes: dict[str, int] | None = None
        self._feature_names: set[str] | None = None
        self._whole: set[str] = set()
        self._index = Index(index or _index_path(out), self._fill)
        self._fill()

    def _fill(self) -> None:
        """Bring the index up to date with the commits."""
        listed = {name.removesuffix(".json") for name, _ in entries(self.root / "commits") if name.endswith(".json")}
        known = self._index.commits()
        if known - listed:  # some were removed: others may hold their keys too
            self._index.clear()
            known = set()
        for some in batched(sorted(listed - known), _FETCHED):
            for name, data in self._fetch(some):
                content = self._checked(name, data)
                if content is not None:
                    self._add(name, content)
        self._index.flush()

    def _fetch(self, names: Sequence[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """Yield the bytes of commits, or why they cannot be read; remote ones are fetched side by side."""
        folder = self.root / "commits"
        if is_remote(folder):
            yield from zip(names, as_object(folder).read_many([f"{name}.json" for name in names]), strict=True)
            return
        for name in names:
            try:
                yield name, (folder / f"{name}.json").read_bytes()
            except OSError as error:
                yield name, error

    def _add(self, name: str, content: Mapping[str, Any]) -> None:
        here = self._listed_features()  # a row whose file is gone must not stand before the one made in its place
        features = {file: keys for file, keys in content["features"].items() if file in here}
        self._index.add(name, {kind: content[kind] for kind in RECORDS}, features)

    def _read(self, name: str) -> Mapping[str, Any] | None:
        """Read a commit; None, and one more line in `unreadable`, where it is damaged."""
        ((_, data),) = self._fetch([name])
        return self._checked(name, data)

    def _checked(self, name: str, data: bytes | OSError) -> Mapping[str, Any] | None:
        path = self.root / "commits" / f"{name}.json"
        if isinstance(data, OSError):
            self.unreadable.append(f"{path}: cannot be read ({data.strerror or data}); what it held is computed again")
            return None
        content = decode(name, data, str(path))
        if content is None:
            self.unreadable.append(f"{path}: its bytes are not what its name says; what it held is computed again")
        return content

    def scratch(self) -> Path:
        """Return a local folder that goes away with the store."""
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="restorebench-")
        return Path(self._scratch.name)

    def close(self) -> None:
        """Write what the index still holds in memory; the store can be used on."""
        self._index.flush()
        self._index.close()

    # -- records ------------------------------------------------------------------------------

    def record(self, kind: str, key: str) -> Any:
        """Return what some commit says about a key, or None."""
        with self._lock:
            learnt = self._learnt.get(kind, key)
            if learnt is not None:
                return learnt
            name = self._index.find(kind, key)
            if name is None:
                return None
            content = self._content(name)
            return None if content is None else content[kind].get(key)

    def _content(self, name: str) -> Mapping[str, Any] | None:
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        content = self._read(name)
        if content is None:
            self._index.forget(name)
            return None
        self._remember(name, content)
        return content

    def _remember(self, name: str, content: Mapping[str, Any]) -> None:
        self._open[name] = content
        while len(self._open) > _OPEN:
            self._open.popitem(last=False)

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
        name, data = encode(commit, features)
        write_atomic(self.root / "commits" / f"{name}.json", data)
        content = {kind: getattr(commit, kind) for kind in RECORDS} | {"features": features}
        with self._lock:
            self._remember(name, content)
            self._add(name, content)

    def learn(self, commit: Commit) -> None:
        """Remember what another process is going to commit; writes nothing."""
        with self._lock:
            self._learnt.add(vars(commit))

    def _write_features(self, rows: NDArray[np.float32]) -> str:
        buffer = io.BytesIO()
        np.savez(buffer, rows=rows)
        data = buffer.getvalue()
        name = hashlib.sha256(data).hexdigest()
        write_atomic(self.root / "features" / f"{name}.npz", data)
        with self._lock:
            if self._feature_names is not None:
                self._feature_names.add(name)
        return name

    def put_image(self, image: Pixels, sha256: str | None = None) -> tuple[str, int]:
        """Write an image unless it is there; return the sha256 of its pixels and the bytes of its file."""
        sha256 = sha256 or pixel_digest(image)
        if self.has_image(sha256):
            return sha256, self._length(sha256) or 0
        data = encode_png(image)
        write_atomic(self.image_path(sha256), data, durable=False)
        self._found_image(sha256, len(data))
        return sha256, len(data)

    # -- images -------------------------------------------------------------------------------

    def image_path(self, sha256: str) -> Path:
        """Where the image with these pixels lies, if it was kept.

        Raises:
            ImageError: the name, which somebody else may have written, is no digest, and could lead anywhere.
        """
        if not is_digest(sha256):
            raise ImageError(f"{self.root}: {sha256!r} is no name of an image")
        return self.root / "images" / sha256[:2] / f"{sha256}.png"

    def has_image(self, sha256: str) -> bool:
        """Say whether a committed image is there at its full length."""
        length = self._length(sha256)
        if length is None:
            return False
        if is_remote(self.root):
            return self._listed_images().get(sha256) == length
        try:
            return self.image_path(sha256).stat().st_size == length
        except OSError:
            return False

    def _length(self, sha256: str) -> int | None:
        return self._put.get(sha256) or self._images.get(sha256)

    def _found_image(self, sha256: str, length: int) -> None:
        with self._lock:
            self._put[sha256] = length
            if self._sizes is not None:
                self._sizes[sha256] = length
            while len(self._put) > _PUT:
                self._put.popitem(last=False)

    def _listed_images(self) -> dict[str, int]:
        """Bytes of every image on object storage: one listing, instead of a question for each image."""
        with self._lock:
            if self._sizes is None:
                try:
                    below = as_object(self.root / "images").below()
                    self._sizes = {name[-68:-4]: size for name, size, _ in below if name.endswith(".png")}
                except FileNotFoundError:
                    self._sizes = {}
            return self._sizes

    def image(self, sha256: str) -> Pixels:
        """Read an image and check its pixels.

        Raises:
            ImageError: it was not kept, is damaged, or holds other pixels than its name says.
        """
        path = self.image_path(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise ImageError(f"{path}: not kept in the store; run the same command with keep=true") from None
        except OSError as error:
            raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from None
        image = decode_image(data, str(path))
        if pixel_digest(image) != sha256:
            raise ImageError(f"{path}: its pixels are not what its name says; delete it and run the command again")
        return image

    def drop_image(self, sha256: str) -> None:
        """Remove an image that turned out to be damaged, so that it is made again."""
        with contextlib.suppress(OSError):
            self.image_path(sha256).unlink(missing_ok=True)
        with self._lock:
            self._put.pop(sha256, None)
            if self._sizes is not None:
                self._sizes.pop(sha256, None)

    # -- features -----------------------------------------------------------------------------

    def has_features(self, key: str) -> bool:
        """Say whether the feature row of a key was committed and its file is there and whole; if not, make room."""
        if self._learnt.get("features", key) is not None:
            return True
        _, names = self._index.rows([key])
        return bool(names) and self._is_whole(names[0])

    def _is_whole(self, name: str) -> bool:
        """Look at a file of feature rows once; one that is gone or damaged is forgotten, so that it is made again."""
        with self._lock:
            if name in self._whole:
                return True
            if name in self._listed_features():
                try:
                    if not is_remote(self.root):  # object storage keeps checksums of its own
                        self.feature_file(name)
                except StoreError:
                    with contextlib.suppress(OSError):
                        (self.root / "features" / f"{name}.npz").unlink()
                    self._listed_features().discard(name)
                else:
                    self._whole.add(name)
                    return True
            self._index.forget_file(name)
            return False

    def find_features(self, keys: Sequence[str]) -> StoredFeatures:
        """Look up the feature rows of keys; those that are not there are left out by `StoredFeatures.present`."""
        places, names = self._index.rows(keys)
        here = np.array([*(name in self._listed_features() for name in names), False])
        places[~here[places[:, 0]], 0] = -1
        return StoredFeatures(self, places, names)

    def features(self, keys: Sequence[str]) -> StoredFeatures:
        """Return the feature rows of keys, in their order, to be read in blocks.

        Raises:
            StoreError: some are not there.
        """
        found = self.find_features(keys)
        if not found.present.all():
            missing = int(np.count_nonzero(~found.present))
            raise StoreError(f"{self.root}: {missing} of {len(keys)} feature rows are not there; run the command again")
        return found

    def _listed_features(self) -> set[str]:
        with self._lock:
            if self._feature_names is None:
                listed = entries(self.root / "features")
                self._feature_names = {name.removesuffix(".npz") for name, _ in listed if name.endswith(".npz")}
            return self._feature_names

    def feature_file(self, name: str) -> NDArray[np.float32]:
        """Read one file of feature rows `(n, D)` and check its digest."""
        path = self.root / "features" / f"{name}.npz"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror or error}); run the command again") from None
        if hashlib.sha256(data).hexdigest() != name:
            raise StoreError(f"{path}: damaged; delete it and run the same command again")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return np.asarray(archive["rows"], dtype=np.float32)

    # -- checking -----------------------------------------------------------------------------

    def verify(self) -> Iterator[str]:
        """Check the digest of every commit and of every file that one names; yield one line for each problem.

        Images that were not kept are no problem.  Memory does not grow with the store; `checked` counts what was
        looked at.
        """
        self.checked = {"commits": 0, "images": 0, "features": 0}
        for name in sorted(name for name, _ in entries(self.root / "commits") if name.endswith(".json")):
            before = len(self.unreadable)
            content = self._read(name.removesuffix(".json"))
            self.checked["commits"] += 1
            if content is None:
                yield from self.unreadable[before:]
                continue
            yield from self._verify_images(content["images"])
            for file in sorted(content["features"]):
                self.checked["features"] += 1
                try:
                    self.feature_file(file)
                except StoreError as error:
                    yield str(error)

    def _verify_images(self, images: Mapping[str, int]) -> Iterator[str]:
        for sha256 in sorted(images):
            here = sha256 in self._listed_images() if is_remote(self.root) else self.image_path(sha256).exists()
            if here:
                self.checked["images"] += 1
                try:
                    self.image(sha256)
                except ImageError as error:
                    yield str(error)


def _index_path(out: Path) -> Path:
    """Beside the commits, or in the user's cache where those are remote or cannot be written."""
    beside = out / "store" / "index.sqlite"
    if not is_remote(out) and (not beside.parent.exists() or os.access(beside.parent, os.W_OK)):
        return beside
    place = str(out) if is_remote(out) else str(out.absolute())
    return home() / "index" / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.sqlite"
