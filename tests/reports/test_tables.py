"""Tables for GitHub, papers and terminals: marks, order, escaping, reasons."""

from __future__ import annotations

import io
import math
import re

import pytest
from handmade import GAP, sha, table_metric
from rich.console import Console

from restorebench.reports import latex, markdown
from restorebench.reports.grid import BEST, SECOND, Place, caution, grids, letters
from restorebench.reports.leaderboard import board
from restorebench.reports.tables import print_table

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


class TestMarkdown:
    def test_rows_columns_and_marks(self, filled):
        text = markdown.markdown([grid(filled)])
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert rows[0].startswith("| Split | Restorer | PSNR ↑ | LPIPS ↓ | NIQE ↑<sup>a</sup>")
        assert len({line.count("|") for line in rows}) == 1
        a = next(line for line in rows if line.startswith("| mild | a |"))
        assert "| **30.000** | **0.123** |" in a
        assert a.endswith("| 5 | 0 |")
        assert "<ins>28.000</ins>" in text
        assert "| *reference* | *∞* | *0.000* |" in text
        severe = next(line for line in rows if "c\\_1" in line and line.endswith("| 4 | 1 |"))
        assert "25.000<sup>" in severe

    def test_the_warning_and_every_reason_are_there(self, filled):
        text = markdown.markdown([grid(filled)])
        assert "No ranking follows" in text
        assert "restorebench weights fetch niqe\\_official" in text
        assert "covers 4 of 5 images: not ranked" in text

    def test_names_cannot_break_the_table(self):
        assert markdown.escape("a|b *c*\n<img src=x>") == r"a\|b \*c\* \<img src=x\>"


class TestLatex:
    def test_structure(self, filled):
        text = latex.latex([grid(filled)])
        assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 1
        for rule in (r"\toprule", r"\bottomrule", r"\cmidrule(lr){2-5} \cmidrule(lr){6-9}"):
            assert rule in text
        assert r"\multicolumn{4}{c}{mild} & \multicolumn{4}{c}{severe} \\" in text
        assert r"\begin{tabular}{@{}lrrrrrrrr@{}}" in text
        body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
        assert {line.count("&") for line in body.splitlines() if line.endswith(r"\\")} == {8}

    def test_marks_and_unranked(self, filled):
        text = latex.latex([grid(filled)])
        assert r"\textbf{30.000}" in text
        assert r"\underline{28.000}" in text
        assert r"\textit{reference} & \textit{$\infty$}" in text
        assert text.index(r"\textit{reference}") > text.index(r"c\_1")

    def test_braces_balance_and_no_special_character_is_bare(self, filled):
        text = "\n".join(line for line in latex.latex([grid(filled)]).splitlines() if not line.startswith("%"))
        bare = re.sub(r"\\[{}]", "", text)
        assert bare.count("{") == bare.count("}")
        assert not re.search(r"(?<!\\)[_#]", text)
        assert text.count("$") % 2 == 0

    @pytest.mark.parametrize(
        ("name", "written"),
        [
            ("50%_a&b", r"50\%\_a\&b"),
            ("[x]", "{[}x{]}"),
            ("C:\\x{y}", r"C:\textbackslash{}x\{y\}"),
            ("a\nb~^", r"a b\textasciitilde{}\textasciicircum{}"),
            ("é中", "é?"),
        ],
    )
    def test_names_are_escaped(self, name, written):
        assert latex.escape(name) == written

    def test_the_caption_names_data_protocol_and_count(self, filled):
        caption = next(line for line in latex.latex([grid(filled)]).splitlines() if r"\caption" in line)
        assert "faces, protocol standard, 5 images." in caption
        assert "covers 4 of 5 images: not ranked" in caption


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
