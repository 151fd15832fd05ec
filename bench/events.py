"""What the log and `-v` tell of a plan, its shards and its cells; see `runlog`."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Any

from .cell import Cell
from .evaluate import ShardResult
from .plan import Plan
from .runlog import tell
from .scoring import NOT_APPLICABLE
from .storage.store import Store


def planned(plan: Plan, store: Store) -> None:
    """Tell what is going to be done, with which weights, what is left out, and what of the store is damaged."""
    options: dict[str, Any] = asdict(plan.job.options)
    metrics = [metric.name for metric in plan.job.metrics]
    work = f"{len(plan.cells)} cells, {plan.images} images to restore and score by {', '.join(metrics)}"
    tell(
        "plan",
        f"plan {plan.key[:8]}: {work}; {options['threads']} threads, device {options['device']}",
        key=plan.key,
        cells=len(plan.cells),
        images=plan.images,
        groups=len(plan.shards),
        restorers=list(dict.fromkeys(cell.restorer for cell in plan.cells)),
        datasets=list(plan.datasets),
        splits=list(dict.fromkeys(cell.split for cell in plan.cells)),
        metrics=metrics,
        **options,
    )
    for weight in plan.weights:
        facts: dict[str, Any] = {
            "name": weight.name,
            "file": str(weight.path),
            "sha256": weight.sha256,
            "verified": weight.verified,
        }
        state = "verified" if weight.verified else "unverified"
        tell("weights", f"weights {weight.name}: {weight.path}, sha256 {weight.sha256[:12]}, {state}", **facts)
    for part in plan.skipped:
        why = {key: part[key] for key in ("kind", "name", "reason")}
        tell("skipped", f"skipped {part['kind']} {part['name']}: {part['reason']}", level=logging.WARNING, **why)
    for problem in store.unreadable:
        tell("damaged", problem, level=logging.WARNING)


def shard_done(result: ShardResult, seconds: float) -> None:
    """Tell of a shard that was committed.

    Args:
        result: its rows and what was new.
        seconds: since the shard before.
    """
    cell, commit, rows = result.cell, result.commit, result.rows
    failed = [row for row in rows if row["status"] == "failed"]
    restored = len(commit.restored)
    found = len(rows) - len(failed) - restored
    scores = f"{len(commit.scores)} scores and {len(commit.features)} feature rows computed"
    tell(
        "shard",
        f"{_name(cell)}: {len(rows)} images, {restored} restored, {found} found, {len(failed)} failed, {scores}, "
        f"{seconds:.2f} s",
        cell=cell.key,
        **_facts(cell),
        images=len(rows),
        first=rows[0]["sample"] if rows else "",
        restored=restored,
        found=found,
        failed=len(failed),
        scores=len(commit.scores),
        features=len(commit.features),
        seconds=seconds,
        restoring_seconds=sum(row["seconds"] or 0.0 for row in rows),
    )
    for row in rows:
        _tell_failures(cell, row)


def _tell_failures(cell: Cell, row: dict[str, object]) -> None:
    about: dict[str, Any] = {"cell": cell.key, **_facts(cell), "sample": row["sample"]}
    if row["status"] == "failed":
        message = f"failed: {_name(cell)}, {row['sample']}: {row['error']}"
        tell("failed", message, level=logging.WARNING, **about, stage="restoring", reason=row["error"])
    for metric, reason in json.loads(str(row["score_errors"])).items():
        if reason not in NOT_APPLICABLE:
            message = f"failed: {_name(cell)}, {row['sample']}, {metric}: {reason}"
            tell("failed", message, level=logging.WARNING, **about, stage=metric, reason=reason)


def cell_done(cell: Cell, images: int) -> None:
    """Tell of a cell whose table was written."""
    tell("cell", f"finished: {_name(cell)}, {images} images", cell=cell.key, **_facts(cell), images=images)


def evaluated(plan: Plan, failed: int, seconds: float) -> None:
    """Tell how the evaluation ended; a report may follow."""
    message = (
        f"evaluated {plan.images} images in {seconds:.1f} s, {failed} failed rows, {len(plan.skipped)} parts skipped"
    )
    facts: dict[str, Any] = {"images": plan.images, "failed": failed, "skipped": len(plan.skipped), "seconds": seconds}
    tell("end", message, key=plan.key, **facts)


def _name(cell: Cell) -> str:
    return f"{cell.restorer} on {cell.dataset}, {cell.split}" + (f", seed {cell.seed}" if cell.seed else "")


def _facts(cell: Cell) -> dict[str, Any]:
    return {"restorer": cell.restorer, "dataset": cell.dataset, "split": cell.split, "seed": cell.seed}
