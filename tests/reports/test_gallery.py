"""Galleries: the right pictures in the right places, and labels where there are none."""

from __future__ import annotations

import io

import numpy as np
import pytest
from handmade import picture
from PIL import Image

from restorebench.reports.figures.gallery import MAX_SIDE, contact_sheet, encoded, gallery
from restorebench.reports.leaderboard import board

FLAT = {"hq": (0, 200, 0), "lq": (200, 0, 0), "good": (0, 0, 200)}


def flat(writer, colour, size=(32, 32)):
    return picture(writer, colour=colour, size=size)


@pytest.fixture
def group(writer):
    hq, lq, good = (flat(writer, FLAT[name]) for name in ("hq", "lq", "good"))
    samples = [f"s{i:02}" for i in range(20)]
    for name, restored in (("good", good), ("input", lq), ("reference", hq)):
        pixels = {s: {"hq": hq, "lq": lq, "restored": restored} for s in samples}
        failed = {"s00": "boom"} if name == "good" else {}
        writer.cell(name, {"psnr": [1.0] * 20}, samples=samples, pixels=pixels, failed=failed)
    return board(writer.load()).groups[0]


def test_columns_are_lq_restorers_reference_without_doubles(group):
    shown = gallery(group, ["good", "input", "reference"])
    assert shown.columns == ("LQ", "good", "Reference")


def test_samples_are_spread_over_the_set(group):
    shown = gallery(group, ["good"], most=3)
    assert [row[0].sample for row in shown.rows] == ["s00", "s10", "s19"]
    assert len(gallery(group, ["good"], most=1).rows) == 1


def test_the_sheet_shows_each_picture_at_its_place(group, writer):
    shown = gallery(group, ["good"], most=2)
    image = np.asarray(Image.open(io.BytesIO(contact_sheet(shown, board(writer.load()).results.store, side=40))))
    middle = [[tuple(int(v) for v in image[26 + r * 46 + 20, 6 + c * 46 + 20]) for c in range(3)] for r in range(2)]
    assert middle[1] == [FLAT["lq"], FLAT["good"], FLAT["hq"]]
    assert middle[0][0] == FLAT["lq"]
    assert shown.rows[0][1].problem == "failed"


def test_a_sheet_is_bounded_whatever_it_holds(writer):
    sha = flat(writer, (1, 2, 3), size=(48, 100))
    for i in range(60):
        own = flat(writer, (i, 5, 9))
        writer.cell(f"r{i:02}", {"psnr": [1.0]}, samples=["s"], pixels={"s": {"hq": sha, "lq": sha, "restored": own}})
    made = board(writer.load())
    shown = gallery(made.groups[0], [f"r{i:02}" for i in range(60)])
    image = Image.open(io.BytesIO(contact_sheet(shown, made.results.store)))
    assert max(image.size) <= MAX_SIDE


def test_without_references_there_is_no_such_column(writer):
    writer.cell("a", {"niqe": [1.0, 2.0]}, hq=False)
    assert gallery(board(writer.load()).groups[0], ["a"]).columns == ("LQ", "a")


def test_missing_pictures_become_labels(writer):
    writer.cell("a", {"psnr": [1.0, 2.0]})
    made = board(writer.load())
    sheet = contact_sheet(gallery(made.groups[0], ["a"]), made.results.store)
    assert Image.open(io.BytesIO(sheet)).size[0] > 100


def test_page_pictures_keep_their_shape():
    pixels = np.zeros((100, 400, 3), np.uint8)
    assert Image.open(io.BytesIO(encoded(pixels, 200))).size == (200, 50)
