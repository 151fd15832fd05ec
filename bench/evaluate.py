"""The worker: turns shards into rows.  It runs anywhere; only the driver commits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from .api import Sample
from .cell import Cell
from .errors import ConfigError
from .lanes import Lanes
from .memory import keep_freed_memory
from .pictures import Picture, Pictures
from .plan import Job, Shard
from .preparing import Item, Preparer
from .restorers import Restorers
from .restoring import Restored
from .scoring import Scorer, Subject
from .storage.store import Commit, Store

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ShardResult:
    """Rows of one shard, in order of its samples, and what is new for the store."""

    cell: Cell
    rows: tuple[dict[str, Any], ...]
    commit: Commit


@dataclass(frozen=True)
class _Prepared:
    """A shard whose items are being made; `first` in its chunk of samples."""

    shard: Shard
    first: bool
    commit: Commit
    items: tuple[Future[Item], ...]


class Worker:
    """Evaluates the shards of a job on one device.

    Args:
        job: what to build.
        store: results of earlier runs; images are written to it, commits are left to the driver.
    """

    def __init__(self, job: Job, store: Store) -> None:
        keep_freed_memory()
        self._job = job
        self._store = store
        self._device = device_of(job.options.device)
        self._lanes = Lanes(job.options.threads, at_once=self._device.type != "cpu")
        set_arithmetic(job.options.threads)
        self._pictures = Pictures(store, job.splits, job.degradation_seed, job.options.keep)
        self._scorer = Scorer(job.metrics, store, self._device, job.options.batch, self._lanes)
        self._restorers = Restorers(job.adapters, self._device, job.options.batch, store.out / "logs")
        self._preparer = Preparer(job, store, self._pictures, self._restorers, self._scorer)
        self._chunk: tuple[Sample, ...] = ()

    def run(self, shards: Iterable[Shard]) -> Iterator[ShardResult]:
        """Evaluate shards in their order; whatever fails becomes a row with its reason.

        The inputs of the next shard are made while one is worked on, never more than that.  Images are written when a
        result is yielded.
        """
        queue = iter(shards)
        ahead = self._prepare(next(queue, None))
        self._lanes.finish()
        try:
            while ahead:
                current, ahead = ahead, self._prepare(next(queue, None))
                yield self._evaluate(current)
        finally:
            self._lanes.drop()

    def _prepare(self, shard: Shard | None) -> _Prepared | None:
        """Have the items of a shard made in the lanes."""
        if shard is None:
            return None
        first = shard.samples is not self._chunk and shard.samples != self._chunk
        if first:
            self._chunk = shard.samples
            self._pictures.forget()
        given = (shard.given or {}).values()
        self._pictures.read_ahead([*(path for s in shard.samples for path in (s.hq, s.lq) if path), *given])
        card, commit = self._preparer.card(shard), Commit()
        items = [self._lanes.add(partial(self._preparer.item, sample, shard, card, commit)) for sample in shard.samples]
        return _Prepared(shard, first, commit, tuple(items))

    def _evaluate(self, prepared: _Prepared) -> ShardResult:
        cell, commit = prepared.shard.cell, prepared.commit
        items = [item.result() for item in prepared.items]
        if prepared.first:
            self._scorer.forget()
        kept = self._restore(cell, [item for item in items if item.work], commit)
        subjects = [
            Subject(i.sample.id, i.restored, i.inputs.hq, i.inputs.lq, i.meta, {}, {})
            if i.restored and not i.error
            else None
            for i in items
        ]
        self._scorer.score([subject for subject in subjects if subject], commit)
        for image in kept:
            image.result()
        rows = tuple(self._row(cell, item, subject) for item, subject in zip(items, subjects, strict=True))
        return ShardResult(cell, rows, commit)

    # -- restoring ----------------------------------------------------------------------------

    def _restore(self, cell: Cell, items: Sequence[Item], commit: Commit) -> list[Future[None]]:
        """Restore what has to be; returns the images that are being written."""
        if not items:
            return []
        results = self._restorers.restore(cell, [item.work for item in items if item.work])
        for item, result in zip(items, results, strict=True):
            _accept(item, result, commit)
        pictures = [item.restored for item in items if item.restored]
        return [self._lanes.add(partial(self._pictures.keep, picture, commit)) for picture in pictures]

    # -- rows ---------------------------------------------------------------------------------

    def _row(self, cell: Cell, item: Item, subject: Subject | None) -> dict[str, Any]:
        size = item.restored.size if item.restored else (item.inputs.size or (None, None))
        pictures = {"hq": item.inputs.hq, "lq": item.inputs.lq, "native": item.inputs.native, "restored": item.restored}
        return {
            "sample": item.sample.id,
            "status": "ok" if subject else "failed",
            "error": item.error,
            "height": size[0],
            "width": size[1],
            **{name: picture.sha256 if picture else None for name, picture in pictures.items()},
            "drawn": json.dumps(item.inputs.parameters, sort_keys=True),
            "seconds": item.seconds,
            **asdict(item.cost),
            "seed": cell.seed,
            "device": str(self._device),
            "note": item.note,
            "alignment": item.sample.meta.get("alignment", ""),
            "landmarks": json.dumps(item.sample.meta["landmarks"]) if "landmarks" in item.sample.meta else "",
            "score_errors": json.dumps(subject.errors if subject else {}, sort_keys=True),
            **(subject.scores if subject else {}),
        }


def _accept(item: Item, result: Restored, commit: Commit) -> None:
    item.seconds, item.note, item.cost = result.seconds, result.note, result.cost
    if result.image is None:
        item.error = result.error
        return
    item.restored = Picture.of(result.image)
    commit.restored[item.key] = {
        "image": [item.restored.sha256, *item.restored.size],
        "seconds": result.seconds,
        "note": result.note,
        "cost": asdict(result.cost),
    }


def set_arithmetic(threads: int) -> None:
    """Make equal work give equal bits: fixed thread counts, and no TF32, which would cost three digits on a GPU."""
    import cv2
    import torch

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False


def device_of(name: str) -> torch.device:
    """Return the torch device; `auto` is the first GPU where there is one.

    Raises:
        ConfigError: there is no such GPU.
    """
    import torch

    found = torch.cuda.device_count()
    if name == "auto":
        name = "cuda" if found else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= found:
        raise ConfigError(f"device={name}: torch finds {found} GPUs here; use device=cpu or device=auto")
    return device
