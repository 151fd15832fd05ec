"""Degraded images as files for other tools: `restorebench synthesize`.

out/<split>/lq/<id>.png       at the reference's size
out/<split>/native/<id>.png   before it was brought back to size
out/<split>/parameters.parquet  one row an image, see `COLUMNS`
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .api import Degradation, Degraded, Sample
from .errors import ConfigError, DatasetError, ImageError, RestorebenchError, StoreError, listing
from .files import write_atomic
from .identity import split_id
from .images import Pixels, encode_png, pixel_digest, read
from .pictures import for_sample
from .seeds import numpy_generator
from .spec import Spec

COLUMNS = {
    "id": pa.string(),  # of the sample
    "status": pa.string(),  # ok or failed
    "error": pa.string(),  # why it failed
    "split": pa.string(),
    "seed": pa.int64(),  # degradation.seed
    "degradation": pa.string(),  # identity of the split: class, settings, version and seed
    "opencv": pa.string(),  # versions of what made the bytes
    "numpy": pa.string(),
    "hq_sha256": pa.string(),  # of the pixels, whatever the file format; so are the next two
    "lq_sha256": pa.string(),
    "native_sha256": pa.string(),
    "height": pa.int64(),  # of reference and LQ, pixels
    "width": pa.int64(),
    "native_height": pa.int64(),
    "native_width": pa.int64(),
}
"""Columns of `parameters.parquet` besides the parameters drawn, such as `blur_sigma_x`."""

_TOGETHER = 16  # images that a batched degradation gets at once
_ROWS = 256  # rows held as Python objects at a time; a finished block is compact


@dataclass(frozen=True)
class SplitFiles:
    """What `write_split` left on the disk.

    Attributes:
        folder: `out/<split>`.
        parameters: its `parameters.parquet`.
        written: images whose files are new or changed.
        unchanged: images whose files were there already, with the same bytes.
        failed: images that could not be degraded; each has a row that says why.
    """

    folder: Path
    parameters: Path
    written: int
    unchanged: int
    failed: int


@dataclass(frozen=True)
class _Writer:
    """Degrades and writes one sample at a time."""

    degradation: Degradation
    seed: int
    folder: Path
    keep_native: bool
    facts: dict[str, Any]

    def ahead(self, samples: Sequence[Sample]) -> dict[str, tuple[Pixels, Degraded]]:
        """Degrade samples together, if the degradation can: id -> reference and result.

        Nothing is returned where any of them cannot be read or degraded; one by one, each then gets its own error.
        """
        batch = getattr(self.degradation, "batch", None)
        if batch is None:
            return {}
        try:
            hqs = [read(sample.hq) for sample in samples if sample.hq is not None]
            made = batch(hqs, [self._generator(sample) for sample in samples])
            return dict(zip((sample.id for sample in samples), zip(hqs, made, strict=True), strict=True))
        except (ImageError, ValueError):
            return {}

    def _generator(self, sample: Sample) -> np.random.Generator:
        return numpy_generator(self.seed, "degradation", self.degradation.key, sample.id)

    def __call__(
        self, sample: Sample, made: Mapping[str, tuple[Pixels, Degraded]] | None = None
    ) -> tuple[dict[str, Any], bool]:
        """Return the sample's row, and whether any of its files changed; `made` is what `ahead` returned."""
        row = {**self.facts, "id": sample.id}
        try:
            images, found = self._degrade(sample, (made or {}).get(sample.id))
        except ImageError as error:
            return self._failed(row, str(error)), False
        except RestorebenchError:
            raise
        except Exception as error:
            return self._failed(row, f"degradation: {type(error).__name__}: {error}"), False
        changed = [self._write(part, sample.id, image) for part, image in images.items()]
        return {**found, **row, "status": "ok"}, any(changed)

    def _degrade(
        self, sample: Sample, made: tuple[Pixels, Degraded] | None
    ) -> tuple[dict[str, Pixels], dict[str, Any]]:
        """Return the images to write, and what was drawn and measured."""
        if _escapes(sample.id):
            raise ImageError(f"the id {sample.id!r} cannot be a file name below the output folder; rename the image")
        if sample.hq is None:
            raise ImageError(f"{sample.id}: no reference to degrade")
        hq = read(sample.hq) if made is None else made[0]
        try:
            degradation, _ = for_sample(self.degradation, sample.meta)
            lq, native, parameters = degradation(hq, self._generator(sample)) if made is None else made[1]
        except ImageError as error:
            raise ImageError(f"{sample.hq}: {error}") from None
        if clashes := parameters.keys() & COLUMNS.keys() - {"native_height", "native_width"}:
            raise ConfigError(f"degradation parameters {listing(sorted(clashes))} are named like columns; rename them")
        found = {**parameters, "hq_sha256": pixel_digest(hq), "lq_sha256": pixel_digest(lq)}
        found["height"], found["width"] = lq.shape[:2]
        images = {"lq": lq}
        if native is not None:
            found["native_sha256"] = pixel_digest(native)
            found["native_height"], found["native_width"] = native.shape[:2]
            if self.keep_native:
                images["native"] = native
        return images, found

    def _failed(self, row: dict[str, Any], error: str) -> dict[str, Any]:
        """Return the row of a failed sample; what an earlier run made of it would contradict that, and goes."""
        if not _escapes(row["id"]):
            for part in ("lq", "native"):
                self._path(part, row["id"]).unlink(missing_ok=True)
        return {**row, "status": "failed", "error": error}

    def _write(self, part: str, sample_id: str, image: Pixels) -> bool:
        """Write a PNG unless the same bytes are there; say whether it was written."""
        path, data = self._path(part, sample_id), encode_png(image)
        if not path.parent.resolve().is_relative_to(self.folder.resolve()):
            raise StoreError(f"{path}: a link leads out of {self.folder}; remove it")
        try:
            if path.read_bytes() == data:
                return False
        except OSError:
            pass
        write_atomic(path, data)
        return True

    def _path(self, part: str, sample_id: str) -> Path:
        return self.folder / part / f"{sample_id}.png"


