"""A worker looks one shard ahead, and nobody can tell from the results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from restorebench.bench.configuration import compose_config, default_choices, run_request
from restorebench.bench.errors import StoreError
from restorebench.bench.evaluate import ShardResult, Worker
from restorebench.bench.overrides import normalise
from restorebench.bench.plan import Plan, make
from restorebench.bench.shards import Shard
from restorebench.bench.storage.store import Store


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Ten small pictures."""
    folder = tmp_path / "faces"
    folder.mkdir()
    generator = np.random.default_rng(3)
    for name in "abcdefghij":
        cv2.imwrite(str(folder / f"{name}.png"), generator.integers(0, 256, (40, 48, 3), dtype=np.uint8))
    return folder


def planned(faces: Path, out: Path, *more: str) -> Plan:
    arguments = ["dataset=folder", f"dataset.root={faces}", f"out={out}", "degradation=[mild,severe]", "shard=4"]
    plugins = ["adapter=[input]", "+adapter.blend._target_=fakes.Blend", "+adapter.noisy._target_=fakes.Noisy"]
    metrics = ["metric=[psnr,ssim]", "+metric.mae._target_=fakes.Mae", "+metric.colour._target_=fakes.ColourDistance"]
    config = compose_config("run", normalise([*arguments, *plugins, *metrics, *more], default_choices("run")))
    return make(run_request(config, splits_chosen=True))


def shards(plan: Plan) -> list[Shard]:
    return [shard for group in plan.shards for shard in group]


def comparable(result: ShardResult) -> tuple[Any, ...]:
    rows = [{k: v for k, v in row.items() if k not in ("seconds", "memory_mib")} for row in result.rows]
    commit = result.commit
    features = {key: row.tobytes() for key, row in commit.features.items()}
    return result.cell.key, rows, commit.files, commit.degraded, commit.scores, commit.images, features


def test_rows_and_commits_are_the_same_with_and_without_looking_ahead(faces: Path, tmp_path: Path) -> None:
    plan = planned(faces, tmp_path / "one", "threads=1")
    ahead = [comparable(result) for result in committed(plan, shards(plan))]
    plan = planned(faces, tmp_path / "two", "threads=3")
    store = Store(tmp_path / "two")
    worker = Worker(plan.job, store)
    alone = []
    for shard in shards(plan):
        (result,) = worker.run([shard])
        store.commit(result.commit)
        alone.append(comparable(result))
    assert ahead == alone


def committed(plan: Plan, wanted: list[Shard]) -> Iterator[ShardResult]:
    """Results of one worker, committed as the driver does."""
    store = Store(plan.job.out)
    for result in Worker(plan.job, store).run(wanted):
        store.commit(result.commit)
        yield result


def test_no_more_than_one_shard_is_read_ahead(faces: Path, tmp_path: Path) -> None:
    plan = planned(faces, tmp_path / "out")
    taken: list[Shard] = []

    def queue() -> Iterator[Shard]:
        for shard in shards(plan):
            taken.append(shard)
            yield shard

    results = Worker(plan.job, Store(tmp_path / "out")).run(queue())
    for number, _ in enumerate(results, 1):
        assert len(taken) <= number + 1


def test_images_are_written_when_a_result_comes(faces: Path, tmp_path: Path) -> None:
    plan = planned(faces, tmp_path / "out")
    store = Store(tmp_path / "out")
    for result in Worker(plan.job, store).run(shards(plan)):
        for row in result.rows:
            for name in ("hq", "lq", "restored"):
                assert store.image_path(row[name]).stat().st_size > 0
        for sha256, length in result.commit.images.items():
            assert store.image_path(sha256).stat().st_size == length


def test_a_disk_that_fills_up_while_the_next_shard_is_made_costs_nothing_that_is_done(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(faces, tmp_path / "out")
    store = Store(tmp_path / "out")
    first, second, *_ = (shard for shard in shards(plan) if shard.cell.restorer == "input" and len(shard.samples) == 4)
    (alone,) = Worker(plan.job, Store(tmp_path / "elsewhere")).run([first])
    plain = Store.put_image
    written: list[int] = []

    def full(self: Store, *arguments: Any) -> Any:
        written.append(1)
        if len(written) > len(alone.commit.images):
            raise StoreError("no space left on the disk")
        return plain(self, *arguments)

    monkeypatch.setattr(Store, "put_image", full)
    results = Worker(plan.job, store).run([first, second])
    assert all(row["status"] == "ok" for row in next(results).rows)
    with pytest.raises(StoreError, match="no space"):
        next(results)
