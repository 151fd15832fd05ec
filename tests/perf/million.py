"""One stage of the simulation of a million images, in a process of its own so that its peak memory is its own.

    python tests/perf/million.py STAGE OUT REFERENCES SHARD     prints one line of JSON

Stages, in order: `plan`, `store` (every commit and table is written), `open` (nothing new), `index` (made again from
the commits), `reduce` (the same command again: everything is found, tables are written again), `report`.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "plugins"))

import synthetic

from restorebench.bench import driver
from restorebench.bench.plan import Plan, make
from restorebench.bench.progress import Progress
from restorebench.bench.storage.store import Store
from restorebench.bench.trusted import allow
from restorebench.reports.build import build


def planned(out: Path, references: int, shard: int) -> Plan:
    """Plan, as a command does, its key included."""
    plan = make(synthetic.request(out, references, shard))
    assert plan.key
    return plan


def evaluated(out: Path, references: int, shard: int, expected: int) -> None:
    """Run every shard; `expected` images must be new."""
    plan, store, inventor = planned(out, references, shard), Store(out), synthetic.Inventor()
    with Progress(plan.images, None) as progress:
        failed = driver.execute(plan, inventor, store, progress)
    driver.record(plan, store, {"sort": list(synthetic.METRICS[:2])})
    assert (failed, inventor.invented) == (0, expected), (failed, inventor.invented)


def main(stage: str, out: Path, references: int, shard: int) -> None:
    """Run one stage."""
    images = references * synthetic.CELLS
    allow(["synthetic"])
    if stage == "index":
        for path in (out / "store").glob("index.sqlite*"):
            path.unlink()
    before, start, worked = _peak(), time.perf_counter(), time.process_time()
    if stage == "plan":
        assert planned(out, references, shard).images == images
    elif stage == "store":
        shutil.rmtree(out, ignore_errors=True)
        evaluated(out, references, shard, images)
    elif stage in ("open", "index"):
        assert Store(out).unreadable == []
    elif stage == "reduce":
        evaluated(out, references, shard, 0)
    elif stage == "report":
        build(out)
    else:
        raise SystemExit(f"no stage {stage}")
    spent = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - worked}
    print(json.dumps({"stage": stage, "images": images, **spent, "before_mib": before, "peak_mib": _peak()}))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
