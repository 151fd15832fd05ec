"""MLflow: a projection of the store, made by the driver alone, never its source.

One parent run per plan, tagged with the plan's key, one child per cell, and one child per restorer and data set for
its curves over the splits.  A plan that was projected before adds nothing; a killed projection is continued.  A
tracking failure warns and loses no result.
"""

from __future__ import annotations

import datetime
import json
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cell import digest
from ..errors import ConfigError
from ..storage.results import CellTable, Results
from .client import connect, quiet
from .snapshot import Snapshot, take

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

PLAN = "restorebench.plan"
LEADERBOARD = "restorebench.leaderboard"
REGISTERED = "restorebench.registered"
SNAPSHOT = "restorebench.snapshot"
CONTENT = "restorebench.content"
FOLDER = "store"
"""Where a run keeps its snapshot among its artifacts."""

_MIB = 2**20


@dataclass(frozen=True)
class Shown:
    """What a report showed, as far as tracking needs it.

    Attributes:
        results: the store's tables, with the set-level values of the report.
        leaderboard: the long-form table.
        places: key of a cell -> its restorer, data set, split and protocol as the leaderboard calls them.
        files: path below the report -> file.
        pictures: sha256 of the images that belong to it, the most important first.
        report: how it was made: `select`, `sort` and `published`.
    """

    results: Results
    leaderboard: pd.DataFrame
    places: Mapping[str, tuple[str, str, str, str]]
    files: Mapping[str, Path]
    pictures: Sequence[str]
    report: Mapping[str, Any]


def project(out: Path, settings: Mapping[str, Any], shown: Shown, plan_key: str = "") -> None:
    """Bring MLflow up to date with the store of `out`.

    Args:
        out: the output folder; its report was just built.
        settings: the `mlflow` section of the configuration.
        shown: the report.
        plan_key: the command's plan, whose run `settings["name"]` registers; empty for the newest.
    """
    try:
        with quiet():
            _Projection(out, settings, shown).update(plan_key)
    except Exception as error:  # tracking is a convenience: it may cost nothing that was computed
        reason = " ".join(str(error).split())[:300]
        warnings.warn(
            f"MLflow was not updated ({type(error).__name__}: {reason}); the results are safe in {out}", stacklevel=2
        )


