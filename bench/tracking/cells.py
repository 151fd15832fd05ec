"""The child runs of a plan: one per cell, with its numbers and some of its images, and one per curve."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..cell import digest
from ..errors import ImageError
from ..storage.results import CellTable
from .projection import Shown, rows_of

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Metric, Run
    from mlflow.tracking import MlflowClient
    from PIL.Image import Image

_CELL = "restorebench.cell"
_CURVE = "restorebench.curve"
_SIDE = 256  # pixels of an image's longer side: enough to compare, small enough for a server
_LOGGED = re.compile(r"images/(\w+)\+step\+(\d+)\+")


class Cells:
    """Makes and completes the child runs of one parent.

    Args:
        client: speaks to MLflow.
        experiment: where the runs belong.
        parent: the run of the plan.
        shown: the report that the numbers are from.
        images: faces logged of each cell; 0 for none.
    """

    def __init__(self, client: MlflowClient, experiment: str, parent: Run, shown: Shown, images: int) -> None:
        self._client = client
        self._experiment = experiment
        self._parent = parent.info.run_id
        self._at = int(parent.info.start_time)
        self._shown = shown
        self._images = images
        self._small: dict[str, Image | None] = {}  # LQ and reference of a face are logged for every restorer

    def cell(self, table: CellTable, plan: Mapping[str, Any]) -> None:
        """One child run: what was evaluated as parameters, its numbers as metrics, its images, its manifest."""
        from mlflow.entities import Param

        cell = table.cell
        tags = {
            "restorer": cell.restorer,
            "dataset": cell.dataset,
            "split": cell.split,
            "restorer_id": cell.restorer_id[:5000],
            **_weights(plan, cell.restorer_id),
        }
        if cell.skipped:
            tags["skipped"] = cell.skipped[:5000]
        child = self._child(_CELL, cell.key, f"{cell.restorer} · {cell.dataset} · {cell.split}", tags)
        rows = rows_of(self._shown.leaderboard, self._shown.places.get(cell.key))
        params = [Param(key, str(value)) for key, value in _parameters(table).items()]
        numbers = [self._metric(name, value, cell.severity) for name, value in _numbers(rows)]
        shown = child.data.metrics
        new = [metric for metric in numbers if shown.get(metric.key) != metric.value]
        self._client.log_batch(child.info.run_id, metrics=new, params=params)
        self._dataset(child, table, rows)
        self._pictures(child, table)
        self._client.set_terminated(child.info.run_id)

    def curves(self, tables: Sequence[CellTable]) -> None:
        """One child run per restorer and data set that met several splits: each metric over them, mildest first."""
        found: dict[tuple[str, str, str, str], dict[int, CellTable]] = {}
        for table in tables:
            place = self._shown.places.get(table.cell.key)
            if place and not table.cell.skipped:
                restorer, dataset, _, protocol = place
                found.setdefault((restorer, table.cell.restorer_id, dataset, protocol), {})[table.cell.severity] = table
        for (restorer, restorer_id, dataset, protocol), by_severity in found.items():
            if len(by_severity) < 2:
                continue
            tags = {"restorer": restorer, "dataset": dataset, "protocol": protocol}
            splits = [by_severity[severity].cell.split for severity in sorted(by_severity)]
            key = digest(restorer_id, dataset, protocol, *splits)
            child = self._child(_CURVE, key, f"{restorer} · {dataset} · curves", {**tags, "splits": ", ".join(splits)})
            points = [
                self._metric(f"curve/{name}", value, severity)
                for severity, table in sorted(by_severity.items())
                for name, value in _numbers(rows_of(self._shown.leaderboard, self._shown.places[table.cell.key]))
            ]
            self._client.log_batch(child.info.run_id, metrics=self._unknown(child, points))
            self._client.set_terminated(child.info.run_id)

    def _child(self, kind: str, key: str, name: str, tags: Mapping[str, str]) -> Run:
        condition = f"tags.`{kind}` = '{key}' and tags.mlflow.parentRunId = '{self._parent}'"
        found = self._client.search_runs([self._experiment], condition, max_results=1)
        if found:
            return found[0]
        every = {"mlflow.parentRunId": self._parent, kind: key, **tags}
        return self._client.create_run(self._experiment, run_name=name, tags=every)

    def _metric(self, name: str, value: float, step: int) -> Metric:
        from mlflow.entities import Metric

        return Metric(re.sub(r"[^\w\-. :/]", "-", name), value, self._at, step)

    def _unknown(self, child: Run, points: Iterable[Metric]) -> list[Metric]:
        """Leave out the points a curve already has."""
        points = list(points)
        known = {
            (key, point.step, point.value)
            for key in {point.key for point in points} & child.data.metrics.keys()
            for point in self._client.get_metric_history(child.info.run_id, key)
        }
        return [point for point in points if (point.key, point.step, point.value) not in known]

    def _dataset(self, child: Run, table: CellTable, rows: pd.DataFrame) -> None:
        """The manifest (ids and sha256 of pixels) with the leaderboard's digest, never the pixels."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        content = table.frame(["sample", "hq", "lq"]).to_csv(index=False)
        entity = Dataset(
            name=table.cell.dataset,
            digest=str(rows["dataset_digest"].iloc[0]) if len(rows) else digest(content),
            source_type="restorebench",
            source=json.dumps({"dataset": table.cell.dataset, "split": table.cell.split}),
            profile=json.dumps({"images": len(table)}),
        )
        self._client.log_inputs(
            child.info.run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "evaluation")])]
        )
        self._client.log_text(child.info.run_id, content, "manifest.csv")

    # -- images -------------------------------------------------------------------------------

    def _pictures(self, child: Run, table: CellTable) -> None:
        """Log LQ, restored and reference of some faces: the same face has the same step in every run."""
        if not self._images or table.cell.skipped or not table.cell.ranked:
            return
        logged = {
            (match[1], int(match[2]))
            for item in self._client.list_artifacts(child.info.run_id, "images")
            if (match := _LOGGED.match(item.path)) and item.path.endswith("webp")  # the second of two files
        }
        count = len(table)
        columns = [
            (key, table.texts(column)) for key, column in (("lq", "lq"), ("restored", "restored"), ("reference", "hq"))
        ]
        most = min(count, self._images)
        for step, row in enumerate(sorted({round(i * (count - 1) / max(1, most - 1)) for i in range(most)})):
            for key, column in columns:
                sha256 = column[row]
                if sha256 and (key, step) not in logged and (image := self._image(sha256)):
                    self._client.log_image(child.info.run_id, image, key=key, step=step, timestamp=self._at)

    def _image(self, sha256: str) -> Image | None:
        from PIL import Image

        if sha256 not in self._small:
            try:
                image = Image.fromarray(self._shown.results.store.image(sha256))
            except ImageError:  # not kept, or damaged: the numbers are there all the same
                self._small[sha256] = None
            else:
                image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
                self._small[sha256] = image
        return self._small[sha256]


def _numbers(rows: pd.DataFrame) -> Iterator[tuple[str, float]]:
    for name, value in zip(rows["metric"], rows["value"].astype(float), strict=True):
        if math.isfinite(value):
            yield str(name), float(value)


def _parameters(table: CellTable) -> dict[str, Any]:
    """The axes one compares over; everything else is in tags and artifacts."""
    cell = table.cell
    return {
        "restorer": cell.restorer,
        "dataset": cell.dataset,
        "split": cell.split,
        "seed": cell.seed,
        "protocol": cell.protocol,
    }


def _weights(plan: Mapping[str, Any], restorer_id: str) -> dict[str, str]:
    """The sha256 of the trained files of one restorer, which its identity names in short."""
    return {
        f"weights.{item['name']}"[:250]: str(item["sha256"])
        for item in plan.get("weights", ())
        if f" {item['name']}={str(item['sha256'])[:8]}" in restorer_id
    }
