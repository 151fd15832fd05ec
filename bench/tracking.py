"""MLflow: a projection of the store, made by the driver alone, never its source.

One parent run per plan, tagged with the plan's key, and one child per cell.  A plan that was projected
before adds nothing; a killed projection is continued.  A tracking failure warns and loses no result.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import results
from .cell import digest
from .store import Store

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

_PLAN = "restorebench.plan"
_CELL = "restorebench.cell"
_CONTENT = "restorebench.content"
_log = logging.getLogger("restorebench")


def project(out: Path, settings: Mapping[str, Any], leaderboard: pd.DataFrame) -> None:
    """Bring MLflow up to date with the store of `out`.

    Args:
        out: the output folder; its report was just built.
        settings: `uri` (None: SQLite inside `out`) and `experiment`.
        leaderboard: the long-form table.
    """
    try:
        with _quiet():
            _Projection(out, settings, leaderboard).update()
    except Exception as error:  # tracking is a convenience: it may cost nothing that was computed
        warnings.warn(
            f"MLflow was not updated ({type(error).__name__}: {error}); the results are safe in {out}", stacklevel=2
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Telemetry off, chatter off, and a server that does not answer is given up after seconds, not minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "mlflow.store.db.utils")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _Projection:
    def __init__(self, out: Path, settings: Mapping[str, Any], leaderboard: pd.DataFrame) -> None:
        from mlflow.tracking import MlflowClient

        self._out = out
        self._uri = settings["uri"] or f"sqlite:///{(out / 'mlflow.db').resolve().as_posix()}"
        self._client: MlflowClient = MlflowClient(self._uri)
        self._leaderboard = leaderboard
        self._results = results.load(Store(out))
        self._experiment = self._find_experiment(settings["experiment"])

    def _find_experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found:
            return str(found.experiment_id)
        place = (self._out / "mlartifacts").resolve().as_uri() if self._uri.startswith("sqlite:") else None
        return str(self._client.create_experiment(name, artifact_location=place))

    def update(self) -> None:
        """Project every plan of the store that is not there yet, or whose numbers have changed."""
        tables = {table.cell.key: table for table in self._results.tables}
        for plan in self._results.plans:
            cells = [tables[key] for key in plan["cells"] if key in tables]
            content = digest(plan["key"], *(f"{t.cell.key}{self._rows(t).to_csv(index=False)}" for t in cells))
            parent = self._find(f"tags.`{_PLAN}` = '{plan['key']}'")
            if parent and parent.data.tags.get(_CONTENT) == content:
                continue
            parent = parent or self._start(f"plan {plan['key'][:8]}", {_PLAN: plan["key"], **_plan_tags(plan)})
            for table in cells:
                self._cell(parent, table)
            self._artifacts(parent, plan)
            self._client.set_tag(parent.info.run_id, _CONTENT, content)
            self._client.set_terminated(parent.info.run_id)

    def _find(self, condition: str) -> Run | None:
        found = self._client.search_runs([self._experiment], condition, max_results=1)
        return found[0] if found else None

    def _start(self, name: str, tags: Mapping[str, str]) -> Run:
        return self._client.create_run(self._experiment, run_name=name, tags=dict(tags))

    def _rows(self, table: results.CellTable) -> pd.DataFrame:
        board = self._leaderboard
        cell = table.cell
        return board[
            (board["restorer"] == cell.restorer) & (board["dataset"] == cell.dataset) & (board["split"] == cell.split)
        ]

    def _cell(self, parent: Run, table: results.CellTable) -> None:
        """One child run: what was evaluated as parameters, its numbers as metrics, its images as a manifest."""
        from mlflow.entities import Metric, Param

        cell = table.cell
        tags = {
            "mlflow.parentRunId": parent.info.run_id,
            _CELL: cell.key,
            "restorer": cell.restorer,
            "dataset": cell.dataset,
            "split": cell.split,
            "restorer_id": cell.restorer_id[:5000],
        }
        if cell.skipped:
            tags["skipped"] = cell.skipped[:5000]
        condition = f"tags.`{_CELL}` = '{cell.key}' and tags.mlflow.parentRunId = '{parent.info.run_id}'"
        child = self._find(condition) or self._start(f"{cell.restorer} · {cell.dataset} · {cell.split}", tags)
        rows = self._rows(table)
        at = int(parent.info.start_time)
        numbers = [
            Metric(str(name), float(value), at, cell.severity)
            for name, value in zip(rows["metric"], rows["value"].astype(float), strict=True)
            if math.isfinite(value)
        ]
        params = [Param(key, str(value)) for key, value in _parameters(table).items()]
        self._client.log_batch(child.info.run_id, metrics=_known_once(child, numbers), params=params)
        self._dataset(child, table, rows)
        self._client.set_terminated(child.info.run_id)

    def _dataset(self, child: Run, table: results.CellTable, rows: pd.DataFrame) -> None:
        """The manifest (ids and sha256 of pixels) with the leaderboard's digest, never the pixels."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        manifest = table.images[["sample", "hq", "lq"]]
        content = manifest.to_csv(index=False)
        entity = Dataset(
            name=table.cell.dataset,
            digest=str(rows["dataset_digest"].iloc[0]) if len(rows) else digest(content),
            source_type="restorebench",
            source=json.dumps({"dataset": table.cell.dataset, "split": table.cell.split}),
            profile=json.dumps({"images": len(manifest)}),
        )
        self._client.log_inputs(
            child.info.run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "evaluation")])]
        )
        self._client.log_text(child.info.run_id, content, "manifest.csv")

    def _artifacts(self, parent: Run, plan: Mapping[str, Any]) -> None:
        import yaml

        run = parent.info.run_id
        self._client.log_text(run, yaml.safe_dump(plan.get("config", {}), allow_unicode=True), "config.yaml")
        self._client.log_text(run, json.dumps(plan, indent=1, ensure_ascii=False), "plan.json")
        report = self._out / "report"
        if report.is_dir():
            self._client.log_artifacts(run, str(report), "report")


def _plan_tags(plan: Mapping[str, Any]) -> dict[str, str]:
    return {"command": " ".join(plan.get("command", []))[:5000], "started": str(plan["started"])}


def _parameters(table: results.CellTable) -> dict[str, Any]:
    """The axes one compares over; everything else is in tags and artifacts."""
    cell = table.cell
    return {
        "restorer": cell.restorer,
        "dataset": cell.dataset,
        "split": cell.split,
        "seed": cell.seed,
        "protocol": cell.protocol,
    }


def _known_once(child: Run, numbers: list[Any]) -> list[Any]:
    """Leave out numbers the run already shows, so that a repeated command adds no points to a curve."""
    shown = child.data.metrics
    return [metric for metric in numbers if shown.get(metric.key) != metric.value]
