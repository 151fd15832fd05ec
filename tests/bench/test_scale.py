"""What a run and a report of many images do grows with the images and no faster, and what they hold does not grow.

Counted, not timed: the times of a million images are in docs/scale.md and come from `make bench`.
"""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import synthetic

from restorebench.bench import driver
from restorebench.bench.plan import make
from restorebench.bench.progress import Progress
from restorebench.bench.storage import results, store
from restorebench.bench.storage.cell_tables import FileRows
from restorebench.bench.storage.index import Index
from restorebench.bench.storage.spool import Spool
from restorebench.bench.storage.store import Store
from restorebench.bench.trusted import allow
from restorebench.reports.leaderboard import board, to_csv
from restorebench.reports.per_image import write_per_image

SMALL, LARGE = 2_002 // synthetic.CELLS, 20_020 // synthetic.CELLS  # references: 2,002 and 20,020 images
SHARD = 32


class Watch:
    """Counts calls, and keeps the largest of what is held."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self._patch = patch
        self.count(Index, "_answer")
        self.count(Store, "_read")
        self.count(Store, "feature_file")
        self.count(FileRows, "_opened")
        self.count(Spool, "add", lambda spool: spool._held)
        self.count(Store, "commit", lambda store: len(store._index._keys) + len(store._index._rows))
        self.count(Store, "_remember", lambda store: len(store._open))

    def count(self, owner: type, name: str, held: Callable[[Any], int] = lambda _: 0) -> None:
        call = getattr(owner, name)

        def counting(this: Any, *args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            answer = call(this, *args, **kwargs)
            self.held[name] = max(self.held[name], held(this))
            return answer

        self._patch.setattr(owner, name, counting)


def run(out: Path, references: int) -> int:
    plan, inventor, opened = make(synthetic.request(out, references, SHARD)), synthetic.Inventor(), Store(out)
    with Progress(plan.images, None) as progress:
        driver.execute(plan, inventor, opened, progress)
    driver.record(plan, opened, {"sort": list(synthetic.METRICS[:2])})
    return inventor.invented


def report(out: Path) -> tuple[bytes, int]:
    """Return the leaderboard, and the largest memory that making it and `per_image.parquet` took, in MiB."""
    tracemalloc.start()
    made = board(results.load(Store(out)))
    write_per_image(made, out / "report" / "per_image.parquet")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return to_csv(made.rows), peak // 2**20


@pytest.fixture(scope="module")
def outs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, Counter[str], Counter[str]]]:
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("restorebench.bench.storage.index._WAITING", 8_000)
        patch.setattr("restorebench.bench.storage.spool.HELD", 4_000)
        patch.setattr(Spool.__init__, "__defaults__", (4_000,))
        for references in (SMALL, LARGE):
            with pytest.MonkeyPatch.context() as inner:
                watch = Watch(inner)
                out = tmp_path_factory.mktemp("out")
                assert run(out, references) == references * synthetic.CELLS
                found[references] = out, watch.calls, watch.held
    allow(["synthetic"])
    return found


def ratio(few: Counter[str], many: Counter[str]) -> dict[str, float]:
    return {name: many[name] / few[name] for name in many if few[name]}


def test_a_run_does_ten_times_the_work_for_ten_times_the_images_and_holds_the_same(outs) -> None:
    (_, few, held_few), (_, many, held_many) = outs[SMALL], outs[LARGE]
    assert many["commit"] > 600
    assert max(ratio(few, many).values()) < 11, ratio(few, many)
    assert held_many["add"] <= 4_000
    assert held_many["commit"] <= 8_000
    assert held_many["_remember"] <= store._OPEN
    assert held_few["add"] <= held_many["add"]


def test_the_same_command_again_finds_everything_and_opens_a_commit_about_once(outs, monkeypatch) -> None:
    reads = {}
    for references in (SMALL, LARGE):
        watch = Watch(monkeypatch)
        assert run(outs[references][0], references) == 0
        assert watch.calls["commit"]  # asked, and nothing written:
        commits = sum(1 for _ in (outs[references][0] / "store" / "commits").iterdir())
        reads[references] = watch.calls["_read"]
        assert watch.calls["_read"] <= 1.1 * commits + 100
        monkeypatch.undo()
    assert reads[LARGE] < 11 * reads[SMALL]


def test_opening_a_large_store_reads_no_commit(outs, monkeypatch) -> None:
    watch = Watch(monkeypatch)
    Store(outs[LARGE][0])
    assert watch.calls["_read"] == 0
    assert watch.calls["_answer"] <= 3


def test_a_report_reads_ten_times_as_much_for_ten_times_the_images_and_holds_little_more(outs, monkeypatch) -> None:
    counted, memory = {}, {}
    for references in (SMALL, LARGE):
        watch = Watch(monkeypatch)
        _, memory[references] = report(outs[references][0])
        counted[references] = watch.calls
        assert watch.calls["_read"] == 0  # no commit is opened
        monkeypatch.undo()
    assert max(ratio(counted[SMALL], counted[LARGE]).values()) < 11
    assert counted[LARGE]["_opened"] == counted[SMALL]["_opened"]  # tables are opened by column, not by image
    assert memory[LARGE] - memory[SMALL] < 24, memory
