"""Curves in numbers, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from handmade import GAP, sha, table_metric

from restorebench.reports.build import build
from restorebench.reports.robustness import area, relative_loss, slope

SPLITS = ("mild", "medium", "severe")


def fill(writer, curves, metric="psnr", higher=True, n=10):
    spread = np.linspace(-1, 1, n)
    for name, means in curves.items():
        for severity, mean in enumerate(means):
            writer.cell(
                name,
                {metric: list(mean + spread)},
                metrics=[table_metric(metric, higher=higher)],
                split=SPLITS[severity],
                severity=severity,
            )


def lines(writer):
    return pd.read_csv(build(writer.out).paths["robustness.csv"]).set_index("restorer")


def test_formulas_by_hand():
    assert slope(np.array([3.0, 5, 7])) == pytest.approx(2)
    assert slope(np.array([[0.0, 1], [4, 2]])) == pytest.approx([1, -2])
    assert area(np.array([1.0, 2, 5])) == pytest.approx((1.5 + 3.5) / 2)
    assert relative_loss(20, 15, higher_is_better=True) == 0.25
    assert relative_loss(0.2, 0.3, higher_is_better=False) == pytest.approx(0.5)
    assert relative_loss(0, 1, higher_is_better=False) is None


def test_a_line_says_what_the_curve_does(writer):
    fill(writer, {"a": (30, 27, 24), "b": (28, 27.5, 26)})
    found = lines(writer)
    a, b = found.loc["a"], found.loc["b"]
    assert a["slope"] == pytest.approx(-3)
    assert a["slope_low"] == a["slope_high"] == pytest.approx(-3)  # every image loses the same
    assert a["area"] == pytest.approx(27)
    assert a["relative_loss"] == pytest.approx(0.2)
    assert (a["worst"], a["worst_sample"], a["worst_split"]) == (23, "s000", "severe")
    assert (a["rank_first"], a["rank_last"], b["rank_first"], b["rank_last"]) == (1, 2, 2, 1)
    assert a["tau_first_last"] == b["tau_lowest"] == -1
    assert a["splits"] == "mild medium severe"


def test_lower_is_better_loses_upwards(writer):
    fill(writer, {"a": (0.2, 0.3, 0.4), "b": (0.3, 0.3, 0.3)}, metric="lpips", higher=False)
    a = lines(writer).loc["a"]
    assert a["relative_loss"] == pytest.approx(1)
    assert a["worst"] == pytest.approx(1.4)


def test_tau_is_scipys_tau_b(writer):
    curves = {"a": (1, 2, 3), "b": (2, 2, 1), "c": (3, 1, 1), "d": (4, 5, 2)}
    fill(writer, curves)
    found = lines(writer).iloc[0]
    values = np.array(list(curves.values()))
    taus = [scipy.stats.kendalltau(values[:, i], values[:, j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found["tau_first_last"] == pytest.approx(taus[1])
    assert found["tau_lowest"] == pytest.approx(min(taus))


def test_a_set_level_metric_has_a_curve_without_images(writer):
    writer.features({sha("hq", f"s{i:03}"): [0.0] for i in range(3)})
    for severity, split in enumerate(SPLITS):
        for name, level in (("a", 1.0), ("b", 2.0)):
            writer.cell(name, metrics=[GAP], features=[[level + severity]] * 3, split=split, severity=severity)
    a = lines(writer).loc["a"]
    assert a["slope"] == pytest.approx(1)
    assert np.isnan(a["slope_low"])
    assert isinstance(a["worst_sample"], float)


def test_one_split_has_no_curve(writer):
    writer.cell("a", {"psnr": [1.0, 2.0]})
    assert lines(writer).empty


def test_the_page_shows_the_metric_that_orders_the_table(writer):
    fill(writer, {"a": (30, 27, 24), "b": (28, 27.5, 26)})
    page = build(writer.out).paths["index.html"].read_text(encoding="utf-8")
    assert "20.0 %" in page
    assert "s000, severe" in page
    assert "1 → 2" in page
