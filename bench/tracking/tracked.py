"""`restorebench report source=mlflow:...`: a tracked run's artifacts become a store again."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, StoreError
from .client import connect, quiet
from .projection import FOLDER, LEADERBOARD, REGISTERED, SNAPSHOT, check_name, find_leaderboard
from .snapshot import restore

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

_RUN = re.compile(r"[0-9a-f]{32}")
_PLACE = "mlflow:"


def bring_back(source: str, uri: str | None, out: Path) -> dict[str, Any]:
    """Fill `out` with what a tracked run keeps of its store.

    Args:
        source: `mlflow:` and the id of a parent run, or the name a leaderboard was registered under.
        uri: of the tracking server or database; None takes MLFLOW_TRACKING_URI.
        out: an empty folder, or one that was filled from the same run.

    Returns:
        How the run's report was made: `select` and `sort`.

    Raises:
        ConfigError: the source is not written like this, or nothing says which server.
        StoreError: the run is not there, or its artifacts are damaged.
    """
    name = source.removeprefix(_PLACE)
    if not source.startswith(_PLACE) or not name:
        raise ConfigError(f"source: '{source}' is not mlflow:RUN_ID or mlflow:LEADERBOARD")
    check_name(name)
    address = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not address:
        raise ConfigError(
            f"source={source}: say which MLflow, with mlflow.uri=http://HOST:PORT or mlflow.uri=sqlite:///FILE"
        )
    try:
        with quiet(), tempfile.TemporaryDirectory() as scratch:
            client, _ = connect(address, out)
            run = _find(client, name, address)
            artifacts = _Artifacts(client, run, Path(scratch))
            return restore(artifacts.manifest(), artifacts.fetch, out, source)
    except (ConfigError, StoreError):
        raise
    except Exception as error:  # whatever a server, a database or their drivers raise
        reason = " ".join(str(error).split())[:300]
        raise StoreError(f"{source}: cannot be read from {address} ({type(error).__name__}: {reason})") from None


def _find(client: MlflowClient, name: str, address: str) -> Run:
    """Return the run of an id, or the one that was registered last under a name."""
    from mlflow.exceptions import MlflowException

    run = find_leaderboard(client, name)
    if run is None and _RUN.fullmatch(name):
        try:
            run = client.get_run(name)
        except MlflowException:
            run = None
    if run is None:
        known = ", ".join(_registered(client)) or "none"
        raise StoreError(f"{address}: no run '{name}' and no leaderboard of this name; leaderboards there: {known}")
    if SNAPSHOT not in run.data.tags:
        raise StoreError(f"{address}: run {name} keeps no snapshot; name the parent run of a command (tag {SNAPSHOT})")
    return run


def _registered(client: MlflowClient) -> list[str]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments, f"tags.`{REGISTERED}` != ''")
    return sorted({run.data.tags[LEADERBOARD] for run in found if LEADERBOARD in run.data.tags})[:20]


class _Artifacts:
    """The files of a run's snapshot, each downloaded once."""

    def __init__(self, client: MlflowClient, run: Run, scratch: Path) -> None:
        self._client = client
        self._run = run.info.run_id
        self._promised = run.data.tags[SNAPSHOT]
        self._scratch = scratch
        self._found: dict[str, Path] = {}

    def manifest(self) -> bytes:
        """Return the manifest.

        Raises:
            StoreError: it is not the one that the run's tag promises.
        """
        data = self.fetch("manifest.json").read_bytes()
        if hashlib.sha256(data).hexdigest() != self._promised:
            raise StoreError(f"mlflow:{self._run}: manifest.json is not the one the tag {SNAPSHOT} promises")
        return data

    def fetch(self, name: str) -> Path:
        """Return a copy of one file, whose name was checked before.

        Raises:
            StoreError: the run has no such file.
        """
        if name not in self._found:
            folder = self._scratch / str(len(self._found))
            folder.mkdir()
            path = Path(self._client.download_artifacts(self._run, f"{FOLDER}/{name}", str(folder)))
            if path.is_symlink() or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
                raise StoreError(f"mlflow:{self._run}: {FOLDER}/{name} is not among its artifacts")
            self._found[name] = path
        return self._found[name]
