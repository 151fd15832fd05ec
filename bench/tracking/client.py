"""The connection to MLflow: quiet, quick to give up, and quick to begin."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..weights import home

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Telemetry off, chatter off, and a server that does not answer is given up after seconds, not minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic", "mlflow.store.db.utils")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def connect(uri: str | None, out: Path) -> tuple[MlflowClient, str]:
    """Return a client and the address it speaks to.

    Args:
        uri: of a tracking server or database; None for a SQLite file inside `out`.
        out: the output folder.

    Raises:
        ConfigError: PostgreSQL is asked for, and no driver is here.
    """
    from mlflow.tracking import MlflowClient

    if uri is not None:
        address = _with_driver(uri)
        _follow(Path(address.removeprefix("sqlite:///")))
        return MlflowClient(address), address
    file = (out / "mlflow.db").resolve()
    address = f"sqlite:///{file.as_posix()}"
    if file.exists():
        _follow(file)
        return MlflowClient(address), address
    template = home() / "mlflow" / f"{metadata.version('mlflow')}.db"
    if template.is_file():
        _copy(template, file, out)
        return MlflowClient(address), address
    client = MlflowClient(address)
    with contextlib.suppress(OSError, sqlite3.Error):  # without it the next `out` only starts as slowly as this one
        template.parent.mkdir(parents=True, exist_ok=True)
        _copy(file, template, out)
    return client, address


def _with_driver(uri: str) -> str:
    """Name the PostgreSQL driver that is here; SQLAlchemy's own choice differs from release to release."""
    scheme, mark, rest = uri.partition("://")
    if scheme not in ("postgresql", "postgres") or not mark:
        return uri
    for driver in ("psycopg2", "psycopg"):
        if find_spec(driver):
            return f"postgresql+{driver}://{rest}"
    raise ConfigError("mlflow.uri: PostgreSQL needs a driver: pip install 'restorebench[postgres]'")


def _follow(file: Path) -> None:
    """Lead a database that was moved or copied with its `out` to the artifacts beside it, not to those it came from."""
    artifacts = file.parent / "mlartifacts"
    if file.name != "mlflow.db" or not file.is_file() or not artifacts.is_dir():
        return
    new = artifacts.resolve().as_uri()
    with contextlib.closing(sqlite3.connect(file)) as database:
        known = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        for old in {place for (place,) in known if place.startswith("file://") and place.endswith("/mlartifacts")} - {
            new
        }:
            for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608 - our own words
                    (new, len(old) + 1, len(old), old),
                )
        database.commit()


def _copy(source: Path, target: Path, out: Path) -> None:
    """Copy an empty database: MLflow makes one by replaying years of migrations, which takes seconds."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(part)) as new:
            old.backup(new)
            place = (out / "mlartifacts" / "0").resolve().as_uri()
            new.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", (place,))
            new.commit()
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
