"""Grids and the terminal: marks, order, reasons."""

from __future__ import annotations

import io
import math

import pytest
from handmade import GAP, sha, table_metric
from rich.console import Console

from restorebench.reports.grid import BEST, SECOND, Place, caution, grids, letters
from restorebench.reports.leaderboard import board
from restorebench.reports.tables.terminal import print_table

SPLITS = ("mild", "severe")


@pytest.fixture
def filled(writer):
    """Three restorers and the reference on two splits; `c` fails once, FID-like Gap is unreliable."""
    psnr, lpips = table_metric("psnr"), table_metric("lpips", higher=False)
    skipped = table_metric("niqe", skipped="no weights; run: restorebench weights fetch niqe_official")
    values = {"a": (30.0, 0.123), "b": (28.0, 0.456), "c_1": (26.0, 0.2)}
    writer.features({sha("hq", f"s{i:03}"): [0.0] for i in range(5)})
    for severity, split in enumerate(SPLITS):
        more = {"split": split, "severity": severity, "metrics": [psnr, lpips, skipped, GAP]}
        for name, (p, q) in values.items():
            failed = {"s001": "boom"} if name == "c_1" and split == "severe" else {}
            scores = {"psnr": [p - severity] * 5, "lpips": [q + 0.1 * severity] * 5}
            writer.cell(name, scores, features=[[p]] * 5, failed=failed, **more)
        perfect = {"psnr": [math.inf] * 5, "lpips": [0.0] * 5}
        writer.cell("reference", perfect, features=[[0.0]] * 5, ranked=False, card={"input": "reference"}, **more)
    writer.plan(metrics=["psnr", "lpips", "niqe", "gap"], sort=["lpips", "psnr"])
    return board(writer.load())


def grid(filled):
    (one,) = grids(filled.rows, filled.columns)
    return one


class TestGrid:
    def test_best_and_second_follow_the_direction(self, filled):
        marks = grid(filled).marks
        assert marks[Place("mild", "a", "psnr")] == BEST
        assert marks[Place("mild", "b", "psnr")] == SECOND
        assert marks[Place("mild", "c_1", "lpips")] == SECOND
        assert Place("mild", "c_1", "psnr") not in marks

    def test_unranked_values_are_never_marked(self, filled):
        assert not [p for p in grid(filled).marks if p.restorer == "reference"]
        assert Place("severe", "c_1", "lpips") not in grid(filled).marks  # 4 of 5 images

    def test_the_reference_comes_last(self, filled):
        assert grid(filled).restorers == ("a", "c_1", "b", "reference")

    def test_equal_values_share_the_mark(self, writer):
        for name in "abc":
            writer.cell(name, {"psnr": [2.0 if name != "c" else 1.0] * 3})
        made = board(writer.load())
        marks = grids(made.rows, made.columns)[0].marks
        assert [marks[Place("mild", name, "psnr")] for name in "abc"] == [BEST, BEST, SECOND]

    def test_one_restorer_is_not_its_own_best(self, writer):
        writer.cell("a", {"psnr": [1.0]})
        made = board(writer.load())
        assert not grids(made.rows, made.columns)[0].marks

    def test_what_holds_for_a_whole_column_stands_in_its_heading(self, filled):
        notes = grid(filled).notes
        texts = [notes.texts[letter] for letter in notes.headings["gap"]]
        assert texts == ["5 restored against the 5 references of faces", "unreliable below 100 images"]
        assert notes.cells[Place("mild", "a", "gap")] == ()

    def test_an_empty_cell_always_carries_its_reason(self, filled):
        notes = grid(filled).notes
        (letter,) = notes.cells[Place("mild", "a", "niqe")]
        assert "weights fetch niqe_official" in notes.texts[letter]

    def test_a_data_set_has_its_own_table(self, writer):
        writer.cell("a", {"psnr": [1.0]}, dataset="x")
        writer.cell("a", {"psnr": [1.0]}, dataset="y")
        made = board(writer.load())
        assert [g.dataset for g in grids(made.rows, made.columns)] == ["x", "y"]


@pytest.mark.parametrize(("index", "label"), [(0, "a"), (25, "z"), (26, "aa"), (52, "ba")])
def test_footnotes_never_run_out_of_letters(index, label):
    assert letters(index) == label


def test_five_images_are_told_why_nothing_can_be_separated():
    assert caution(5).startswith("No ranking follows from 5 images")
    assert "only p = 0.0625" in caution(5)
    assert caution(12) == "No ranking follows from 12 images, fewer than 20."
    assert caution(20) == ""
    assert caution(0) == "No image has a score: no ranking follows."


class TestTerminal:
    def printed(self, filled, width):
        console = Console(file=io.StringIO(), width=width, color_system=None)
        print_table(filled.frame, console)
        return console.file.getvalue()

    @pytest.mark.parametrize("width", [*range(40, 90), 200])
    def test_nothing_is_cut_whatever_the_width(self, filled, width):
        text = self.printed(filled, width)
        assert "…" not in text
        for shown in ("PSNR ↑", "LPIPS ↓", "30.000", "0.123", "c_1", "reference", "∞"):
            assert shown in text
        assert max(map(len, text.splitlines())) <= width

    def test_splits_are_blocks_in_order(self, filled):
        text = self.printed(filled, 120)
        assert text.index("mild") < text.index("severe")
        assert [line.split()[0] for line in text.splitlines() if line.startswith("  reference")] == ["reference"] * 2

    def test_names_are_no_markup(self, writer):
        writer.cell("[red]x[/red]", {"psnr": [1.0]})
        assert "[red]x[/red]" in self.printed(board(writer.load()), 80)
