"""Stores written by hand, and metrics whose values a test chooses; what the engine would leave."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from restorebench.bench import trusted
from restorebench.bench.api import Column, Features, SetValue
from restorebench.bench.cell import Cell, MetricInfo
from restorebench.bench.spec import Spec
from restorebench.bench.storage import results
from restorebench.bench.storage.cell_tables import Stream
from restorebench.bench.storage.results import feature_key, score_column
from restorebench.bench.storage.store import Commit, Store
from restorebench.reports.tables.choices import Choices, FigureChoices


class Table:
    """A pair metric with the columns a test asks for."""

    version = 1
    weights: Mapping[str, str | None] = {}
    uses_meta: tuple[str, ...] = ()

    def __init__(self, columns: list[str], higher: bool = True, needs: tuple[str, ...] = ("reference",)) -> None:
        self.columns = tuple(Column(name, name.upper(), "1", higher, 0, 1, 3) for name in columns)
        self.identity = f"table({columns})"
        self.needs = frozenset(needs)

    def load(self, device):
        raise AssertionError("reports load no metric")

    prepare = score = load


class Extractor:
    identity = "hand"
    version = 1
    weights: Mapping[str, str | None] = {}

    def load(self, device):
        raise AssertionError("reports extract no features")

    extract = load


class MeanGap:
    """Distance between the mean features of two sets."""

    version = 1
    extractor = Extractor()
    identity = "gap"
    columns = (Column("gap", "Gap", "1", False, 0, np.inf, 2),)

    def __init__(self, reliable_from: int = 100) -> None:
        self.reliable_from = reliable_from

    def compare(self, restored: Features, reference: Features) -> Mapping[str, SetValue]:
        def mean(features):
            blocks = list(features.blocks())
            return sum(block.sum(axis=0) for block in blocks) / len(features)

        if len(restored) < 2:
            return {"gap": SetValue(float("nan"))}
        return {"gap": SetValue(float(np.abs(mean(restored) - mean(reference)).sum()))}


COLUMNS = ["sample", "status", "error", "height", "width", "hq", "lq", "native", "restored"]
COLUMNS += ["drawn", "seconds", "seed", "device", "note", "score_errors"]


def sha(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def table_metric(name: str, columns: list[str] | None = None, higher: bool = True, **more) -> MetricInfo:
    spec = Spec("handmade.Table", {"columns": columns or [name], "higher": higher, **more.pop("arguments", {})})
    return MetricInfo(name, more.pop("metric_id", f"{name} v1"), "pair", spec, **more)


PLAIN = Choices(figures=FigureChoices(enabled=False))
"""A report without figures, for tests about something else."""

GAP = MetricInfo("gap", "gap v1 on hand", "set", Spec("handmade.MeanGap", {"reliable_from": 100}), "hand")


class Writer:
    """Writes cells and plans of one `out`."""

    def __init__(self, out: Path) -> None:
        trusted.allow(["handmade"])
        self.out = out
        self.store = Store(out)

    def cell(
        self,
        restorer: str,
        scores: dict[str, list[float]] | None = None,
        *,
        metrics: list[MetricInfo] | None = None,
        samples: list[str] | None = None,
        failed: dict[str, str] | None = None,
        score_errors: dict[str, dict[str, str]] | None = None,
        features: list[list[float]] | None = None,
        lq: bool = True,
        hq: bool = True,
        pixels: dict[str, dict[str, str]] | None = None,
        seconds: float = 0.5,
        drawn: dict[str, object] | list[dict[str, object]] | None = None,
        **cell,
    ) -> Cell:
        """Save one cell; `scores` holds the values of each column, one per sample that did not fail or NaN.

        `drawn` is what the degradation drew: for all samples, or a list of one per sample.
        """
        scores, failed = scores or {}, failed or {}
        metrics = [table_metric(name) for name in scores] if metrics is None else metrics
        length = len(next(iter(scores.values()))) if scores else len(features if features is not None else ())
        samples = samples or [f"s{i:03}" for i in range(length)]
        split = cell.get("split", "mild")
        facts = {"restorer_id": f"{restorer} v1", "dataset": "faces", "split": split, "split_id": f"{split} seed=0"}
        made = Cell(**{"restorer": restorer, **facts, **cell})
        drew = drawn if isinstance(drawn, list) else [drawn or {}] * len(samples)
        rows = []
        for sample, parameters in zip(samples, drew, strict=True):
            bad = sample in failed
            own = (pixels or {}).get(sample, {})
            rows.append(
                {
                    "sample": sample,
                    "status": "failed" if bad else "ok",
                    "error": failed.get(sample, ""),
                    "height": None if bad else 64,
                    "width": None if bad else 64,
                    "hq": own.get("hq", sha("hq", sample) if hq else None),
                    "lq": own.get("lq", sha("lq", sample, split) if lq else None),
                    "native": None,
                    "restored": None if bad else own.get("restored", sha(made.key, sample)),
                    "drawn": json.dumps(parameters),
                    "seconds": None if bad else seconds,
                    "seed": made.seed,
                    "device": "cpu",
                    "note": "",
                    "score_errors": json.dumps((score_errors or {}).get(sample, {})),
                }
            )
        images = pd.DataFrame(rows, columns=COLUMNS)
        for info in metrics:
            for column in info.spec.arguments.get("columns", []):
                if column in scores:
                    values = np.asarray(scores[column], dtype=float)
                    images[score_column(info.metric_id, column)] = np.where(images["status"] == "ok", values, np.nan)
        table = pa.Table.from_pandas(images, preserve_index=False)
        results.save(self.out, made, tuple(metrics), Stream(table.schema, [table]))
        if features is not None:
            self.features({r["restored"]: f for r, f in zip(rows, features, strict=True) if r["restored"]})
        return made

    def features(self, by_sha: dict[str, list[float]]) -> None:
        rows = {feature_key("hand", key): np.asarray(row, dtype=np.float32) for key, row in by_sha.items()}
        self.store.commit(Commit(features=rows))

    def plan(self, **facts) -> None:
        plan = {"key": "0" * 32, "started": "2026-01-01T00:00:00+00:00", **facts}
        path = self.out / "store" / "plans" / f"{plan['key']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(plan))

    def load(self):
        return results.load(Store(self.out))


def picture(writer: Writer, rng: np.random.Generator | None = None, *, colour=None, size=(16, 16)) -> str:
    """Put a picture, random or of one colour, into the store; return its sha256."""
    shape = (*size, 3)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8) if rng else np.full(shape, colour, np.uint8)
    sha256, length = writer.store.put_image(pixels)
    writer.store.commit(Commit(images={sha256: length}))
    return sha256
