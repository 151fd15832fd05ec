"""The driver: runs a plan's shards, commits each one, and writes the table of every finished cell."""

from __future__ import annotations

import datetime
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

from .cell import Cell
from .evaluate import ShardResult
from .events import cell_done
from .files import write_atomic
from .plan import Job, Plan, Shard
from .progress import Progress
from .scoring import NOT_APPLICABLE
from .storage import results
from .storage.plan_records import read_record
from .storage.spool import Spool
from .storage.store import Store


class Executor(Protocol):
    """Decides where a shard runs, and nothing else."""

    def run(self, job: Job, groups: Sequence[Sequence[Shard]], store: Store) -> Generator[ShardResult]:
        """Yield the rows of every sample of every shard, in any order and any number of pieces.

        Closing the generator ends everything that was started.
        """
        ...


def execute(plan: Plan, executor: Executor, store: Store, progress: Progress) -> int:
    """Run every shard of a plan and leave its results in the store.

    Returns:
        The number of rows whose restoring or scoring failed.

    Raises:
        StoreError: results cannot be written; shards that were committed stay.
    """
    cells = {cell.key: cell for cell in plan.cells}
    awaited = plan.shards.images_by_cell()
    failed = 0
    with Spool() as rows, closing(executor.run(plan.job, plan.shards, store)) as pieces:
        for key in [key for key in cells if key not in awaited]:  # nothing to evaluate: its table says why
            _finish(cells[key], plan, rows, store)
        for piece in pieces:
            store.commit(piece.commit)
            key = piece.cell.key
            rows.add(key, piece.rows)
            awaited[key] -= len(piece.rows)
            failed += sum(_has_failed(row) for row in piece.rows)
            progress.advance(piece)
            if awaited[key] == 0:
                _finish(cells[key], plan, rows, store)
    store.close()
    return failed


def _has_failed(row: Mapping[str, Any]) -> bool:
    return row["status"] == "failed" or bool(set(json.loads(row["score_errors"]).values()) - NOT_APPLICABLE)


def _finish(cell: Cell, plan: Plan, rows: Spool, store: Store) -> None:
    results.save(store.out, cell, plan.job.metrics, rows.take(cell.key))
    cell_done(cell, plan.shards.images_by_cell().get(cell.key, 0))


def record(plan: Plan, store: Store, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write what a command asked for, what it skipped and where it ran; a repeated command replaces its record."""
    path = store.root / "plans" / f"{plan.key}.json"
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if path.exists():
        started = (read_record(path) or {"started": started})["started"]
    content = {
        "key": plan.key,
        "started": started,
        "splits": list(dict.fromkeys(cell.split for cell in plan.cells)),
        "metrics": [metric.name for metric in plan.job.metrics],
        "cells": [cell.key for cell in plan.cells],
        "datasets": {name: {"card": dict(card)} for name, card in plan.datasets.items()},
        "weights": [
            {"name": w.name, "sha256": w.sha256, "verified": w.verified, "licence": w.licence} for w in plan.weights
        ],
        "skipped": [{key: part[key] for key in ("kind", "name", "reason")} for part in plan.skipped],
        **facts,
    }
    write_atomic(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, default=str).encode())
    return content
