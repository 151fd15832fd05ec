"""Curves in numbers, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from handmade import GAP, PLAIN, sha, table_metric

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
    return pd.read_csv(build(writer.out, shown=PLAIN).paths["robustness.csv"]).set_index("restorer")


def test_formulas_by_hand():
    steps = np.arange(3.0)
    assert slope(np.array([3.0, 5, 7]), steps) == pytest.approx(2)
    assert slope(np.array([[0.0, 1], [4, 2]]), steps[:2]) == pytest.approx([1, -2])
    assert area(np.array([1.0, 2, 5]), steps) == pytest.approx((1.5 + 3.5) / 2)
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
    page = build(writer.out, shown=PLAIN).paths["index.html"].read_text(encoding="utf-8")
    assert "20.0 %" in page
    assert "s000, severe" in page
    assert "1 → 2" in page


# -- sweeps -------------------------------------------------------------------------------------


def sweep(writer, drawn, curve, names=None):
    """Write one restorer's curve; `drawn` holds the parameters of each split, image by image or for all."""
    for severity, (parameters, mean) in enumerate(zip(drawn, curve, strict=True)):
        for name, shift in (("a", 0), ("b", 1)):
            writer.cell(
                name,
                {"psnr": list(mean + shift + np.linspace(-1, 1, 10))},
                split=names[severity] if names else f"level{severity}",
                severity=severity,
                drawn=parameters,
            )


def levels_of(sigmas):
    return [{"blur_sigma_x": s, "blur_sigma_y": s, "down_scale": 4, "blur_kind": "isotropic"} for s in sigmas]


def test_a_sweep_lies_at_its_parameters_values(writer):
    sigmas = np.array([1, 2, 4, 10])
    curve = np.array([30.0, 29, 26, 20])
    sweep(writer, levels_of(sigmas.tolist()), curve, [f"sigma_{s}" for s in sigmas])
    a = lines(writer).loc["a"]
    assert a["over"] == "sigma"
    assert a["slope"] == pytest.approx(np.polyfit(sigmas, curve, 1)[0])
    assert (a["slope_low"], a["slope_high"]) == pytest.approx((a["slope"], a["slope"]))
    assert a["area"] == pytest.approx((29.5 * 1 + 27.5 * 2 + 23 * 6) / 9)


def test_a_sweep_downwards_has_slopes_per_unit_of_what_it_is_over(writer):
    sweep(writer, [{"jpeg_quality": q} for q in (90, 50, 10)], (30, 26, 22), ["q_90", "q_50", "q_10"])
    a = lines(writer).loc["a"]
    assert (a["over"], a["slope"], a["area"]) == ("q", pytest.approx(0.1), pytest.approx(26))


def test_a_family_of_ones_own_is_known_by_what_it_drew(writer):
    drawn = [{"haze_alpha": a, "noise_seed": 7, "native_height": 64 / (1 + a)} for a in (0.0, 0.5, 2.0)]
    sweep(writer, drawn, (30, 29, 26))
    a = lines(writer).loc["a"]
    assert (a["over"], a["slope"]) == ("haze_alpha", pytest.approx(-2))


@pytest.mark.parametrize(
    "drawn",
    [
        [{"blur_sigma_x": s, "jpeg_quality": 90 - s} for s in (1, 2, 4)],  # two vary
        [{"blur_sigma_x": s} for s in (1, 2, 1)],  # not one value a split
        [{"blur_sigma_x": 1, "blur_kind": k} for k in "abc"],  # no number
        [{}, {"blur_sigma_x": 2}, {"blur_sigma_x": 4}],  # not in all
        [[{"blur_sigma_x": s + i} for i in range(10)] for s in (1, 20, 40)],  # a range a split, as in mild to severe
    ],
)
def test_other_splits_are_steps(writer, drawn):
    sweep(writer, drawn, (30, 27, 24))
    a = lines(writer).loc["a"]
    assert pd.isna(a["over"])
    assert a["slope"] == pytest.approx(-3)
