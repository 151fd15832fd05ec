"""Rows of unfinished cells, and tables of finished ones: any order in, sorted row groups out, nothing whole in memory."""

from __future__ import annotations

import contextlib
import json
import math
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from restorebench.bench.cell import Cell, MetricInfo
from restorebench.bench.errors import StoreError
from restorebench.bench.spec import Spec
from restorebench.bench.storage import cell_tables as tables
from restorebench.bench.storage import results, spool
from restorebench.bench.storage.results import score_column
from restorebench.bench.storage.spool import Spool
from restorebench.bench.storage.store import Store

CELL = Cell("blend", "blend v1", "faces", "mild", "mild seed=0")


def metric(name: str) -> MetricInfo:
    return MetricInfo(name, f"{name} v1", "pair", Spec("handmade.Table", {"columns": [name]}))


def row(i: int, **more: object) -> dict[str, object]:
    return {
        "sample": f"{i:05}", "status": "ok", "error": "", "height": 8, "width": 9, "hq": f"hq{i}", "lq": f"lq{i}",
        "native": None, "restored": f"restored{i}", "drawn": "{}", "seconds": 0.5, "seed": 0, "device": "cpu",
        "note": "", "score_errors": "{}", **more,
    }  # fmt: skip


def shuffled(rows: list[dict[str, object]], at_once: int) -> list[list[dict[str, object]]]:
    pieces = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
    random.Random(0).shuffle(pieces)
    return pieces


def saved(out: Path, rows: list[dict[str, object]], metrics: list[MetricInfo], held: int = 50) -> results.CellTable:
    with Spool(held) as waiting:
        for piece in shuffled(rows, 7):
            waiting.add(CELL.key, piece)
        results.save(out, CELL, metrics, waiting.take(CELL.key))
    (table,) = results.load(Store(out)).tables
    return table


class TestSpool:
    @pytest.mark.parametrize("held", [5, 50, 10_000])
    def test_rows_come_back_sorted_whatever_order_they_came_in(self, tmp_path: Path, held: int) -> None:
        rows = [row(i, **{score_column("psnr v1", "psnr"): i / 7}) for i in range(500)]
        table = saved(tmp_path, rows, [metric("psnr")], held)
        assert table.texts("sample").tolist() == [f"{i:05}" for i in range(500)]
        assert table.numbers(score_column("psnr v1", "psnr")).tolist() == [i / 7 for i in range(500)]
        assert set(table.texts("native")) == {""}

    def test_cells_stay_apart_and_leave_nothing_behind(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr(spool.tempfile, "tempdir", None)
        with Spool(held=4) as waiting:
            for i in range(30):
                waiting.add(f"cell{i % 3}", [row(i)])
            for k in range(3):
                found = [sample for block in waiting.take(f"cell{k}").blocks for sample in block["sample"].to_pylist()]
                assert found == [f"{i:05}" for i in range(30) if i % 3 == k]
            assert list(tmp_path.rglob("*.arrow")) == []
        assert list(tmp_path.iterdir()) == []

    def test_a_cell_without_rows_has_every_column(self) -> None:
        with Spool() as waiting:
            schema, blocks = waiting.take("nothing")
        assert set(spool.COLUMNS) <= set(schema.names)
        assert sum(len(block) for block in blocks) == 0

    def test_columns_that_only_some_rows_have_are_empty_elsewhere(self, tmp_path: Path) -> None:
        rows = [
            row(i, **({score_column("psnr v1", "psnr"): 1.0, "alignment": "ffhq_512"} if i % 2 else {}))
            for i in range(60)
        ]
        table = saved(tmp_path, rows, [metric("psnr")], held=10)
        assert [not math.isnan(value) for value in table.numbers(score_column("psnr v1", "psnr"))] == [
            bool(i % 2) for i in range(60)
        ]
        assert table.texts("alignment").tolist() == ["ffhq_512" if i % 2 else "" for i in range(60)]

    def test_a_full_disk_says_where(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        with Spool(held=1) as waiting:
            waiting.add("cell", [row(0), row(1)])
            monkeypatch.setattr("pyarrow.OSFile", full)
            with pytest.raises(StoreError, match="TMPDIR"):
                waiting.add("cell", [row(2), row(3)])


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


class TestTable:
    @pytest.fixture(autouse=True)
    def small_groups(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tables, "ROW_GROUP", 64)

    def test_it_is_written_in_row_groups(self, tmp_path: Path) -> None:
        saved(tmp_path, [row(i) for i in range(500)], [])
        (path,) = (tmp_path / "store" / "cells").glob("*.parquet")
        assert 500 / 64 <= pq.ParquetFile(path).num_row_groups <= 2 * 500 / 64

    def test_scores_of_earlier_commands_stay_with_the_same_pixels(self, tmp_path: Path) -> None:
        psnr, ssim = score_column("psnr v1", "psnr"), score_column("ssim v1", "ssim")
        saved(tmp_path, [row(i, **{psnr: float(i)}) for i in range(300)], [metric("psnr")])
        rows = [row(i, **{ssim: i / 300}, **({"restored": "another"} if i % 3 == 0 else {})) for i in range(100, 400)]
        table = saved(tmp_path, rows, [metric("ssim")])
        assert [m.name for m in table.metrics] == ["psnr", "ssim"]
        expected = {f"{i:05}": float(i) for i in range(100, 300) if i % 3}
        kept = dict(zip(table.texts("sample"), table.numbers(psnr), strict=True))
        assert {sample: value for sample, value in kept.items() if value == value} == expected  # noqa: PLR0124
        assert table.numbers(ssim).tolist() == [i / 300 for i in range(100, 400)]

    def test_a_metric_computed_again_replaces_its_column(self, tmp_path: Path) -> None:
        psnr = score_column("psnr v1", "psnr")
        saved(tmp_path, [row(i, **{psnr: 1.0}) for i in range(100)], [metric("psnr")])
        table = saved(tmp_path, [row(i, **{psnr: 2.0}) for i in range(100)], [metric("psnr")])
        assert set(table.numbers(psnr)) == {2.0}
        assert [m.name for m in table.metrics] == ["psnr"]

    @pytest.mark.parametrize("place", [0.02, 0.3, 0.5, 0.7, 0.99])
    def test_a_flipped_bit_is_noticed(self, tmp_path: Path, place: float) -> None:
        saved(tmp_path, [row(i, **{score_column("psnr v1", "psnr"): i / 7}) for i in range(400)], [metric("psnr")])
        (path,) = (tmp_path / "store" / "cells").glob("*.parquet")
        whole = path.read_bytes()
        before = contents(tmp_path)
        path.write_bytes(flipped(whole, int(place * len(whole))))
        with contextlib.suppress(StoreError):
            assert contents(tmp_path) == before  # a byte that holds nothing, such as a statistic

    def test_half_a_file_is_one_line(self, tmp_path: Path) -> None:
        saved(tmp_path, [row(i) for i in range(100)], [])
        (path,) = (tmp_path / "store" / "cells").glob("*.parquet")
        path.write_bytes(path.read_bytes()[:-50])
        with pytest.raises(StoreError, match="damaged"):
            results.load(Store(tmp_path))


def contents(out: Path) -> str:
    (table,) = results.load(Store(out)).tables
    return json.dumps([table.texts(name).tolist() for name in table.columns])


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
