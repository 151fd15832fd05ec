"""Somebody else's `out`: a report or a run of it executes nothing, reads and writes nothing outside, ends in plain words."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from worlds import RUN, SPLITS, World

ATTACKS = {
    "a command": {"target": "os.system", "arguments": {"command": "touch canary"}},
    "a program": {"target": "subprocess.run", "arguments": {"args": ["touch", "canary"]}},
    "an evaluation": {"target": "builtins.eval", "arguments": {"source": "open('canary', 'w')"}},
    "an import": {"target": "antigravity.fly", "arguments": {}},
    "a nested command": {
        "target": "restorebench.bench.metrics.psnr.PSNR",
        "arguments": {"border": {"_target_": "os.system", "command": "touch canary"}},
    },
    "an interpolation": {"target": "restorebench.bench.metrics.psnr.PSNR", "arguments": {"border": "${oc.env:HOME}"}},
    "arguments of the builder": {"target": "restorebench.bench.metrics.psnr.PSNR", "arguments": {"_partial_": True}},
    "nothing": {"target": "", "arguments": {}},
    "no module": {"target": "os", "arguments": {}},
}


@pytest.fixture
def finished(world: World, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> World:
    """A finished run of two images."""
    cache = request.config.stash.setdefault(STASH, {})
    if "out" not in cache:
        made = world.at(tmp_path_factory.mktemp("finished"))
        ended = made.run(*evaluation(made))
        assert ended.status == 0, ended.output
        cache["out"] = made.out
    shutil.copytree(cache["out"], world.out)
    return world


STASH: pytest.StashKey[dict[str, Path]] = pytest.StashKey()


def evaluation(world: World) -> tuple[str, ...]:
    return (*RUN, *SPLITS, f"dataset.root={world.faces}", f"out={world.out}", "mlflow.enabled=false", "limit=2")


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a cell's table says about itself."""
    table = pq.read_table(path)
    told = json.loads(table.schema.metadata[b"restorebench"])
    change(told)
    pq.write_table(table.replace_schema_metadata({b"restorebench": json.dumps(told).encode()}), path)


def recommit(world: World, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the content of every commit, under the name its new bytes deserve."""
    for path in (world.out / "store" / "commits").glob("*.json"):
        content = json.loads(path.read_text())
        change(content)
        path.unlink()
        data = json.dumps(content, sort_keys=True).encode()
        (path.parent / f"{hashlib.sha256(data).hexdigest()}.json").write_bytes(data)
    (world.out / "store" / "index.sqlite").unlink(missing_ok=True)


def both(world: World, harmless: Callable) -> None:
    """Report it, run on in it, check it."""
    harmless("report", f"out={world.out}", "report.figures.enabled=false")
    harmless(*evaluation(world), "report.enabled=false")
    harmless("doctor", "store", str(world.out))


@pytest.mark.parametrize("attack", ATTACKS)
def test_metrics_of_a_foreign_table_run_nothing(attack: str, finished: World, harmless: Callable) -> None:
    for path in (finished.out / "store" / "cells").glob("*.parquet"):
        rewrite(path, lambda told: told["metrics"][0].update(spec=ATTACKS[attack]))
    ended = harmless("report", f"out={finished.out}", "report.figures.enabled=false")
    assert not (Path.cwd() / "canary").exists()
    assert "Traceback" not in ended.output


CELLS = {
    "no cell": lambda told: told.pop("cell"),
    "a cell of another kind": lambda told: told.update(cell=[1]),
    "an unknown field": lambda told: told["cell"].update(more=1),
    "names of the wrong kind": lambda told: told["cell"].update(restorer=7, dataset=None, split=["x"]),
    "names that climb": lambda told: told["cell"].update(restorer="../../canary", dataset="../../canary", split="../x"),
    "names that are scripts": lambda told: told["cell"].update(
        restorer="<script>", dataset="\\input{canary}", split="$x$"
    ),
    "a card of another kind": lambda told: told["cell"].update(card="x", dataset_card=[]),
    "no metrics": lambda told: told.update(metrics=[]),
    "metrics of another kind": lambda told: told.update(metrics={"a": 1}),
    "a severity without sense": lambda told: told["cell"].update(severity="worst", seed=1e300),
}


@pytest.mark.parametrize("attack", CELLS)
def test_a_foreign_table_may_say_anything(attack: str, finished: World, harmless: Callable) -> None:
    for path in (finished.out / "store" / "cells").glob("*.parquet"):
        rewrite(path, CELLS[attack])
    harmless("report", f"out={finished.out}", "report.figures.enabled=false")


CLIMB = "../../../../victim"
COMMITS = {
    "an image that climbs": lambda c: c["restored"].update(
        {key: {**record, "image": [CLIMB, 24, 24]} for key, record in c["restored"].items()}
    ),
    "features that climb": lambda c: c.update(features={CLIMB: ["key"]}),
    "pictures that climb": lambda c: c.update(images={CLIMB: 5}),
    "degraded images that climb": lambda c: c["degraded"].update(
        {key: {**record, "lq": [CLIMB, 24, 24]} for key, record in c["degraded"].items()}
    ),
    "another version": lambda c: c.update(version=99),
    "no version": lambda c: c.pop("version"),
    "lists for mappings": lambda c: c.update(files=[], scores=[1]),
    "scores without sense": lambda c: c.update(scores={"a": {"x": [1]}, "b": 3}),
    "costs without sense": lambda c: c["restored"].update(
        {key: {**record, "cost": {"evil": 1}, "seconds": "x"} for key, record in c["restored"].items()}
    ),
    "sizes without sense": lambda c: c.update(
        files={key: [record[0], -1, 10**9] for key, record in c["files"].items()}
    ),
}


@pytest.mark.parametrize("attack", COMMITS)
def test_a_foreign_commit_leads_nowhere(attack: str, finished: World, harmless: Callable) -> None:
    victim = finished.folder / "victim.png"
    victim.write_bytes(b"mine")
    (finished.folder / "victim.npz").write_bytes(b"mine")
    recommit(finished, COMMITS[attack])
    both(finished, harmless)
    assert victim.read_bytes() == b"mine"


PLANS = {
    "no JSON": "{",
    "a list": "[]",
    "nothing": "{}",
    "wrong kinds": json.dumps({"key": 1, "started": [], "cells": 7, "metrics": {}, "skipped": "x", "weights": 3}),
    "deep": "[" * 5000,
    "a command that is HTML": json.dumps(
        {"key": "0" * 32, "started": "x", "command": ["<script>alert(1)</script>"], "cells": []}
    ),
}


@pytest.mark.parametrize("attack", PLANS)
def test_a_foreign_plan_may_hold_anything(attack: str, finished: World, harmless: Callable) -> None:
    for path in (finished.out / "store" / "plans").glob("*.json"):
        path.write_text(PLANS[attack])
    (finished.out / "store" / "plans" / "other.json").write_text(PLANS[attack])
    both(finished, harmless)
    page = finished.out / "report" / "index.html"
    assert "<script>alert(1)" not in page.read_text()


def test_links_inside_a_foreign_store_are_not_written_through(finished: World, harmless: Callable) -> None:
    victim = finished.folder / "victim"
    victim.write_bytes(b"mine")
    for name in ("report/leaderboard.csv", "report/index.html"):
        (finished.out / name).unlink()
        (finished.out / name).symlink_to(victim)
    both(finished, harmless)
    assert victim.read_bytes() == b"mine"
