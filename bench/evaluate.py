"""The worker: turns shards into rows.  It runs anywhere; only the driver commits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .api import Meta, Sample
from .cell import Cell
from .costs import Cost
from .errors import ConfigError, ImageError
from .identity import restored_key
from .memory import keep_freed_memory
from .pictures import Inputs, Picture, Pictures
from .plan import Job, Shard
from .restorers import Restorers
from .restoring import Restored, Work, source_of
from .scoring import Scorer, Subject
from .seeds import entropy
from .store import Commit, Store

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ShardResult:
    """Rows of one shard, in order of its samples, and what is new for the store."""

    cell: Cell
    rows: tuple[dict[str, Any], ...]
    commit: Commit


@dataclass
class _Item:
    """One sample of a shard while it is worked on."""

    sample: Sample
    inputs: Inputs
    meta: Meta
    key: str = ""
    restored: Picture | None = None
    work: Work | None = None
    seconds: float | None = None
    note: str = ""
    cost: Cost = field(default_factory=Cost)
    error: str = ""


class Worker:
    """Evaluates the shards of a job on one device.

    Args:
        job: what to build.
        store: results of earlier runs; images are written to it, commits are left to the driver.
    """

    def __init__(self, job: Job, store: Store) -> None:
        keep_freed_memory()
        set_arithmetic(job.options.threads)
        self._job = job
        self._store = store
        self._device = device_of(job.options.device)
        self._pictures = Pictures(store, job.splits, job.degradation_seed, job.options.keep)
        self._scorer = Scorer(job.metrics, store, self._device, job.options.batch)
        self._restorers = Restorers(job.adapters, self._device, job.options.batch, store.out / "logs")
        self._chunk: tuple[Sample, ...] = ()

    def run(self, shards: Sequence[Shard]) -> Iterator[ShardResult]:
        """Evaluate the shards of one chunk in their order."""
        for shard in shards:
            yield self.evaluate(shard)

    def evaluate(self, shard: Shard) -> ShardResult:
        """Restore and score one shard; whatever fails becomes a row with its reason."""
        if shard.samples is not self._chunk and shard.samples != self._chunk:
            self._chunk = shard.samples
            self._pictures.forget()
            self._scorer.forget()
        commit = Commit()
        items = [self._item(sample, shard, commit) for sample in shard.samples]
        self._restore(shard.cell, [item for item in items if item.work], commit)
        subjects = [
            Subject(i.sample.id, i.restored, i.inputs.hq, i.inputs.lq, i.meta, {}, {})
            if i.restored and not i.error
            else None
            for i in items
        ]
        self._scorer.score([subject for subject in subjects if subject], commit)
        rows = tuple(self._row(shard.cell, item, subject) for item, subject in zip(items, subjects, strict=True))
        return ShardResult(shard.cell, rows, commit)

    # -- restoring ----------------------------------------------------------------------------

    def _item(self, sample: Sample, shard: Shard, commit: Commit) -> _Item:
        item = _Item(sample, Inputs(None, None, None, {}), sample.meta)
        try:
            item.inputs = self._pictures.inputs(sample, shard.cell.split, commit)
            spec = self._job.splits.get(shard.cell.split)
            if spec is not None:  # told to metrics, never to restorers
                recorded = {"spec": spec.to_json(), "drawn": item.inputs.parameters}
                item.meta = {**sample.meta, "degradation": recorded}
            if shard.given is not None:
                self._take(item, shard.given, commit)
            else:
                self._find(item, shard.cell)
            if shard.failed and (item.work or shard.given is not None):  # what an earlier run restored stays
                item.work, item.restored, item.error = None, None, shard.failed
        except ImageError as error:
            item.error = str(error)
        return item

    def _take(self, item: _Item, given: Mapping[str, Path], commit: Commit) -> None:
        """Use the result that already exists as a file."""
        path = given.get(item.sample.id)
        if path is None:
            raise ImageError(f"no result for {item.sample.id}")
        picture = self._pictures.read(path, commit)
        size = item.inputs.size or picture.size
        if picture.size != size:
            found, expected = (f"{s[0]} x {s[1]}" for s in (picture.size, size))
            raise ImageError(
                f"{path}: is {found}, its reference is {expected}; resize it by declaration or leave it out"
            )
        self._pictures.keep(picture, commit)
        item.restored = picture

    def _find(self, item: _Item, cell: Cell) -> None:
        """Find the result of an earlier run, or set up the work that makes it."""
        card = self._restorers.get(cell.restorer).card
        source = source_of(card, item.inputs)
        size = item.inputs.size or source.size
        draw = f"{cell.seed} {item.sample.id}" if card.stochastic else ""
        used = {key: item.sample.meta[key] for key in card.uses_meta if key in item.sample.meta}
        item.key = restored_key(cell.restorer_id, source.sha256, size, draw, used)
        known = self._store.restored.get(item.key)
        if known and self._usable(known, item):
            sha256, height, width = known["image"]
            item.restored = Picture(sha256, (height, width), lambda: self._store.image(sha256))
            item.seconds, item.note, item.cost = known["seconds"], known["note"], Cost(**known["cost"])
            return
        seed = entropy(cell.seed, "restorer", item.sample.id) & 0x7FFF_FFFF_FFFF_FFFF
        item.work = Work(item.sample.id, source, size, seed, item.sample.meta)

    def _usable(self, known: dict[str, Any], item: _Item) -> bool:
        """Say whether a known result will do: its image is there, or nobody needs to look at it."""
        sha256 = known["image"][0]
        if self._job.options.keep and not self._store.has_image(sha256):
            return False
        if not self._scorer.missing(sha256, item.inputs.hq, item.inputs.lq, item.meta):
            return True
        try:
            self._store.image(sha256)
        except ImageError:
            self._store.image_path(sha256).unlink(missing_ok=True)  # damaged: made again
            return False
        return True

    def _restore(self, cell: Cell, items: Sequence[_Item], commit: Commit) -> None:
        if items:
            results = self._restorers.restore(cell, [item.work for item in items if item.work])
            for item, result in zip(items, results, strict=True):
                self._accept(item, result, commit)

    def _accept(self, item: _Item, result: Restored, commit: Commit) -> None:
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
        self._pictures.keep(item.restored, commit)

    # -- rows ---------------------------------------------------------------------------------

    def _row(self, cell: Cell, item: _Item, subject: Subject | None) -> dict[str, Any]:
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
