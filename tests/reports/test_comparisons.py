"""Pairs of restorers on the same images."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from handmade import PLAIN, table_metric

from restorebench.reports.build import build


def pairs(writer):
    return pd.read_csv(build(writer.out, shown=PLAIN).paths["comparisons.csv"])


@pytest.fixture
def three(writer):
    rng = np.random.default_rng(0)
    images = rng.normal(25, 2, 30)
    for name, better in (("a", 0.5), ("b", 0.0), ("c", 0.02)):
        writer.cell(name, {"psnr": list(images + better + rng.normal(0, 0.2, 30))})
    return writer


def test_every_pair_has_a_line(three):
    found = pairs(three)
    assert sorted(map(sorted, zip(found["first"], found["second"], strict=True))) == [
        ["a", "b"],
        ["a", "c"],
        ["b", "c"],
    ]
    assert (found["n"] == 30).all()


def test_the_line_agrees_with_the_tiers_and_with_scipy(three):
    report = build(three.out, shown=PLAIN)
    found = pd.read_csv(report.paths["comparisons.csv"]).set_index(["first", "second"])
    images = pd.read_parquet(report.paths["per_image.parquet"]).pivot(index="sample", columns="restorer", values="psnr")
    difference = images["a"] - images["b"]
    line = found.loc["a", "b"]
    assert line["mean_difference"] == pytest.approx(difference.mean())
    assert line["p"] == pytest.approx(scipy.stats.wilcoxon(difference, method="exact").pvalue)
    assert line["dz"] == pytest.approx(difference.mean() / difference.std())
    assert line["ci_low"] < 0.5 < line["ci_high"]
    assert line["better"] == "a"
    assert found["better"].isna().sum() == 1  # b and c: not separable
    assert (found["p_holm"] >= found["p"]).all()
    assert report.leaderboard.set_index("restorer")["tier"].to_dict() == {"a": 1, "b": 2, "c": 2}


def test_lower_is_better_turns_it_round(writer):
    for name, level in (("a", 1.0), ("b", 2.0)):
        writer.cell(
            name, {"niqe": [level + i / 100 * level for i in range(12)]}, metrics=[table_metric("niqe", higher=False)]
        )
    assert pairs(writer)["better"].tolist() == ["a"]


def test_only_images_that_all_have_count(three):
    values = [math.nan if i == 3 else 20.0 + i for i in range(30)]
    three.cell("d", {"psnr": values})
    assert set(pairs(three)["n"]) <= {29, 30}


def test_two_perfect_results_do_not_differ(writer):
    for name in "ab":
        writer.cell(name, {"psnr": [math.inf] * 8})
    line = pairs(writer).iloc[0]
    assert (line["mean_difference"], line["p"], line["rank_biserial"]) == (0, 1, 0)
    assert math.isnan(line["images_needed"])
