"""What a shard's images need before they can be restored and scored: inputs, and the results of earlier runs.

Images are prepared side by side in the lanes, those of the next shard while the current one is worked on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .api import Card, Meta, Sample
from .cell import Cell
from .costs import Cost
from .errors import ImageError
from .identity import restored_key
from .pictures import Inputs, Picture, Pictures
from .plan import Job, Shard
from .restorers import Restorers
from .restoring import Work, source_of
from .scoring import Scorer
from .seeds import entropy
from .storage.store import Commit, Store


@dataclass
class Item:
    """One sample of a shard while it is worked on.

    Attributes:
        meta: facts about the sample, with those of its degradation: told to metrics, never to restorers.
        key: of the restored image in the store; empty where the result is given.
        restored: the result, once there is one.
        work: what a restorer must do to get it, if anything.
        error: why there is no result.
    """

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


class Preparer:
    """Makes items; may be used from several threads.

    Args:
        job: what to build.
        store: results of earlier runs.
        pictures: inputs of the current chunk.
        restorers: asked for cards only.
        scorer: asked what is missing.
    """

    def __init__(self, job: Job, store: Store, pictures: Pictures, restorers: Restorers, scorer: Scorer) -> None:
        self._job = job
        self._store = store
        self._pictures = pictures
        self._restorers = restorers
        self._scorer = scorer

    def card(self, shard: Shard) -> Card | None:
        """Return the card of the shard's restorer, which is built; None where results are given."""
        return None if shard.given is not None else self._restorers.get(shard.cell.restorer).card

    def item(self, sample: Sample, shard: Shard, card: Card | None, commit: Commit) -> Item:
        """Prepare one sample; whatever is wrong with it is told in the item."""
        item = Item(sample, Inputs(None, None, None, {}), sample.meta)
        try:
            item.inputs = self._pictures.inputs(sample, shard.cell.split, commit)
            spec = self._job.splits.get(shard.cell.split)
            if spec is not None:
                recorded = {"spec": spec.to_json(), "drawn": item.inputs.parameters}
                item.meta = {**sample.meta, "degradation": recorded}
            if card is None:
                self._take(item, shard.given or {}, commit)
            else:
                self._find(item, shard.cell, card)
            if shard.failed and (item.work or card is None):  # what an earlier run restored stays
                item.work, item.restored, item.error = None, None, shard.failed
        except ImageError as error:
            item.error = str(error)
        return item

    def _take(self, item: Item, given: Mapping[str, Path], commit: Commit) -> None:
        """Use the result that already exists as a file."""
        path = given.get(item.sample.id)
        if path is None:
            raise ImageError(f"no result for {item.sample.id}")
        picture = self._pictures.open(path, commit)
        size = item.inputs.size or picture.size
        if picture.size != size:
            found, expected = (f"{s[0]} x {s[1]}" for s in (picture.size, size))
            raise ImageError(
                f"{path}: is {found}, its reference is {expected}; resize it by declaration or leave it out"
            )
        self._pictures.keep(picture, commit)
        if self._unscored(picture, item):
            _decode(picture, item.inputs.hq)
        item.restored = picture

    def _find(self, item: Item, cell: Cell, card: Card) -> None:
        """Find the result of an earlier run, or set up the work that makes it."""
        source = source_of(card, item.inputs)
        size = item.inputs.size or source.size
        draw = f"{cell.seed} {item.sample.id}" if card.stochastic else ""
        used = {key: item.sample.meta[key] for key in card.uses_meta if key in item.sample.meta}
        item.key = restored_key(cell.restorer_id, source.sha256, size, draw, used)
        known = self._store.restored.get(item.key)
        restored = known and self._usable(known, item)
        if known and restored:
            item.restored = restored
            item.seconds, item.note, item.cost = known["seconds"], known["note"], Cost(**known["cost"])
            return
        seed = entropy(cell.seed, "restorer", item.sample.id) & 0x7FFF_FFFF_FFFF_FFFF
        item.work = Work(item.sample.id, source, size, seed, item.sample.meta)
        _decode(source, item.inputs.hq)

    def _usable(self, known: Mapping[str, Any], item: Item) -> Picture | None:
        """Return a known result if it will do: its image is there, or nobody needs to look at it."""
        sha256, height, width = known["image"]
        if self._job.options.keep and not self._store.has_image(sha256):
            return None
        picture = Picture(sha256, (height, width), lambda: self._store.image(sha256))
        if self._unscored(picture, item):
            try:
                _decode(picture)
            except ImageError:
                self._store.drop_image(sha256)  # damaged: made again
                return None
            _decode(item.inputs.hq)
        return picture

    def _unscored(self, picture: Picture, item: Item) -> bool:
        return self._scorer.missing(picture.sha256, item.inputs.hq, item.inputs.lq, item.meta)


def _decode(*pictures: Picture | None) -> None:
    """Read here, in a lane, what the main thread is going to look at."""
    for picture in pictures:
        if picture is not None:
            _ = picture.pixels
