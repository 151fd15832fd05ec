"""Robustness curves."""

from __future__ import annotations

import math
import warnings
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from handmade import table_metric

from restorebench.reports.figures.curves import curves, legend
from restorebench.reports.grid import grids
from restorebench.reports.leaderboard import board

SPLITS = ("mild", "medium", "severe")


def filled(writer, restorers=("a", "b"), n=3, first=30.0, splits=SPLITS):
    spread = np.linspace(-1, 1, n)
    for severity, split in enumerate(splits):
        for place, name in enumerate(restorers):
            scores = {"psnr": first - severity - place + spread}
            writer.cell(name, scores, metrics=[table_metric("psnr")], split=split, severity=severity)
    made = board(writer.load())
    return grids(made.rows, made.columns)[0]


def texts(svg: bytes) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_equal_tables_give_equal_bytes_without_a_date(writer):
    grid = filled(writer)
    svg = curves(grid)
    assert svg == curves(grid)
    assert b"dc:date" not in svg
    assert b"<text" not in svg  # outlines, the same on every machine


def test_splits_in_order_metric_with_direction_and_restorers(writer):
    found = texts(curves(filled(writer), outlines=False))
    assert [t for t in found if t in SPLITS] == list(SPLITS)
    assert "PSNR ↑" in found
    assert found[-2:] == ["a", "b"]


def test_one_split_makes_no_curve(writer):
    assert curves(filled(writer, splits=("mild",))) is None


def test_a_metric_that_is_infinite_everywhere_has_no_panel(writer):
    assert curves(filled(writer, first=math.inf)) is None


def test_bands_appear_with_the_intervals(writer, tmp_path):
    few, many = filled(writer), filled(type(writer)(tmp_path / "many"), n=10)
    assert b"fill-opacity" not in curves(few)
    assert curves(many).count(b"fill-opacity: 0.14") == 2


@pytest.mark.parametrize("name", ["_hidden", "$x^2$", "a & b <c>", "α"])
def test_names_are_shown_as_they_are(writer, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = texts(curves(filled(writer, restorers=(name, "z")), outlines=False))
    assert name in [t.strip("\u200b") for t in found]


def test_ten_restorers_can_be_told_apart(writer):
    grid = filled(writer, restorers=tuple("abcdefghij"))
    marks = [(colour, marker) for _, colour, marker in legend(grid)]
    assert len(set(marks)) == 10


def test_the_levels_of_a_sweep_are_the_ticks_and_their_parameter_the_axis() -> None:
    from restorebench.reports.figures.curves import _ticks

    assert _ticks(["sigma_1", "sigma_2.5", "sigma_10"]) == ("sigma", ["1", "2.5", "10"])
    assert _ticks(["mild", "medium", "severe"]) == ("", ["mild", "medium", "severe"])
    assert _ticks(["sigma_1", "delta_2"]) == ("", ["sigma_1", "delta_2"])