class _Projection:
    def __init__(self, out: Path, settings: Mapping[str, Any], shown: Shown) -> None:
        self._out = out
        self._settings = settings
        self._shown = shown
        self._client, self._uri = connect(settings["uri"], out)
        self._experiment = self._find_experiment(settings["experiment"])

    def _find_experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found:
            return str(found.experiment_id)
        place = self._settings["artifacts"]
        if place is None and not self._uri.startswith(("http:", "https:")):  # a server has a place of its own
            place = (self._out / "mlartifacts").resolve().as_uri()
        return str(self._client.create_experiment(name, artifact_location=place))

    def update(self, plan_key: str) -> None:
        """Project every plan of the store that is not there yet, or whose numbers have changed."""
        from .cells import Cells

        tables = {table.cell.key: table for table in self._shown.results.tables}
        snapshot: Snapshot | None = None
        parent: Run | None = None
        for plan in self._shown.results.plans:
            cells = [tables[key] for key in plan["cells"] if key in tables]
            content = digest("2", plan["key"], *(self._content(table) for table in cells))
            found = self._find(f"tags.`{PLAN}` = '{plan['key']}'")
            if plan["key"] == plan_key or not plan_key:
                parent = found
            if found and found.data.tags.get(CONTENT) == content:
                continue
            found = found or self._start(f"plan {plan['key'][:8]}", {PLAN: plan["key"], **_plan_tags(plan)})
            if plan["key"] == plan_key or not plan_key:
                parent = found
            children = Cells(self._client, self._experiment, found, self._shown, int(self._settings["images"]))
            for table in cells:
                children.cell(table, plan)
            children.curves(cells)
            snapshot = snapshot or self._snapshot()
            self._artifacts(found.info.run_id, plan, snapshot)
            self._client.set_terminated(found.info.run_id)
            self._client.set_tag(found.info.run_id, CONTENT, content)  # last: a run without it is done again
        if parent and self._settings["name"]:
            self._register(parent.info.run_id, str(self._settings["name"]))

    def _content(self, table: CellTable) -> str:
        place = self._shown.places.get(table.cell.key)
        return f"{table.cell.key}{rows_of(self._shown.leaderboard, place).to_csv(index=False)}"

    def _find(self, condition: str) -> Run | None:
        found = self._client.search_runs([self._experiment], condition, max_results=1)
        return found[0] if found else None

    def _start(self, name: str, tags: Mapping[str, str]) -> Run:
        return self._client.create_run(self._experiment, run_name=name, tags=dict(tags))

    def _snapshot(self) -> Snapshot:
        budget = int(self._settings["pictures"]) * _MIB
        return take(self._shown.results, self._shown.pictures, budget, self._shown.report)

    def _artifacts(self, run: str, plan: Mapping[str, Any], snapshot: Snapshot) -> None:
        """Log the report as it is, its store in small, and the configuration as it was resolved."""
        import yaml

        client = self._client
        client.log_text(run, yaml.safe_dump(plan.get("config", {}), allow_unicode=True), "config.yaml")
        client.log_text(run, json.dumps(plan, indent=1, ensure_ascii=False), "plan.json")
        kept: dict[str, Path | bytes] = {f"report/{name}": path for name, path in self._shown.files.items()}
        kept |= {f"{FOLDER}/{name}": content for name, content in snapshot.files.items()}
        kept[f"{FOLDER}/manifest.json"] = snapshot.manifest
        with tempfile.TemporaryDirectory() as folder:
            for name, content in kept.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
            client.log_artifacts(run, folder)
        client.set_tag(run, SNAPSHOT, snapshot.digest)

    def _register(self, run: str, name: str) -> None:
        """Tag a run as the one a leaderboard's name stands for, unless it is already."""
        check_name(name)
        if (found := find_leaderboard(self._client, name)) and found.info.run_id == run:
            return
        self._client.set_tag(run, LEADERBOARD, name)
        self._client.set_tag(run, REGISTERED, datetime.datetime.now(datetime.UTC).isoformat())


def check_name(name: str) -> None:
    """Refuse a leaderboard's name that could not be searched for.

    Raises:
        ConfigError: it holds other characters than letters, digits, spaces and `._:/-`, or is too long.
    """
    if not re.fullmatch(r"[\w .:/-]{1,200}", name):
        raise ConfigError(f"mlflow.name: {name!r} may hold letters, digits, spaces and . _ : / - only, 200 at most")


def find_leaderboard(client: MlflowClient, name: str) -> Run | None:
    """Return the run that was registered last under a leaderboard's name, in any experiment."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments, f"tags.`{LEADERBOARD}` = '{name}'")
    return max(found, key=lambda run: run.data.tags.get(REGISTERED, ""), default=None)


def rows_of(board: pd.DataFrame, place: tuple[str, str, str, str] | None) -> pd.DataFrame:
    """Return a leaderboard's rows of one restorer on one split."""
    restorer, dataset, split, protocol = place or ("", "", "", "")
    return board[
        (board["restorer"] == restorer)
        & (board["dataset"] == dataset)
        & (board["split"] == split)
        & (board["protocol"] == protocol)
    ]


def _plan_tags(plan: Mapping[str, Any]) -> dict[str, str]:
    """The command and when it began; the sha256 of every trained file it used."""
    weights = {f"weights.{item['name']}"[:250]: str(item["sha256"]) for item in plan.get("weights", ())}
    return {"command": " ".join(plan.get("command", []))[:5000], "started": str(plan["started"]), **weights}
