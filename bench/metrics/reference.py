"""Statistics of a reference set, made once: what FID and KID need of FFHQ's 70,000 images, in one file.

`restorebench reference` writes them (`.npz`, no pickle), shards merge, and FID or KID take them instead of the
references of the set under test.  The statistics files of the field are read too: pytorch-fid's and clean-fid's `.npz`
(`mu`, `sigma`), and BasicSR's and VQFR's `.pth` (`mean`, `cov`), such as `inception_FFHQ_512.pth`.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api import FeatureExtractor
from ..errors import DatasetError
from ..files import write_atomic
from ..identity import extractor_id
from ..weights import entries, home, resolve
from .gathering import KEPT_ROWS, Gathered
from .moments import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Rows = NDArray[np.float32]

FORMAT = 1


@dataclass(frozen=True)
class Facts:
    """What a statistics file says about itself.

    Attributes:
        name: of the set.
        count: number of images; None: the file does not say.
        digest: see `Gathered`; empty: the file does not say.
        extractor_id: identity of the features; empty: the file does not say.
        keep: number of feature rows that were to be kept.
        parts: digests of what was merged.
        failed: ids of images that could not be read and are not in it.
    """

    name: str
    count: int | None = None
    digest: str = ""
    extractor_id: str = ""
    keep: int = KEPT_ROWS
    parts: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def save(path: Path, gathered: Gathered, facts: Facts) -> None:
    """Write statistics; equal statistics give equal bytes.

    Args:
        path: `.npz`; pytorch-fid reads its `mu` and `sigma` too.
        gathered: of two images at least.
        facts: name, extractor, parts and failures; the rest is taken from `gathered`.

    Raises:
        DatasetError: fewer than two images.
        StoreError: it cannot be written.
    """
    if gathered.moments is None or gathered.moments.n < 2:
        raise DatasetError(f"reference {facts.name}: two images are needed at least, for a covariance")
    facts = replace(facts, count=gathered.moments.n, digest=f"{gathered.digest:064x}", keep=gathered.keep)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        mu=gathered.moments.mean,
        sigma=gathered.moments.covariance,
        rows=np.empty((0, 0), np.float32) if gathered.rows is None else gathered.rows,
        order=np.empty(0, np.uint64) if gathered.order is None else gathered.order,
        facts=np.array(json.dumps({"format": FORMAT, **asdict(facts)}, sort_keys=True, ensure_ascii=False)),
    )
    write_atomic(path, buffer.getvalue())


@dataclass(frozen=True)
class Reference:
    """A statistics file, read when its numbers are needed.

    Attributes:
        path: the file.
        facts: what it says about itself.
        sha256: of the file.
    """

    path: Path
    facts: Facts
    sha256: str

    @property
    def identity(self) -> str:
        """What stands in the identity of a metric: the set and its images, or the file where it does not say."""
        if self.facts.digest:
            return f"{self.facts.name},n={self.facts.count},images={self.facts.digest[:8]}"
        return f"{self.facts.name},n=unknown,file={self.sha256[:8]}"

    @property
    def label(self) -> str:
        """The set for people."""
        return f"the {self.facts.count} images of {self.facts.name}" if self.facts.count else self.facts.name

    @property
    def column(self) -> str:
        """The set as part of a column's name."""
        return re.sub(r"\W+", "_", self.facts.name).strip("_").lower()

    @cached_property
    def mean_and_covariance(self) -> tuple[Array, Array]:
        """Mean `(D,)` and unbiased covariance `(D, D)`.

        Raises:
            DatasetError: the file is damaged.
        """
        content = _torch_file(self.path) if self.path.suffix != ".npz" else _members(self.path, ("mu", "sigma"))
        mean, covariance = (_numbers(content[key], self.path) for key in content)
        mean = mean.reshape(-1)
        finite = np.isfinite(mean).all() and np.isfinite(covariance).all()
        if covariance.shape != (len(mean), len(mean)) or not finite:
            raise DatasetError(f"{self.path}: mean of shape {mean.shape} and covariance {covariance.shape} do not fit")
        return mean, covariance

    @cached_property
    def rows(self) -> Rows:
        """Feature rows `(k, D)`, a uniform sample of the set.

        Raises:
            DatasetError: the file has none.
        """
        if not self.facts.digest:
            raise DatasetError(
                f"{self.path}: has no feature rows, which KID needs; make your own: restorebench reference"
            )
        return np.asarray(_members(self.path, ("rows",))["rows"], dtype=np.float32)

    def gathered(self) -> Gathered:
        """Return the statistics as they were gathered, to be merged.

        Raises:
            DatasetError: the file was not written by `save`.
        """
        if not self.facts.digest or self.facts.count is None:
            raise DatasetError(f"{self.path}: cannot be merged: it does not say how many images it is made from")
        mean, covariance = self.mean_and_covariance
        order = np.asarray(_members(self.path, ("order",))["order"], dtype=np.uint64)
        known = Moments(self.facts.count, mean, covariance * (self.facts.count - 1))
        return Gathered(self.facts.keep, known, int(self.facts.digest, 16), order, self.rows)


