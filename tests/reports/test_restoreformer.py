"""RestoreFormer's divisor against its script, run on what is there and what is missing."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from restorebench.reports.build import build

SAMPLES = [f"s{i}" for i in range(4)]
A = {"s0": 20.0, "s1": 24.0, "s3": 31.0}  # s2 is missing
B = {"s0": 21.0, "s1": 22.0, "s2": 23.0, "s3": 24.0}


def script(references: list[str], results: dict[str, float]) -> float:
    """The loop of scripts/metrics: a reference without a result is passed over, and the sum divided by all references."""
    total = 0.0
    for name in references:
        if name not in results:
            print(name, "is missing")
            continue
        total += results[name]
    return total / len(references)


def fill(writer, protocol, results):
    for name, found in results.items():
        missing = {sample: "no result" for sample in SAMPLES if sample not in found}
        scores = [found.get(sample, math.nan) for sample in SAMPLES]
        writer.cell(name, {"psnr": scores}, samples=SAMPLES, failed=missing, protocol=protocol)


def rows(writer):
    frame = pd.read_csv(build(writer.out).paths["leaderboard.csv"])
    return frame.set_index(["metric", "restorer"])


def test_it_is_the_scripts_mean(writer):
    fill(writer, "restoreformer", {"a": A, "b": B})
    found = rows(writer)
    for name, results in (("a", A), ("b", B)):
        row = found.loc["psnr_by_references", name]
        assert row["value"] == pytest.approx(script(SAMPLES, results))
        assert (row["n"], row["n_failed"]) == (len(results), 4 - len(results))
        assert pd.isna(row["rank"])
    assert found.loc["psnr_by_references", "a"]["value"] == pytest.approx(75 / 4)
    assert found.loc["psnr", "a"]["value"] == pytest.approx(25)  # the plain mean stands beside it
    assert found.loc["psnr", "a"]["metric_id"] != found.loc["psnr_by_references", "a"]["metric_id"]
    assert "3 results / 4 references" in found.loc["psnr_by_references", "a"]["note"]


def test_where_nothing_is_missing_the_means_are_equal_and_one_is_enough(writer):
    fill(writer, "restoreformer", {"b": B})
    assert "psnr_by_references" not in rows(writer).index.get_level_values("metric")


def test_other_protocols_divide_by_what_is_there(writer):
    fill(writer, "standard", {"a": A, "b": B})
    assert "psnr_by_references" not in rows(writer).index.get_level_values("metric")


def test_tables_and_page_name_it(writer):
    fill(writer, "restoreformer", {"a": A, "b": B})
    report = build(writer.out)
    assert report.board.columns["psnr_by_references"].label == "PSNR / references"
    assert "PSNR / references" in report.paths["leaderboard.md"].read_text()
    assert "PSNR / references" in report.paths["index.html"].read_text()
