"""A million images without pixels: plugins and an executor that invent scores and features, deterministically.

Everything around them is the real thing: plan, keys, store, index, driver, tables, report.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from restorebench.bench.api import Batch, Card, Column, DatasetCard, Degraded, Features, Sample, SetValue
from restorebench.bench.evaluate import ShardResult
from restorebench.bench.identity import degraded_key, restored_key, score_key, split_id
from restorebench.bench.metrics import frechet
from restorebench.bench.plan import Job, Options, Request, Shard
from restorebench.bench.spec import Spec
from restorebench.bench.storage.results import feature_key, score_column
from restorebench.bench.storage.store import Commit, Store

RESTORERS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta")
SPLITS = ("mild", "severe")
METRICS = ("sharpness", "likeness", "contrast", "distance")
WIDTH = 64
CELLS = len(RESTORERS) * len(SPLITS)


class Names:
    """A data set of names: nothing is on the disk."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.card = DatasetCard("names")

    def samples(self) -> Sequence[Sample]:
        return [Sample(f"{i:07}", Path(f"/nowhere/{i:07}.png")) for i in range(self.count)]


class Nothing:
    """A degradation nobody runs."""

    version = 1
    key = "nothing"

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, image: np.ndarray, generator: np.random.Generator) -> Degraded:
        return Degraded(image, None, {})


class Restorer:
    """A restorer nobody runs."""

    version = 1
    weights: Mapping[str, str | None] = {}

    def __init__(self, name: str) -> None:
        self.name = name
        self.card = Card(name, "invented", "face restoration")

    def load(self, device: torch.device) -> None: ...

    def restore(self, batch: Batch) -> torch.Tensor:
        return batch.images


class Score:
    """A pair metric nobody runs."""

    version = 1
    weights: Mapping[str, str | None] = {}
    needs = frozenset({"reference"})
    uses_meta: tuple[str, ...] = ()

    def __init__(self, name: str) -> None:
        self.columns = (Column(name, name, "1", higher_is_better=True, low=0, high=1, digits=3),)
        self.identity = f"invented({name})"

    def load(self, device: torch.device) -> None: ...

    def prepare(self, reference: torch.Tensor, meta: Sequence[Any]) -> None: ...

    def score(self, restored: torch.Tensor, state: Any, lq: Any, meta: Sequence[Any]) -> Mapping[str, torch.Tensor]:
        return {}


class Extractor:
    """Features nobody extracts."""

    identity = "invented features"
    version = 1
    weights: Mapping[str, str | None] = {}

    def load(self, device: torch.device) -> None: ...

    def extract(self, images: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(images), WIDTH)


class Distance:
    """The real Frechet distance on invented features."""

    version = 1
    reliable_from = frechet.RELIABLE_FROM
    identity = "frechet of invented features"
    columns = (Column("gap", "gap", "1", higher_is_better=False, low=0, high=float("inf"), digits=2),)

    def __init__(self) -> None:
        self.extractor = Extractor()

    def compare(self, restored: Features, reference: Features) -> Mapping[str, SetValue]:
        return {"gap": SetValue(frechet._distance(restored, reference))}


def request(out: Path, references: int, shard: int) -> Request:
    """Ask for every restorer on every split of so many names, by four scores and one distance."""
    here = __name__
    return Request(
        adapters={name: Spec(f"{here}.Restorer", {"name": name}) for name in RESTORERS},
        datasets={"names": Spec(f"{here}.Names", {"count": references})},
        splits={name: Spec(f"{here}.Nothing", {"strength": i + 1.0}) for i, name in enumerate(SPLITS)},
        metrics={
            **{name: Spec(f"{here}.Score", {"name": name}) for name in METRICS},
            "gap": Spec(f"{here}.Distance", {}),
        },
        out=out,
        reference_row=False,
        options=Options(shard=shard, threads=1, keep=False),
        sort=METRICS[:2],
    )


class Inventor:
    """An executor that looks everything up as a worker does, and invents what is not in the store.

    Attributes:
        invented: number of images that were not in the store.
    """

    def __init__(self) -> None:
        self.invented = 0

    def run(self, job: Job, groups: Sequence[Sequence[Shard]], store: Store) -> Iterator[ShardResult]:
        """Yield the rows of every shard in order."""
        pairs = [info for info in job.metrics if info.kind == "pair"]
        (extractor,) = {info.extractor_id for info in job.metrics if info.kind == "set"}
        made = {name: split_id(spec, spec.build(), job.degradation_seed) for name, spec in job.splits.items() if spec}
        for group in groups:
            for shard in group:
                commit = Commit()
                rows = []
                for sample in shard.samples:
                    file = _sha("file", sample.id)
                    if not (store.files.get(file) or commit.files.get(file)):
                        commit.files[file] = [_sha("hq", sample.id), 512, 512]
                    key = degraded_key(made[shard.cell.split], sample.id, _sha("hq", sample.id))
                    if store.degraded.get(key) is None:
                        commit.degraded[key] = {
                            "lq": [_sha("lq", shard.cell.split, sample.id), 512, 512],
                            "native": None,
                            "parameters": {"noise": 0.1},
                        }
                    rows.append(self._row(shard, sample.id, store, commit, pairs, extractor))
                yield ShardResult(shard.cell, tuple(rows), commit)

    def _row(
        self, shard: Shard, sample: str, store: Store, commit: Commit, pairs: Sequence[Any], extractor: str
    ) -> dict[str, Any]:
        cell = shard.cell
        hq, lq = _sha("hq", sample), _sha("lq", cell.split, sample)
        restored = _sha("restored", cell.restorer, cell.split, sample)
        draw = np.frombuffer(bytes.fromhex(restored), dtype=np.uint16) / 65536
        key = restored_key(cell.restorer_id, lq, (512, 512), "", {})
        if store.restored.get(key) is None:
            self.invented += 1
            cost = {"parameters": 1000, "gflops": 1.0, "memory_mib": 10.0}
            commit.restored[key] = {"image": [restored, 512, 512], "seconds": 0.01, "note": "", "cost": cost}
        scores = {}
        level = 0.5 + 0.02 * RESTORERS.index(cell.restorer) - 0.1 * SPLITS.index(cell.split)
        for i, info in enumerate(pairs):
            key = score_key(info.metric_id, restored, hq, None, "")
            known = store.scores.get(key)
            if known is None:
                known = commit.scores[key] = {info.name: float(level + 0.1 * draw[i])}
            scores[score_column(info.metric_id, info.name)] = known[info.name]
        for sha256 in (restored, hq):
            key = feature_key(extractor, sha256)
            if key not in commit.features and not store.has_features(key):
                commit.features[key] = _features(sha256, level if sha256 == restored else 0.5)
        return {
            "sample": sample, "status": "ok", "error": "", "height": 512, "width": 512, "hq": hq, "lq": lq,
            "native": None, "restored": restored, "drawn": json.dumps({"noise": 0.1}), "seconds": 0.01,
            "parameters": 1000, "gflops": 1.0, "memory_mib": 10.0, "seed": cell.seed, "device": "cpu", "note": "",
            "score_errors": "{}", **scores,
        }  # fmt: skip


def _sha(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _features(sha256: str, level: float) -> np.ndarray:
    generator = np.random.default_rng(int(sha256[:16], 16))
    return (generator.standard_normal(WIDTH) + level).astype(np.float32)