class SampledRows:
    """The kept rows of a reference, as a metric reads features."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def blocks(self) -> Iterator[Rows]:
        """Yield all rows as one block."""
        yield self._rows


def find(place: str, extractor: FeatureExtractor) -> Reference:
    """Return the statistics a metric was told to compare with.

    Args:
        place: a file; or the name of one that `restorebench reference` keeps; or of one in the weights registry, such
            as `inception-ffhq-512`.
        extractor: the metric's; the statistics must be of its features.

    Raises:
        DatasetError: there is no such file, or it is of other features.
        WeightsError: it is in the weights registry, and not in the cache.
    """
    reference = _open(str(located(place)), _stamp(located(place)))
    known = reference.facts.extractor_id
    if known and known != extractor_id(extractor):
        raise DatasetError(f"{reference.path}: features of {known}, but the metric's are {extractor_id(extractor)}")
    if reference.path.suffix != ".npz" and "antialias=no" not in extractor.identity:
        raise DatasetError(f"{reference.path}: .pth statistics are of the legacy resize; choose resize=legacy")
    return reference


def located(place: str) -> Path:
    """Return the file of a path or name.

    Raises:
        DatasetError: there is none.
        WeightsError: it is in the weights registry, and not in the cache.
    """
    path = Path(place).expanduser()
    kept = folder() / f"{place}.npz"
    if path.is_file():
        return path
    if kept.is_file():
        return kept
    if place in {entry.name for entry in entries()}:
        return resolve({place: None}, fetch=False)[place].path
    names = ", ".join(sorted(file.stem for file in folder().glob("*.npz"))) or "none yet"
    raise DatasetError(
        f"reference {place}: no such file, and no statistics of that name (kept in {folder()}: {names}); make "
        f"them with: restorebench reference dataset=... out={place}"
    )


def folder() -> Path:
    """Return where statistics that have a name lie."""
    return home() / "references"


def load(path: Path) -> Reference:
    """Open a statistics file; its numbers are read when they are needed.

    Raises:
        DatasetError: it is no statistics file.
    """
    return _open(str(path), _stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from None
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=16)
def _open(path: str, stamp: tuple[int, int]) -> Reference:  # noqa: ARG001 - a changed file is another one
    file = Path(path)
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    if file.suffix != ".npz":
        return Reference(file, Facts(file.stem), sha256)
    names = _names(file)
    if not {"mu.npy", "sigma.npy"} <= names:
        raise DatasetError(
            f"{file}: no statistics: holds {', '.join(sorted(names)) or 'nothing'}, expected mu and sigma"
        )
    if "facts.npy" not in names:
        return Reference(file, Facts(file.stem), sha256)
    return Reference(file, _told(file, str(_members(file, ("facts",))["facts"])), sha256)


def _told(path: Path, text: str) -> Facts:
    """Read what a file says about itself.

    Raises:
        DatasetError: it says something else, or nothing that makes sense.
    """
    try:
        told = dict(json.loads(text))
        version = told.pop("format")
        facts = Facts(**{**told, "parts": tuple(told["parts"]), "failed": tuple(told["failed"])})
        int(facts.digest or "0", 16)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DatasetError(f"{path}: damaged statistics ({type(error).__name__}: {error})") from None
    if version != FORMAT:
        raise DatasetError(f"{path}: written by another version of restorebench; make it again")
    texts = isinstance(facts.name, str) and isinstance(facts.digest, str) and isinstance(facts.extractor_id, str)
    counts = isinstance(facts.keep, int) and (facts.count is None or isinstance(facts.count, int))
    if not texts or not counts:
        raise DatasetError(f"{path}: damaged statistics (facts of the wrong kind)")
    return facts


def _numbers(value: Any, path: Path) -> Array:
    found = np.asarray(value)
    if found.dtype.kind not in "fiu":
        raise DatasetError(f"{path}: damaged statistics (holds {found.dtype}, expected numbers)")
    return found.astype(np.float64)


def _names(path: Path) -> set[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist())
    except zipfile.BadZipFile as error:
        raise DatasetError(f"{path}: damaged statistics ({error})") from None


def _members(path: Path, names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: damaged statistics ({error})") from None


def _torch_file(path: Path) -> Mapping[str, Any]:
    """Read `mean` and `cov`, as arrays or tensors, and nothing that could run."""
    import torch
    from numpy._core.multiarray import _reconstruct

    rebuild = [(_reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    plain: list[Any] = [*rebuild, np.ndarray, np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType]
    try:
        with torch.serialization.safe_globals(plain):
            content = torch.load(path, map_location="cpu", weights_only=True)
        return {key: content[key] for key in ("mean", "cov")}
    except Exception as error:  # damaged files raise nearly anything
        reason = str(error).strip().partition("\n")[0]
        raise DatasetError(f"{path}: no statistics with mean and cov ({type(error).__name__}: {reason})") from None