def write_split(
    samples: Sequence[Sample],
    split: str,
    spec: Spec,
    seed: int,
    out: Path,
    *,
    native: bool = True,
    workers: int = 1,
    console: Console | None = None,
) -> SplitFiles:
    """Degrade every sample and write the images and what was drawn.

    The bytes of an image depend on the seed, the degradation, the sample's id and its reference only.
    A repeated or continued call computes again but rewrites only files that differ.

    Args:
        samples: what to degrade; each needs a reference.
        split: name of the split and of its folder.
        spec: the degradation.
        seed: `degradation.seed`.
        out: folder that receives the split's folder.
        native: write `native/` as well.
        workers: threads; above 1 the degradation must be safe to call from several.
        console: where progress and failures are shown; None shows nothing.

    Raises:
        DatasetError: the data set has no references at all.
        ConfigError: the split's name is no folder name, or the degradation does not fit its contract.
        StoreError: `out` cannot be written.
    """
    if _escapes(split) or "/" in split:
        raise ConfigError(f"split {split!r} cannot be the name of a folder")
    if not any(sample.hq for sample in samples):
        raise DatasetError("the data set has no reference images to degrade; synthesize needs some")
    degradation: Degradation = spec.build()
    facts = {
        "split": split,
        "seed": seed,
        "degradation": split_id(spec, degradation, seed),
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }
    writer = _Writer(degradation, seed, Path(out) / split, native, facts)
    tables, written, failed = [_table([])], 0, 0
    for rows in _blocks(writer, samples, workers, console):
        tables.append(_table([row for row, _ in rows]))
        failed += sum(row["status"] == "failed" for row, _ in rows)
        written += sum(row["status"] == "ok" and changed for row, changed in rows)
    parameters = writer.folder / "parameters.parquet"
    write_atomic(parameters, _parquet(pa.concat_tables(tables, promote_options="permissive")))
    return SplitFiles(writer.folder, parameters, written, len(samples) - written - failed, failed)


def _blocks(
    writer: _Writer, samples: Sequence[Sample], workers: int, console: Console | None
) -> Iterator[list[tuple[dict[str, Any], bool]]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=console or Console(quiet=True), disable=console is None)
    with shown, ThreadPoolExecutor(workers) as pool:
        task = shown.add_task(f"degrading: {writer.folder.name}", total=len(samples))
        for start in range(0, len(samples), _ROWS):
            rows = []
            block = samples[start : start + _ROWS]
            for some in (block[i : i + _TOGETHER] for i in range(0, len(block), _TOGETHER)):
                for row, changed in pool.map(partial(writer, made=writer.ahead(some)), some):
                    rows.append((row, changed))
                    shown.advance(task)
                    if row["status"] == "failed":
                        shown.console.print(f"failed: {row['id']}: {row['error']}", markup=False, style="yellow")
            yield rows


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    drawn = list(dict.fromkeys(key for row in rows for key in row if key not in COLUMNS))
    arrays = {key: pa.array([row.get(key) for row in rows], kind) for key, kind in COLUMNS.items()}
    return pa.table({**arrays, **{key: pa.array([row.get(key) for row in rows]) for key in drawn}})


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _escapes(name: str) -> bool:
    """Say whether a `/`-separated name leads elsewhere on any system: `..`, absolute, drive letters, backslashes."""
    parts = name.split("/")
    return any(part in ("", ".", "..") for part in parts) or bool(
        "\\" in name or "\0" in name or PureWindowsPath(name).anchor
    )
